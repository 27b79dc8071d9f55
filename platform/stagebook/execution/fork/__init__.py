"""Processes by fork: the server, its client, and supervisors."""

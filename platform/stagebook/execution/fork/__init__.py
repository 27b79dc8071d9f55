"""Processes by fork, as their users see them: what is asked of the fork server, and a handle for each process."""

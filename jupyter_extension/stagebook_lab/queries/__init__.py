"""Replies that are read from the journal and the folders of runs."""

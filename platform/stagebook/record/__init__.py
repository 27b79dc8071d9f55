"""Remembering it: the journal, and what is told to MLflow."""

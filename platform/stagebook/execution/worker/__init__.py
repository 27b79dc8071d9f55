"""The process of one attempt."""

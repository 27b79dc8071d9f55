"""Pipelines of other tools, as pipeline files. What is read is data: nothing of it is imported or executed."""

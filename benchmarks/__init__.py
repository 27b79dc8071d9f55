"""Stagebook measured side by side with what a person would use instead: `python -m benchmarks`."""

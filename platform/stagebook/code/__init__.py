"""Static analysis of the code that a notebook leads to."""

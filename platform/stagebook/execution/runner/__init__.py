"""The runner: what to do next, and doing it."""

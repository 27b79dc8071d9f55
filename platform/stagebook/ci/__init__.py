"""Continuous integration: a change is checked, run as far as needed, and compared with what an environment shows."""

"""Runs by themselves: which schedules there are, what is due, and starting it once."""

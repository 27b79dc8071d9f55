"""Showing it: functions from values to text and tables. They return, they never print."""

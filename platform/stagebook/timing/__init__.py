"""Schedules and intervals as values: when something is due, and which stretch of time it is about. Pure: `now` is given."""

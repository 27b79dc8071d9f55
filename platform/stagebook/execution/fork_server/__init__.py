"""The fork server: a process that has imported what stages need, and forks them on request."""

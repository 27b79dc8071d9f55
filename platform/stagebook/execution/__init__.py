"""Doing it: the state of a run, the runner, the engines, and the process that executes a stage."""

"""Contracts: what must hold of a dataset, read from a file and held against the data."""

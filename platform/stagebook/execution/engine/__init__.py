"""Engines: where attempts execute."""

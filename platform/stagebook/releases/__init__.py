"""Releases: what a project's pipelines are made of, as a bundle that does not change any more."""

"""Stagebook: pipelines of Jupyter notebooks that run truthfully and fast."""

__version__ = "0.1.0"

"""Indicators: how much work, how often it breaks, how fast change reaches production; computed from recorded facts alone. Pure."""

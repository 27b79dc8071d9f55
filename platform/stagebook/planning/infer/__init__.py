"""A pipeline file proposed from notebooks."""

"""Where cells run: a kernel, or the worker's own child."""

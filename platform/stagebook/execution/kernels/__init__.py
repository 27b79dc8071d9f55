"""Where cells run: in a kernel, or in a child of the worker."""

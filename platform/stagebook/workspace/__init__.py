"""What is on disk: paths, settings, kernels, and the inputs of results."""

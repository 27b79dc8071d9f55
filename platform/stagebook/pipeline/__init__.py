"""What a pipeline is: its file, types, expressions, notebooks and scripts."""

"""What a pipeline is: its file, its types, its expressions, its notebooks."""

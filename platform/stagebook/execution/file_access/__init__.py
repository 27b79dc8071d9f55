"""Which files the cells of a stage read and write."""

"""The operating system: files that appear whole, processes that end with their parents."""

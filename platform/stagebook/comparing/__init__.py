"""What differs between two states of a project: runs, versions of environments, releases, the working tree."""

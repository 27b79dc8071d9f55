"""What a run would do. Pure: everything it knows of the world is passed in."""

"""What is current in a project, followed while somebody watches."""

"""The authoring surface inside a notebook."""

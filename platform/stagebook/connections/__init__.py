"""Where data comes from, by name: `connect("warehouse").engine()`.

For notebooks, and light to import. `connections.toml`, or `[connections.NAME]` in `stagebook.toml`, says what is behind a
name; secrets in it are looked up here, in the process that uses them. It works in a stage, in processes that it starts, and
in a notebook that is run by hand anywhere in the project.
"""

from stagebook.connections.connection import Connection, connect

__all__ = ["Connection", "connect"]

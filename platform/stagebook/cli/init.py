"""`stagebook init`."""

from __future__ import annotations

from pathlib import Path

from stagebook.cli.output import console, write_json
from stagebook.workspace.init import scaffold


def init(folder: Path, *, as_json: bool) -> None:
    """Make a project and say what comes next."""
    written = scaffold(folder)
    if as_json:
        write_json({"folder": str(folder), "files": written})
        return
    out = console()
    for path in written:
        out.print(f"  {folder / path}")
    out.print()
    if folder != Path():
        out.print(f"next   cd {folder}")
    out.print("next   stagebook run")

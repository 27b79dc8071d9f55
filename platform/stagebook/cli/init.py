"""`stagebook init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.workspace.init import scaffold


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made if it is not there.")] = Path(),
    as_json: Json = False,
) -> None:
    """Make a small working project: a pipeline of three notebooks, ready to run."""
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

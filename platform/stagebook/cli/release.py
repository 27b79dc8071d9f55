"""`stagebook release`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.deploying import release_now
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.views.formatting import plural
from stagebook.workspace.environments import DEV


def release(
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Also with what is not committed; it is noted.")
    ] = False,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What it is about; it is kept with it.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Bundle the pipelines with all their code, contracts and settings, by content."""
    project = Project.open(environment=DEV)
    made = release_now(project, allow_dirty=allow_dirty, note=note)
    if as_json:
        write_json(made.to_json())
        return ExitCode.OK
    commit = f"commit {made.commit[:10]}" if made.commit else "no commit"
    dirty = f", and {plural(len(made.changed), 'file')} not as committed" if made.changed else ""
    console().print(
        f"✓ release {made.short}: {plural(len(made.files), 'file')} of {', '.join(made.pipelines)}; {commit}{dirty}",
        soft_wrap=True,
    )
    return ExitCode.OK

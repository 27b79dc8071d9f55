"""`stagebook debug`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from stagebook.cli.options import PastRun
from stagebook.cli.output import console
from stagebook.execution.kernels.postmortem import open_dump
from stagebook.project import Project
from stagebook.runs.kept import dump_of


def debug(
    run: PastRun, stage: Annotated[str, typer.Argument(help="A stage that failed with --debug-on-failure.")]
) -> None:
    """Open a debugger where a stage failed, with the stage's variables."""
    project = Project.open()
    path = dump_of(project.history, project.history.find(run), stage)
    if sys.stdin.isatty():
        console().print(
            "the frame where it failed; 'p NAME' shows a variable, 'u' goes up, 'q' ends", style="dim"
        )
    open_dump(path)

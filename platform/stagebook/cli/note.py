"""`stagebook note`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.runs.notes import add_note, split_words
from stagebook.runs.origin import person_name
from stagebook.views.log_lines import note_line


def note(
    run: Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STAGE] TEXT", help="What to say of it, or of one of its stages."),
    ] = None,
    ack: Annotated[bool, typer.Option("--ack", help="Say that you have seen how it ended.")] = False,
    as_json: Json = False,
) -> int:
    """Write a note on a run, or on a stage of it; status, logs, JupyterLab and MLflow show it."""
    with Project.open() as project:
        found = project.history.find(run)
        stage, text = split_words(project.history.of(found), words or [])
        made = add_note(
            project.history, found, text, by=person_name(), at=time.time(), stage=stage, acknowledges=ack
        )
        project.launcher.tell_mlflow()
    if as_json:
        write_json({"note": made.to_json()})
    else:
        console().print(
            f"{note_line(made.stage, made.by, made.text, seen=ack)}  (run {made.run})", soft_wrap=True
        )
    return ExitCode.OK

"""`stagebook runs`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json, Pipeline
from stagebook.cli.output import console, write_json
from stagebook.project import Project
from stagebook.views import tables


def runs(
    pipeline: Pipeline = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="How many.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the latest runs."""
    project = Project.open()
    found = project.history.runs(project.catalog.load(pipeline).pipeline.name if pipeline else None, limit)
    if as_json:
        write_json({"runs": [run.to_json() for run in found]})
    elif found:
        console().print(tables.runs_table(found, time.time()))
    else:
        console().print("nothing was run yet; start with: stagebook run")

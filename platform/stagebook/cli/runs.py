"""`stagebook runs`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from stagebook.cli.options import Json, Pipeline
from stagebook.cli.output import console, write_json
from stagebook.journal.interval_table import RunInterval
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
    about = project.journal.intervals.of_runs(run.id for run in found) if found else {}
    if as_json:
        write_json({"runs": [{**run.to_json(), **_about(about.get(run.id))} for run in found]})
    elif found:
        console().print(tables.runs_table(found, time.time(), about))
    else:
        console().print("nothing was run yet; start with: stagebook run")


def _about(one: RunInterval | None) -> dict[str, Any]:
    if one is None:
        return {}
    return {"interval": one.interval and one.interval.to_json(), "schedule": one.schedule}

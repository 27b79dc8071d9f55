"""`stagebook monitor`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json, Pipeline
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError, did_you_mean
from stagebook.project import Project
from stagebook.runs.monitors import Series, series_of
from stagebook.views import monitor_tables


def monitor(
    pipeline: Pipeline = None,
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="STAGE.OUTPUT", help="Show all figures of this output, with its columns."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show the figures of stages and their outputs over the runs: durations, bytes, rows, and what is unusual."""
    project = Project.open()
    name = project.catalog.load(pipeline).pipeline.name
    found = series_of(project.history, name, project.settings.monitors)
    shown = (
        _of(found, dataset) if dataset else [one for one in found if one.is_unusual or not one.monitor.column]
    )
    if as_json:
        write_json({"pipeline": name, "monitors": [one.to_json() for one in shown]})
    elif not found:
        console().print(f"there are no figures of {name} yet; each run makes some: stagebook run {name}")
    else:
        console().print(monitor_tables.monitors(shown))
    return ExitCode.OK


def _of(found: list[Series], dataset: str) -> list[Series]:
    shown = [one for one in found if dataset in {one.monitor.dataset, one.monitor.stage}]
    if not shown:
        known = dict.fromkeys(one.monitor.dataset for one in found)
        raise UsageError(f"there are no figures of '{dataset}'", hint=did_you_mean(dataset, known))
    return shown

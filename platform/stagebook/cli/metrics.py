"""`stagebook metrics`."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated, Literal

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.evidence import DAYS, MOST_DAYS, Place, figures_of
from stagebook.indicators.openmetrics import openmetrics
from stagebook.indicators.report import PipelineFigures
from stagebook.project import Project
from stagebook.runs.environments import main_environment
from stagebook.views import metric_lines
from stagebook.workspace.environments import DEV


def metrics(
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="NAME", help="Of this pipeline (default: each apart).")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", help="The last N days.", min=1, max=MOST_DAYS)
    ] = DAYS,
    weeks: Annotated[
        int,
        typer.Option("--weeks", metavar="N", help="In JSON: a point for each of N weeks.", min=0, max=520),
    ] = 0,
    shape: Annotated[
        Literal["text", "json", "openmetrics"],
        typer.Option("--format", help="As text, JSON, or OpenMetrics for Prometheus."),
    ] = "text",
    explain: Annotated[
        bool, typer.Option("--explain", help="With the formula and the sources of each.")
    ] = False,
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            metavar="NAME",
            help="Of this environment (default: STAGEBOOK_ENV, or prod, or the working tree).",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show how much work is done, how often it breaks, and how fast changes reach production, from recorded facts."""
    until = time.time()
    with _opened(env or os.environ.get("STAGEBOOK_ENV")) as project:
        environment = project.placement.name
        found: list[PipelineFigures] = []
        if project.history.has_journal:
            place = Place(
                root=project.root, journal=project.journal, settings=project.settings, environment=environment
            )
            found = figures_of(place, pipeline=pipeline, days=days, weeks=weeks, until=until)
    if as_json or shape == "json":
        window = {"since": until - days * 86_400, "until": until}
        write_json({"environment": environment, **window, "pipelines": [one.to_json() for one in found]})
    elif shape == "openmetrics":
        sys.stdout.write(openmetrics(found))
    elif not found:
        console().print(
            "there are no figures yet: nothing was run; start with: stagebook run", soft_wrap=True
        )
    else:
        _show(found, explain=explain)
    return ExitCode.OK


def _opened(name: str | None) -> Project:
    """The project in the environment that is named; else in `prod` once anything ran there, or in the working tree."""
    if name:
        return Project.open(environment=name)
    project = Project.open(environment=DEV)
    main = main_environment(project.environments)
    return project if main == DEV else project.in_environment(main)


def _show(found: list[PipelineFigures], *, explain: bool) -> None:
    out = console()
    for place, one in enumerate(found):
        if place:
            out.print()
        for line in metric_lines.metrics(one, explain=explain):
            out.print(line)

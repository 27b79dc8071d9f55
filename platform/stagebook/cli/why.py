"""`stagebook why`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json, Params, ParamsFile, Pipeline
from stagebook.cli.output import console, write_json
from stagebook.cli.request import request_of
from stagebook.project import Project
from stagebook.runs.why import why as explain_stages
from stagebook.views import reports


def why(
    pipeline: Pipeline = None,
    stages: Annotated[list[str] | None, typer.Argument(help="Stages: names, instances or globs.")] = None,
    params: Params = None,
    params_file: ParamsFile = None,
    as_json: Json = False,
) -> None:
    """Show everything that changed for a stage since its last result."""
    with Project.open() as project:
        request = request_of(pipeline, params=params, params_file=params_file)
        found = explain_stages(project.preparer, request, stages or ())
        if as_json:
            write_json({"stages": [item.to_json() for item in found]})
            return
        out = console()
        for at, item in enumerate(found):
            if at:
                out.print()
            out.print(reports.explanation(item, time.time()), soft_wrap=True)

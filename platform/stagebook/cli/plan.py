"""`stagebook plan`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from stagebook.cli.options import From, Json, Only, Params, ParamsFile, Pipeline, Skip, Stages, Verify
from stagebook.cli.output import console, write_json
from stagebook.cli.request import request_of
from stagebook.project import Project
from stagebook.views import tables


def plan(
    pipeline: Pipeline = None,
    stages: Stages = None,
    params: Params = None,
    params_file: ParamsFile = None,
    from_: From = None,
    only: Only = None,
    skip: Skip = None,
    force: Annotated[
        bool, typer.Option("--force", help="As if the named stages (all, if none is named) had to run.")
    ] = False,
    verify: Verify = False,
    as_json: Json = False,
) -> None:
    """Show which stages would run, and why, and run nothing."""
    request = request_of(pipeline, stages, params, params_file, from_, only, skip, force=force, verify=verify)
    made = Project.open().plan(request)
    if as_json:
        write_json(made.to_json())
    elif len(made.stages) > tables.MAX_ROWS:
        sys.stdout.writelines(f"{line}\n" for line in tables.plan_lines(made))
    else:
        console().print(tables.plan_table(made))

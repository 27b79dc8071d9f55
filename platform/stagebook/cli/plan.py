"""`stagebook plan`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from stagebook.cli.options import (
    Audit,
    From,
    Interval,
    Json,
    Only,
    Params,
    ParamsFile,
    Pipeline,
    Schedule,
    Skip,
    Stages,
    Verify,
)
from stagebook.cli.output import console, write_json
from stagebook.cli.request import request_of
from stagebook.project import Project
from stagebook.runs.quarantine import prospects
from stagebook.views import contract_tables, tables
from stagebook.views.sharing_lines import caution_lines


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
    audit: Audit = False,
    verify: Verify = False,
    interval: Interval = None,
    schedule: Schedule = None,
    as_json: Json = False,
) -> None:
    """Show which stages would run, and why, and run nothing."""
    how = {"force": force, "audit": audit, "verify": verify, "interval": interval, "schedule": schedule}
    request = request_of(pipeline, stages, params, params_file, from_, only, skip, **how)
    project = Project.open()
    made = project.plan(request)
    shared = project.placement.shared(project.root, project.settings)
    cautions = shared.cautions if shared is not None else ()
    if as_json:
        found = prospects(made, project.history, project.store, project.root)
        more = {"quarantine": [one.to_json() for one in found]} if found else {}
        if cautions:
            more["shared"] = [one.to_json() for one in cautions]
        write_json({**made.to_json(), **more})
    elif len(made.stages) > tables.MAX_ROWS:
        sys.stdout.writelines(f"{line}\n" for line in tables.plan_lines(made))
    else:
        console().print(tables.plan_table(made))
        for one in prospects(made, project.history, project.store, project.root):
            if one.passing != 0:
                console().print(contract_tables.prospect(one), soft_wrap=True)
    for line in caution_lines(cautions) if not as_json else ():
        console().print(line, style="yellow", soft_wrap=True)

"""`stagebook accept`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json, Params, ParamsFile
from stagebook.cli.output import console, write_json
from stagebook.cli.request import request_of
from stagebook.project import Project
from stagebook.runs.accept import accept as accept_stages


def accept(
    pipeline: Annotated[str, typer.Argument(help="A name under pipelines/, or a path.")],
    stages: Annotated[list[str], typer.Argument(help="Stages: names, instances or globs.")],
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why they are good all the same.")
    ],
    params: Params = None,
    params_file: ParamsFile = None,
    as_json: Json = False,
) -> None:
    """Declare the outputs of stages good for the code as it is now, so that they do not run again."""
    with Project.open() as project:
        request = request_of(pipeline, params=params, params_file=params_file)
        done = accept_stages(project.preparer, project.launcher, request, stages, because)
    if as_json:
        write_json({"run": done.run, "accepted": list(done.stages)})
    else:
        console().print(f"✓ accepted: {', '.join(done.stages)}  (run {done.run})", soft_wrap=True)

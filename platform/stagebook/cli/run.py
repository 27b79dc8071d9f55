"""`stagebook run`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from stagebook.cli import options
from stagebook.cli.progress import run_and_show
from stagebook.cli.request import request_of
from stagebook.cli.sweep import sweep_and_show
from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.runs.request import RunRequest
from stagebook.system.processes import die_with_parent


def run(
    pipeline: options.Pipeline = None,
    stages: options.Stages = None,
    params: options.Params = None,
    params_file: options.ParamsFile = None,
    from_: options.From = None,
    only: options.Only = None,
    skip: options.Skip = None,
    jobs: options.Jobs = None,
    keep_going: Annotated[
        bool, typer.Option("-k", "--keep-going", help="After a failure, go on with what does not need it.")
    ] = False,
    debug: options.DebugOnFailure = False,
    keep_kernel: Annotated[
        bool, typer.Option("--keep-kernel", help="Leave the kernel of a stage that fails alive.")
    ] = False,
    force: options.Force = False,
    audit: options.Audit = False,
    verify: options.Verify = False,
    wait: options.Wait = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="A run for each of the values: -p 'depth=[2,4,8]'.")
    ] = False,
    most: options.MaxPoints = None,
    stop_when: options.StopWhen = None,
    interval: options.Interval = None,
    schedule: options.Schedule = None,
    run_id: options.RunId = None,
    parent: options.Parent = None,
    as_json: options.Json = False,
) -> int:
    """Run a pipeline, or some of its stages; stages that are up to date are reused."""
    request = request_of(
        pipeline,
        stages,
        params,
        params_file,
        from_,
        only,
        skip,
        force=force,
        audit=audit,
        verify=verify,
        jobs=jobs,
        keep_going=keep_going,
        keep_dump=debug,
        keep_kernel=keep_kernel,
        wait=wait,
        sweep=sweep,
        most=most,
        stop_when=stop_when,
        interval=interval,
        schedule=schedule,
        run_id=run_id,
        parent=parent,
    )
    return perform(request, as_json=as_json)


def perform(request: RunRequest, *, as_json: bool) -> int:
    """Run what is asked for, or sweep, and show it; the exit code."""
    if request.sweep:
        return sweep_and_show(request, as_json=as_json)
    if request.most is not None or request.stop_when is not None:
        raise UsageError("--max and --stop-when are for a sweep", hint="add --sweep")
    if request.parent:
        die_with_parent(os.getppid())
    with Project.open() as project:
        project.launcher.warm_up()
        return run_and_show(project, project.preparer.prepare(request), request, as_json=as_json)

"""The commands that begin, plan and run. Each one's work is in a module of its own, imported when it runs,
so that `--help` and light commands stay quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import (
    From,
    Jobs,
    Json,
    Keep,
    Most,
    Only,
    Params,
    ParamsFile,
    PastRun,
    Pipeline,
    Skip,
    Stages,
    StopWhen,
    Wait,
    app,
)
from stagebook.errors import UsageError


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where to make the project; made if it is not there.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Make a small working project: a pipeline of three notebooks, ready to run."""
    from stagebook.cli.init import init as command

    command(folder, as_json=as_json)


@app.command()
def check(
    pipeline: Pipeline = None, params: Params = None, params_file: ParamsFile = None, as_json: Json = False
) -> None:
    """Report every mistake of a pipeline (all pipelines if none is named), and run nothing."""
    from stagebook.cli.status import check as command

    command(pipeline, params or [], params_file or [], as_json=as_json)


@app.command()
def plan(
    pipeline: Pipeline = None,
    stages: Stages = None,
    params: Params = None,
    params_file: ParamsFile = None,
    from_: From = None,
    only: Only = None,
    skip: Skip = None,
    force: Annotated[
        bool, typer.Option("--force", help="As if the named stages (all, if none is) had to run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a run would do, stage by stage and why, and run nothing."""
    from stagebook.cli.status import plan as command
    from stagebook.cli.request import Request

    request = Request.of(pipeline, stages, params, params_file, from_, only, skip, force=force)
    command(request, as_json=as_json)


@app.command()
def run(
    pipeline: Pipeline = None,
    stages: Stages = None,
    params: Params = None,
    params_file: ParamsFile = None,
    from_: From = None,
    only: Only = None,
    skip: Skip = None,
    jobs: Jobs = None,
    keep_going: Annotated[
        bool, typer.Option("-k", "--keep-going", help="After a failure, go on with what does not need it.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug-on-failure", help="Of a stage that fails, keep a dump for 'stagebook debug'."),
    ] = False,
    keep_kernel: Annotated[
        bool, typer.Option("--keep-kernel", help="Leave the kernel of a stage that fails alive.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run the named stages (all, if none is) though nothing changed.")
    ] = False,
    wait: Wait = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="A run for each of the values: -p 'depth=[2,4,8]'.")
    ] = False,
    most: Most = None,
    stop_when: StopWhen = None,
    as_json: Json = False,
) -> None:
    """Run a pipeline, or some of its stages: what nothing changed for is reused."""
    from stagebook.cli.request import Request
    from stagebook.cli.progress import RunFlags
    from stagebook.cli.progress import run as command

    request = Request.of(pipeline, stages, params, params_file, from_, only, skip, force=force)
    flags = RunFlags(jobs=jobs, keep_going=keep_going, keep_dump=debug, keep_kernel=keep_kernel, wait=wait)
    if sweep:
        from stagebook.cli.sweep import sweep as sweep_command

        raise typer.Exit(sweep_command(request, flags, most=most, stop_when=stop_when, as_json=as_json))
    if most is not None or stop_when is not None:
        msg = "--max and --stop-when are for a sweep"
        raise UsageError(msg, hint="add --sweep")
    raise typer.Exit(command(request, flags, as_json=as_json))


@app.command()
def sweep(
    pipeline: Pipeline = None,
    stages: Stages = None,
    params: Params = None,
    params_file: ParamsFile = None,
    jobs: Jobs = None,
    wait: Wait = False,
    most: Most = None,
    stop_when: StopWhen = None,
    as_json: Json = False,
) -> None:
    """Run a pipeline once for each point of a grid of parameters: -p 'depth=[2,4,8]'."""
    from stagebook.cli.request import Request
    from stagebook.cli.progress import RunFlags
    from stagebook.cli.sweep import sweep as command

    request = Request.of(pipeline, stages, params, params_file, None, None, None)
    flags = RunFlags(jobs=jobs, wait=wait)
    raise typer.Exit(command(request, flags, most=most, stop_when=stop_when, as_json=as_json))


@app.command()
def resume(
    run: PastRun = "latest",
    keep: Keep = False,
    jobs: Jobs = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Do what is left of a run that failed, was cancelled or broke off, with the same parameters."""
    from stagebook.cli.progress import RunFlags
    from stagebook.cli.progress import resume as command

    raise typer.Exit(command(run, RunFlags(jobs=jobs, wait=wait), keep=keep, as_json=as_json))


@app.command()
def retry(
    run: PastRun = "latest",
    failed: Annotated[
        bool, typer.Option("--failed", help="What failed and what depends on it (the default).")
    ] = True,
    keep: Keep = False,
    jobs: Jobs = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Run again what failed in a run, and what depends on that."""
    from stagebook.cli.progress import RunFlags
    from stagebook.cli.progress import resume as command

    flags = RunFlags(jobs=jobs, wait=wait)
    raise typer.Exit(command(run, flags, keep=keep, failed_only=failed, as_json=as_json))


@app.command()
def cancel(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run, or a pipeline; may be left out where one run goes on.", show_default=False
        ),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="At once: stages get no time to end.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a run, whoever started it, and wait for its end."""
    from stagebook.cli.cancel import cancel as command

    raise typer.Exit(command(run, now=now, as_json=as_json))

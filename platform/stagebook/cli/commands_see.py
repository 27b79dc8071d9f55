"""The commands that look at what ran, and judge it. Each one's work is in a module of its own, imported when
it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import (
    Json,
    Params,
    ParamsFile,
    PastRun,
    Pipeline,
    app,
)


@app.command()
def why(
    pipeline: Pipeline = None,
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages: names, instances or globs.", show_default=False)
    ] = None,
    params: Params = None,
    params_file: ParamsFile = None,
    as_json: Json = False,
) -> None:
    """Name everything that changed for a stage since the result that it came to last."""
    from stagebook.cli.store import why as command

    command(pipeline, stages or [], params or [], params_file or [], as_json=as_json)


@app.command()
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
    from stagebook.cli.store import accept as command

    command(pipeline, stages, because, params or [], params_file or [], as_json=as_json)


store_app = typer.Typer(help="Look after the store of outputs.", no_args_is_help=True)
app.add_typer(store_app, name="store")


@store_app.command("gc")
def store_gc(
    days: Annotated[
        int | None,
        typer.Option(
            "--days", metavar="N", help="Keep results of the last N days (default: settings).", min=0
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Remove outputs that no result refers to any more."""
    from stagebook.cli.store import store_gc as command

    command(days, dry_run=dry_run, as_json=as_json)


@store_app.command("verify")
def store_verify(as_json: Json = False) -> None:
    """Read everything in the store, and remove what is damaged."""
    from stagebook.cli.store import store_verify as command

    raise typer.Exit(command(as_json=as_json))


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be put right.")] = False,
    check_store: Annotated[bool, typer.Option("--store", help="Read the whole store, too.")] = False,
    as_json: Json = False,
) -> None:
    """Look for damage in the project's state, and say or do what helps."""
    from stagebook.cli.store import doctor as command

    raise typer.Exit(command(repair=repair, check_store=check_store, as_json=as_json))


@app.command()
def status(
    pipeline: Pipeline = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3 if any stage would have to run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show each stage with what last became of it, and whether it is up to date."""
    from stagebook.cli.status import status as command

    raise typer.Exit(command(pipeline, check=check, as_json=as_json))


@app.command()
def runs(
    pipeline: Pipeline = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="How many.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the latest runs."""
    from stagebook.cli.status import runs as command

    command(pipeline, limit, as_json=as_json)


@app.command()
def logs(
    run: PastRun = "latest",
    stage: Annotated[
        str | None, typer.Argument(help="A stage; without it, what happened in the run.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the stage, or the run, has ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a stage printed, or the course of a run."""
    from stagebook.cli.status import logs as command

    command(run, stage, follow=follow, as_json=as_json)


@app.command()
def debug(
    run: PastRun,
    stage: Annotated[str, typer.Argument(help="A stage that failed with --debug-on-failure.")],
) -> None:
    """Open a debugger where a stage failed, with the variables that it had."""
    from stagebook.cli.kernels import debug as command

    command(run, stage)


@app.command()
def kernels(
    run: Annotated[str | None, typer.Argument(help="With --end: a run.", show_default=False)] = None,
    stage: Annotated[str | None, typer.Argument(help="With --end: a stage.", show_default=False)] = None,
    end: Annotated[bool, typer.Option("--end", help="End the kept kernel of a stage.")] = False,
    as_json: Json = False,
) -> None:
    """List the kernels that failed stages left alive, and how to get at them; or end one."""
    from stagebook.cli.kernels import end_kernel, list_kernels

    if end:
        end_kernel(run, stage, as_json=as_json)
    else:
        list_kernels(as_json=as_json)


@app.command()
def sync(as_json: Json = False) -> None:
    """Deliver to MLflow what could not be delivered before."""
    from stagebook.cli.mlflow import sync as command

    raise typer.Exit(command(as_json=as_json))


@app.command()
def ui(
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="A port of this machine (0: a free one).", min=0, max=65535),
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show the runs in MLflow, on this machine alone, until Ctrl-C."""
    from stagebook.cli.mlflow import ui as command

    raise typer.Exit(command(port, open_browser=open_browser, as_json=as_json))


@app.command()
def lab(
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="A port of this machine.", show_default=False)
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    more: Annotated[
        list[str] | None, typer.Argument(help="After --: options of JupyterLab.", show_default=False)
    ] = None,
) -> None:
    """Open JupyterLab on this project, on this machine alone, until Ctrl-C."""
    from stagebook.cli.lab import lab as command

    raise typer.Exit(command(port, open_browser=not no_browser, more=more or []))


@app.command()
def infer(
    notebooks: Annotated[
        list[str],
        typer.Argument(help="Notebooks, in the order in which they are to run.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write pipelines/NAME.yaml, not to the terminal.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Run loose notebooks once, and propose a pipeline of them from what they read and write."""
    from stagebook.cli.infer import infer as command

    raise typer.Exit(command(notebooks, output, force=force, as_json=as_json))

"""The commands and their options. Each one's work is in a module of its own, imported when it
runs, so that `--help` and light commands stay quick."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stagebook import __version__
from stagebook.errors import ExitCode, PipelineInvalid, StagebookError, UsageError

app = typer.Typer(
    name="stagebook",
    help="Pipelines of Jupyter notebooks that run truthfully and fast.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Pipeline = Annotated[
    str | None,
    typer.Argument(
        help="A name under pipelines/, or a path. May be left out where there is one.", show_default=False
    ),
]
Stages = Annotated[
    list[str] | None,
    typer.Argument(
        help="Run these stages and what they depend on: names, instances or globs.", show_default=False
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="A parameter, as YAML: -p 'months=[1,2]'.",
        show_default=False,
    ),
]
ParamsFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--params-file",
        metavar="FILE",
        help="A YAML file of parameters; -p wins over it.",
        show_default=False,
    ),
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from", metavar="STAGE", help="Only this stage and all that depends on it.", show_default=False
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STAGE", help="Only this stage.", show_default=False),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="STAGE", help="Not this stage.", show_default=False),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", metavar="N", help="Stages at a time (default: the CPU count).", show_default=False
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another run of the pipeline goes on.")]
Most = Annotated[
    int | None,
    typer.Option("--max", metavar="N", help="Run at most N points of a sweep.", min=1, show_default=False),
]
StopWhen = Annotated[
    str | None,
    typer.Option(
        "--stop-when",
        metavar="RULE",
        help="End a sweep once this holds: 'train.auc >= 0.9'.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stagebook {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    directory: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--directory",
            metavar="FOLDER",
            help="Work in the project of this folder.",
            show_default=False,
        ),
    ] = None,
    _show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version."),
    ] = False,
) -> None:
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            msg = f"cannot go to '{directory}': {error.strerror}"
            raise StagebookError(msg) from error


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where to make the project; made if it is not there.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Make a small working project: a pipeline of three notebooks, ready to run."""
    from stagebook.cli.starting import init as command

    command(folder, as_json=as_json)


@app.command()
def check(
    pipeline: Pipeline = None, params: Params = None, params_file: ParamsFile = None, as_json: Json = False
) -> None:
    """Report every mistake of a pipeline (all pipelines if none is named), and run nothing."""
    from stagebook.cli.looking import check as command

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
    from stagebook.cli.looking import plan as command
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
    from stagebook.cli.running import RunFlags
    from stagebook.cli.running import run as command

    request = Request.of(pipeline, stages, params, params_file, from_, only, skip, force=force)
    flags = RunFlags(jobs=jobs, keep_going=keep_going, keep_dump=debug, keep_kernel=keep_kernel, wait=wait)
    if sweep:
        from stagebook.cli.sweeping import sweep as sweep_command

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
    from stagebook.cli.running import RunFlags
    from stagebook.cli.sweeping import sweep as command

    request = Request.of(pipeline, stages, params, params_file, None, None, None)
    flags = RunFlags(jobs=jobs, wait=wait)
    raise typer.Exit(command(request, flags, most=most, stop_when=stop_when, as_json=as_json))


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")] = "latest",
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what was finished although it depends on what changed since.")
    ] = False,
    jobs: Jobs = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Do what is left of a run that failed, was cancelled or broke off, with the same parameters."""
    from stagebook.cli.running import RunFlags
    from stagebook.cli.running import resume as command

    raise typer.Exit(command(run, RunFlags(jobs=jobs, wait=wait), keep=keep, as_json=as_json))


@app.command()
def retry(
    run: Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")] = "latest",
    failed: Annotated[
        bool, typer.Option("--failed", help="What failed and what depends on it (the default).")
    ] = True,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what was finished although it depends on what changed since.")
    ] = False,
    jobs: Jobs = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Run again what failed in a run, and what depends on that."""
    from stagebook.cli.running import RunFlags
    from stagebook.cli.running import resume as command

    flags = RunFlags(jobs=jobs, wait=wait)
    raise typer.Exit(command(run, flags, keep=keep, failed_only=failed, as_json=as_json))


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
    from stagebook.cli.judging import why as command

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
    from stagebook.cli.judging import accept as command

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
    from stagebook.cli.judging import store_gc as command

    command(days, dry_run=dry_run, as_json=as_json)


@store_app.command("verify")
def store_verify(as_json: Json = False) -> None:
    """Read everything in the store, and remove what is damaged."""
    from stagebook.cli.judging import store_verify as command

    raise typer.Exit(command(as_json=as_json))


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be put right.")] = False,
    check_store: Annotated[bool, typer.Option("--store", help="Read the whole store, too.")] = False,
    as_json: Json = False,
) -> None:
    """Look for damage in the project's state, and say or do what helps."""
    from stagebook.cli.judging import doctor as command

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
    from stagebook.cli.looking import status as command

    raise typer.Exit(command(pipeline, check=check, as_json=as_json))


@app.command()
def runs(
    pipeline: Pipeline = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="How many.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the latest runs."""
    from stagebook.cli.looking import runs as command

    command(pipeline, limit, as_json=as_json)


@app.command()
def logs(
    run: Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")] = "latest",
    stage: Annotated[
        str | None, typer.Argument(help="A stage; without it, what happened in the run.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the stage, or the run, has ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a stage printed, or the course of a run."""
    from stagebook.cli.looking import logs as command

    command(run, stage, follow=follow, as_json=as_json)


@app.command()
def debug(
    run: Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")],
    stage: Annotated[str, typer.Argument(help="A stage that failed with --debug-on-failure.")],
) -> None:
    """Open a debugger where a stage failed, with the variables that it had."""
    from stagebook.cli.afterwards import debug as command

    command(run, stage)


@app.command()
def kernels(
    run: Annotated[str | None, typer.Argument(help="With --end: a run.", show_default=False)] = None,
    stage: Annotated[str | None, typer.Argument(help="With --end: a stage.", show_default=False)] = None,
    end: Annotated[bool, typer.Option("--end", help="End the kept kernel of a stage.")] = False,
    as_json: Json = False,
) -> None:
    """List the kernels that failed stages left alive, and how to get at them; or end one."""
    from stagebook.cli.afterwards import end_kernel, list_kernels

    if end:
        end_kernel(run, stage, as_json=as_json)
    else:
        list_kernels(as_json=as_json)


@app.command()
def sync(as_json: Json = False) -> None:
    """Deliver to MLflow what could not be delivered before."""
    from stagebook.cli.serving import sync as command

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
    from stagebook.cli.serving import ui as command

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
    from stagebook.cli.inferring import infer as command

    raise typer.Exit(command(notebooks, output, force=force, as_json=as_json))


def run_app() -> int:
    """Run the command that the arguments name; the exit code."""
    wants_json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)  # a command that raised typer.Exit returns its code here
    except StagebookError as error:
        return _report(error, wants_json=wants_json)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away, as `head` does: not an error, and nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _report(StagebookError(f"{error.strerror or error}{where}"), wants_json=wants_json)
    except Exception as error:
        show = getattr(error, "show", None)  # click's errors of usage
        if show is None:
            raise
        show()
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.OK


def _report(error: StagebookError, *, wants_json: bool) -> int:
    if wants_json:
        data: dict[str, object] = {"error": error.message, "hint": error.hint}
        if isinstance(error, PipelineInvalid):
            data["problems"] = [problem.to_json() for problem in error.problems]
        sys.stdout.write(json.dumps(data) + "\n")
        return error.exit_code
    from stagebook.cli.output import console
    from stagebook.views.render import problems

    out = console(stderr=True)
    if isinstance(error, PipelineInvalid):
        out.print(problems(error.problems), soft_wrap=True)  # a terminal wraps; a pipe keeps a line
    out.print(f"✗ {error.message}", style="bold red", soft_wrap=True)
    if error.hint:
        out.print(f"  {error.hint}", soft_wrap=True)
    return error.exit_code

"""The application: the table of its commands, and errors as text and exit codes."""

from __future__ import annotations

import gc
import importlib
import json
import keyword
import os
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from stagebook import __version__
from stagebook.cli.output import console, discard_output
from stagebook.errors import ExitCode, PipelineInvalid, StagebookError
from stagebook.system.this_process import name_command
from stagebook.views.problems import problem_list

# Name → (module of this package, help), in the order of the reference. The module's function of that name is the command.
COMMANDS = {
    "init": ("init", "Make a small working project: a pipeline of three notebooks, ready to run."),
    "check": ("check", "Report every mistake of a pipeline (of all, if none is named), and run nothing."),
    "plan": ("plan", "Show which stages would run, and why, and run nothing."),
    "run": ("run", "Run a pipeline, or some of its stages; stages that are up to date are reused."),
    "backfill": ("backfill", "Run a pipeline for the intervals of the past that lack something."),
    "sweep": ("sweep", "Run a pipeline once for each point of a grid of parameters: -p 'depth=[2,4,8]'."),
    "resume": ("resume", "Run what is left of a run that failed, was cancelled or was interrupted, with its parameters."),
    "retry": ("resume", "Run the failed stages of a run again, and the stages that depend on them."),
    "cancel": ("cancel", "Stop a run, whoever started it, and wait for its end."),
    "why": ("why", "Show everything that changed for a stage since its last result."),
    "accept": ("accept", "Declare the outputs of stages good for the code as it is now, so that they do not run again."),
    "doctor": ("doctor", "Look for damage in the project's state; repair it with --repair."),
    "status": ("status", "Show the last outcome of each stage, and what the next run would do."),
    "runs": ("runs", "List the latest runs."),
    "logs": ("logs", "Show what a stage printed, or what happened in a run."),
    "debug": ("debug", "Open a debugger where a stage failed, with the stage's variables."),
    "kernels": ("kernels", "List the kernels that failed stages left alive, and how to attach to them; or end one."),
    "sync": ("mlflow", "Deliver to MLflow the records that it did not take before."),
    "ui": ("mlflow", "Show the runs in MLflow, on this machine alone, until Ctrl-C."),
    "lab": ("lab", "Open JupyterLab on this project, on this machine alone, until Ctrl-C."),
    "test": ("test", "Test notebooks: run the tests of the project by pytest, or replay recorded runs; with coverage of cells."),
    "infer": ("infer", "Run loose notebooks once, and propose a pipeline of them from what they read and write."),
    "import": ("import_", "Take over pipelines of Ploomber, Elyra, DVC, papermill or Airflow as pipeline files; nothing of them is run."),
    "contract": ("contract", "Say what must hold of an output: draft it, test it on earlier versions, compare these."),
    "quarantine": ("quarantine", "Show rows that contracts keep out of what is published, release them, audit them again."),
    "monitor": ("monitor", "Show the figures of stages and their outputs over the runs: durations, bytes, rows, and what is unusual."),
    "metrics": (
        "metrics",
        "Show how much work is done, how often it breaks, and how fast changes reach production, from recorded facts.",
    ),
    "data": ("data", "Look at datasets: list, show, query by SQL, compare and restore their versions."),
    "bookmark": ("bookmark", "Show how far stages with a bookmark have read, and have them read again."),
    "note": ("note", "Write a note on a run, or on a stage of it; status, logs, JupyterLab and MLflow show it."),
    "incident": ("incident", "List and show incidents, acknowledge them, write notes on them, close them."),
    "notify": ("notify", "Try the rules for alerts, list what waits, or send it."),
    "connection": ("connection", "List the connections of the project, or try one."),
    "secrets": ("secrets", "List the secrets of the project, or try whether they can be had; values are never shown."),
    "store": ("store", "Look after the store of outputs, and the one that is shared with others."),
    "diff": ("diff", "Show what differs between two runs, environments, versions, releases, or the working tree."),
    "ci": ("ci", "Check a change, run what it changes, and compare that with what an environment shows; or write a workflow."),
    "scheduler": ("scheduler", "Run the schedules of all pipelines and environments, until Ctrl-C."),
    "check-expectations": (
        "check_expectations",
        "Say what is late, missing or overdue by what schedules expect; for any cron.",
    ),
    "schedule": ("schedule", "List schedules, show what fires next, pause, resume and trigger them."),
    "env": ("env", "List, show, make and remove environments: named places where results are published."),
    "release": ("release", "Bundle the pipelines with all their code, contracts and settings, by content."),
    "releases": ("releases", "List, show and compare releases."),
    "deploy": ("deploy", "Run a release beside what an environment shows, and then show that, all at once."),
    "promote": ("deploy", "Deploy to an environment what stands in another one: what came out there is taken, not computed again."),
    "approve": ("deploy", "Carry out a deployment that somebody proposed, or turn it down."),
    "rollback": ("deploy", "Show an earlier version of an environment again, with its code."),
}  # fmt: skip
# Under which title of `--help` a command stands.
GROUPS = {
    "Run": ("init", "check", "plan", "run", "sweep", "resume", "retry", "cancel", "accept"),
    "Look": ("status", "runs", "logs", "why", "diff", "note", "debug", "kernels", "sync", "ui", "lab", "doctor"),
    "By itself": ("scheduler", "schedule", "check-expectations", "backfill", "incident", "notify", "metrics"),
    "Data": ("data", "contract", "quarantine", "monitor", "bookmark", "connection", "secrets", "store"),
    "Change": (
        "infer", "import", "test", "ci", "env", "release", "releases", "deploy", "promote", "approve", "rollback",
    ),
}  # fmt: skip
_ENVIRONMENTLESS = {
    "init",
    "import",
    "lab",
    "test",
    "metrics",
    "env",
    "release",
    "releases",
    "deploy",
    "promote",
    "approve",
    "rollback",
    "diff",
    "ci",
    "scheduler",
    "schedule",
    "check-expectations",
}
# An error in the arguments. Newer typer has its own copy of click, so that `click.UsageError` need not be its base.
_ArgumentsInvalid = cast("type[typer.BadParameter]", typer.BadParameter.__base__)


def load(name: str) -> Any:
    """The command of that name as typer makes it. Imports its module."""
    module = importlib.import_module(f"stagebook.cli.{COMMANDS[name][0]}")
    gc.freeze()  # what is imported stays: collecting need not look at it again, a tenth of the time of planning many stages
    made = getattr(module, f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_"))
    if not isinstance(made, typer.Typer):
        command, made = made, typer.Typer(add_completion=False)
        made.command(name)(command)
    if name not in _ENVIRONMENTLESS:
        with_environment = importlib.import_module("stagebook.cli.options").with_environment
        for command in made.registered_commands:
            assert command.callback is not None
            command.callback = with_environment(command.callback)
    return typer.main.get_command(made)


class _LazyGroup(TyperGroup):
    """All commands. `--help` lists stand-ins, which have nothing but a help; the command that is invoked is
    imported."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for title, names in GROUPS.items():
            for name in names:
                self.add_command(TyperCommand(name, help=COMMANDS[name][1], rich_help_panel=title))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            name_command(sys.argv[1:])
        return name, load(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of a pipe went away, as `head` does: not an error, and nothing left to say.
            discard_output()
            return ExitCode.OK
        return code


app = typer.Typer(
    name="stagebook",
    cls=_LazyGroup,
    help="Pipelines of Jupyter notebooks that run truthfully and fast.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stagebook {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    directory: Annotated[
        Path | None,
        typer.Option("-C", "--directory", metavar="FOLDER", help="Work in the project of this folder."),
    ] = None,
    _show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, metavar="", help="Print the version."
        ),
    ] = False,
) -> None:
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise StagebookError(f"cannot go to '{directory}': {error.strerror}") from error


def run_app() -> int:
    """Run the command that the arguments name; the exit code."""
    wants_json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)  # what the command returns
    except StagebookError as error:
        return _report(error, wants_json=wants_json)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _report(StagebookError(f"{error.strerror or error}{where}"), wants_json=wants_json)
    except _ArgumentsInvalid as error:
        error.show()
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.OK


def _report(error: StagebookError, *, wants_json: bool) -> int:
    if wants_json:
        data: dict[str, object] = {"error": error.message, "hint": error.hint}
        if isinstance(error, PipelineInvalid):
            data["problems"] = [problem.to_json() for problem in error.problems]
        sys.stdout.write(json.dumps(data) + "\n")
        return error.exit_code
    out = console(stderr=True)
    if isinstance(error, PipelineInvalid):
        out.print(problem_list(error.problems), soft_wrap=True)  # a terminal wraps; a pipe keeps a line
    out.print(f"✗ {error.message}", style="bold red", soft_wrap=True)
    if error.hint:
        out.print(f"  {error.hint}", soft_wrap=True)
    return error.exit_code

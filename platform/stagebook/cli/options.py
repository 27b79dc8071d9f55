"""What all commands share: the application, and the options that several of them have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from stagebook import __version__
from stagebook.errors import StagebookError

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
PastRun = Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Keep what was finished although it depends on what changed since.")
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

"""The arguments and options that several commands have."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Pipeline = Annotated[
    str | None, typer.Argument(help="A name under pipelines/, or a path. May be left out where there is one.")
]
Stages = Annotated[
    list[str] | None,
    typer.Argument(help="Run these stages and what they depend on: names, instances or globs."),
]
PastRun = Annotated[str, typer.Argument(help="A run, the beginning of its id, or 'latest'.")]
KeepCompleted = Annotated[
    bool, typer.Option("--keep", help="Keep what completed, although something that it depends on changed.")
]
Params = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help="A parameter, as YAML: -p 'months=[1,2]'."),
]
ParamsFile = Annotated[
    list[Path] | None,
    typer.Option("--params-file", metavar="FILE", help="A YAML file of parameters; -p wins over it."),
]
From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="STAGE", help="Only this stage and the stages that depend on it."),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="STAGE", help="Only this stage.")]
Skip = Annotated[list[str] | None, typer.Option("--skip", metavar="STAGE", help="Not this stage.")]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", metavar="N", help="Stages at a time (default: the CPU count).")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Read every file, also those that look unchanged by size and times.")
]
Audit = Annotated[
    bool,
    typer.Option(
        "--audit",
        help="Audit what the named stages (all, if none is named) wrote again, without running them.",
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another run of the pipeline goes on.")]
Interval = Annotated[
    str | None,
    typer.Option(
        "--interval",
        metavar="INTERVAL",
        help="What the run is about: 2026-01-05, 2026-01, 2026-W02, or START..END (default: as its schedule says).",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option("--schedule", metavar="NAME", help="As this schedule of the pipeline asks for it."),
]
RunId = Annotated[
    str | None,
    typer.Option("--run-id", metavar="RUN", hidden=True, help="The id of the run; with it, it runs once."),
]
DebugOnFailure = Annotated[
    bool,
    typer.Option("--debug-on-failure", help="Keep a dump of each stage that fails, for 'stagebook debug'."),
]
Parent = Annotated[
    str | None,
    typer.Option("--parent", metavar="RUN", hidden=True, help="The run that it is a part of."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Run the named stages (all, if none is named) though nothing changed."),
]
MaxPoints = Annotated[
    int | None, typer.Option("--max", metavar="N", help="Run at most N points of a sweep.", min=1)
]
StopWhen = Annotated[
    str | None,
    typer.Option("--stop-when", metavar="RULE", help="End a sweep once this holds: 'train.auc >= 0.9'."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Environment = Annotated[
    str | None,
    typer.Option(
        "--env", metavar="NAME", help="In this environment (default: STAGEBOOK_ENV, or the working tree)."
    ),
]


def with_environment(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with the option `--env`, which chooses the environment that `Project.open` opens."""
    if hasattr(command, "__signature__"):
        return command  # it has it already

    @functools.wraps(command)
    def chosen(*arguments: Any, env: str | None = None, **options: Any) -> Any:
        if env is not None:
            os.environ["STAGEBOOK_ENV"] = env
        return command(*arguments, **options)

    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints.get(name, one.annotation))
        for name, one in inspect.signature(command).parameters.items()
    ]
    option = inspect.Parameter("env", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Environment)
    typed: Any = chosen  # typer reads the signature
    typed.__signature__ = inspect.Signature([*own, option])
    typed.__annotations__ = {**hints, "env": Environment}
    return chosen

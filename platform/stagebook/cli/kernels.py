"""`stagebook kernels`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import RunNotFound, UsageError
from stagebook.project import Project
from stagebook.runs.kept import end_kernel, kept_kernels
from stagebook.views import tables

_HINT = "stagebook kernels lists them"


def kernels(
    run: Annotated[str | None, typer.Argument(help="With --end: a run.")] = None,
    stage: Annotated[str | None, typer.Argument(help="With --end: a stage.")] = None,
    end: Annotated[bool, typer.Option("--end", help="End the kept kernel of a stage.")] = False,
    as_json: Json = False,
) -> None:
    """List the kernels that failed stages left alive, and how to attach to them; or end one."""
    if end:
        if run is None or stage is None:
            raise UsageError("--end needs a run and a stage", hint=_HINT)
        _end(run, stage, as_json=as_json)
        return
    kept = kept_kernels(Project.open().history)
    if as_json:
        found = [{"run": record.id, "stage": known.id, **(known.kernel or {})} for record, known in kept]
        write_json({"kernels": found})
        return
    out = console()
    if not kept:
        out.print("no kernel is kept; 'stagebook run --keep-kernel' keeps those of failed stages")
    for record, known in kept:
        out.print(tables.kept_kernel(record.id, known, time.time()), soft_wrap=True)


def _end(run: str, stage: str, *, as_json: bool) -> None:
    history = Project.open().history
    record = history.find(run)
    if not end_kernel(history, record, stage):
        msg = f"the stage '{stage}' of the run {record.id} has no kernel that is kept"
        raise RunNotFound(msg, hint=_HINT)
    if as_json:
        write_json({"ended": {"run": record.id, "stage": stage}})
    else:
        console().print(f"✓ the kernel of {stage} has ended")

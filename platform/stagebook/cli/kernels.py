"""What is looked at after a failure: `debug` and `kernels`."""

from __future__ import annotations

import sys
import time

from stagebook.cli.output import console, write_json
from stagebook.errors import RunNotFound, UsageError
from stagebook.project import Project
from stagebook.views import tables


def debug(run: str, stage: str) -> None:
    """Open a debugger on the dump of a failed stage."""
    project = Project.open()
    record = project.find_run(run)
    path = project.dump_of(record, stage)
    from stagebook.execution.kernels.postmortem import open_dump  # noqa: PLC0415 - only here

    if sys.stdin.isatty():
        console().print(
            "the frame where it failed; 'p NAME' shows a variable, 'u' goes up, 'q' ends", style="dim"
        )
    open_dump(path)


def list_kernels(*, as_json: bool) -> None:
    """List kept kernels that are there."""
    kept = Project.open().kept_kernels()
    if as_json:
        kernels = [{"run": run.id, "stage": stage.id, **(stage.kernel or {})} for run, stage in kept]
        write_json({"kernels": kernels})
        return
    out = console()
    if not kept:
        out.print("no kernel is kept; 'stagebook run --keep-kernel' leaves that of a failed stage alive")
    for run, stage in kept:
        out.print(tables.kept_kernel(run.id, stage, time.time()), soft_wrap=True)


def end_kernel(run: str | None, stage: str | None, *, as_json: bool) -> None:
    """End one kept kernel."""
    if run is None or stage is None:
        msg = "--end needs a run and a stage"
        raise UsageError(msg, hint="stagebook kernels lists them")
    project = Project.open()
    record = project.find_run(run)
    if not project.end_kernel(record, stage):
        msg = f"the stage '{stage}' of the run {record.id} has no kernel that is kept"
        raise RunNotFound(msg, hint="stagebook kernels lists them")
    if as_json:
        write_json({"ended": {"run": record.id, "stage": stage}})
    else:
        console().print(f"✓ the kernel of {stage} has ended")

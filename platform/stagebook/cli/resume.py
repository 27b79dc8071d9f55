"""`stagebook resume` and `stagebook retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.backfill import resume_backfill
from stagebook.cli.options import Jobs, Json, KeepCompleted, PastRun, Verify, Wait
from stagebook.cli.progress import run_and_show
from stagebook.cli.sweep import resume_and_show
from stagebook.project import Project
from stagebook.runs.request import RunRequest
from stagebook.runs.sweep import SweepRest


def resume(
    run: PastRun = "latest",
    keep: KeepCompleted = False,
    jobs: Jobs = None,
    verify: Verify = False,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Run what is left of a run that failed, was cancelled or was interrupted, with its parameters."""
    how = RunRequest(jobs=jobs, verify=verify, wait=wait)
    return _run_rest(run, how, keep=keep, failed_only=False, as_json=as_json)


def retry(
    run: PastRun = "latest",
    _failed: Annotated[bool, typer.Option("--failed", hidden=True, help="The default.")] = False,
    keep: KeepCompleted = False,
    jobs: Jobs = None,
    verify: Verify = False,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Run the failed stages of a run again, and the stages that depend on them."""
    how = RunRequest(jobs=jobs, verify=verify, wait=wait)
    return _run_rest(run, how, keep=keep, failed_only=True, as_json=as_json)


def _run_rest(run: str, how: RunRequest, *, keep: bool, failed_only: bool, as_json: bool) -> int:
    with Project.open() as project:
        project.launcher.warm_up()
        history = project.history
        record = history.find_unfinished() if run == "latest" else history.find(run)
        if record.kind == "sweep":
            rest = SweepRest(of=record, failed_only=failed_only, keep=keep)
            return resume_and_show(project, rest, how, as_json=as_json)
        if record.kind == "backfill":
            return resume_backfill(project, record, how, failed_only=failed_only, as_json=as_json)
        prepared = project.preparer.prepare_rest(
            record, failed_only=failed_only, keep=keep, verify=how.verify
        )
        return run_and_show(project, prepared, how, as_json=as_json)

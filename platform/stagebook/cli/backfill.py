"""`stagebook backfill`, and going on with one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console

from stagebook.cli.options import Force, Jobs, Json, Params, ParamsFile, Pipeline, Stages, Wait
from stagebook.cli.output import console, lenient, write_json, write_json_lines
from stagebook.cli.progress import EXIT_CODES, IntervalBar, show_cautions, show_tracking, tell_waiting
from stagebook.cli.request import request_of
from stagebook.errors import ExitCode, UsageError
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.model import Schedule
from stagebook.project import Project
from stagebook.runs.backfill import LACKING, BackfillPlan, BackfillRequest, State, plan_backfill
from stagebook.runs.backfilling import (
    BackfillHooks,
    BackfillReport,
    IntervalDone,
    rest_of_backfill,
)
from stagebook.runs.backfilling import (
    backfill as carry_out,
)
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.intervals import intervals_between, those_over
from stagebook.runs.request import RunRequest
from stagebook.timing.interval import Interval
from stagebook.timing.units import UNITS
from stagebook.views import backfill_tables
from stagebook.views.tracking_lines import tracking_fields


def backfill(
    pipeline: Pipeline = None,
    stages: Stages = None,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="TIME", help="The first interval: 2026-01, 2026-01-05, 2026-01-05T06."
        ),
    ] = "",
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The last interval (default: the last that is over).")
    ] = "",
    every: Annotated[
        str,
        typer.Option(
            "--every",
            metavar="UNIT",
            help=f"What an interval is: {', '.join(UNITS)} (default: as its schedule says).",
        ),
    ] = "",
    zone: Annotated[
        str,
        typer.Option(
            "--zone", metavar="ZONE", help="The time zone of its days (default: of its schedule, or UTC)."
        ),
    ] = "",
    missing: Annotated[bool, typer.Option("--missing", help="Those alone that never completed.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Those alone that failed last.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Those alone that would come to something else today.")
    ] = False,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="The latest interval first.")] = False,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", help="At most N intervals at a time.", min=1, max=64)
    ] = 1,
    params: Params = None,
    params_file: ParamsFile = None,
    force: Force = False,
    jobs: Jobs = None,
    wait: Wait = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> int:
    """Run a pipeline for the intervals of the past that lack something."""
    request = request_of(
        pipeline, stages, params, params_file, force=force, jobs=jobs, wait=wait, keep_going=True
    )
    states = {State.MISSING: missing, State.FAILED: failed, State.CHANGED: changed}
    which = frozenset(state for state, is_asked in states.items() if is_asked) or LACKING
    with Project.open() as project:
        asked = BackfillRequest(
            run=request,
            intervals=_over(intervals_between(start, end, every, zone, _schedules(project, pipeline))),
            which=which,
            newest_first=newest_first,
            parallel=parallel,
        )
        return _plan_and_run(project, asked, dry_run=dry_run, yes=yes, as_json=as_json)


def resume_backfill(
    project: Project, record: RunRecord, how: RunRequest, *, failed_only: bool, as_json: bool
) -> int:
    """Go on with a backfill; the exit code."""
    asked = rest_of_backfill(project.preparer, record, dataclasses.replace(how, keep_going=True))
    if failed_only:
        asked = dataclasses.replace(asked, which=frozenset({State.FAILED}))
    return _plan_and_run(project, asked, dry_run=False, yes=True, as_json=as_json, resumes=record.id)


def _over(intervals: Sequence[Interval]) -> Sequence[Interval]:
    """Those that are over, at present; that others are left out is told. Raises `UsageError` if none is."""
    found, left = those_over(intervals, dt.datetime.now(dt.UTC))
    if left:
        Console(stderr=True).print(backfill_tables.left_out(left), soft_wrap=True)
    return found


def _plan_and_run(
    project: Project, asked: BackfillRequest, *, dry_run: bool, yes: bool, as_json: bool, resumes: str = ""
) -> int:
    plan = plan_backfill(project.preparer, asked)
    out = console()
    if not as_json:
        out.print(backfill_tables.plan_table(plan))
        out.print()
        out.print(backfill_tables.summary(plan), soft_wrap=True)
    if dry_run or not plan.chosen:
        if as_json:
            write_json(plan.to_json())
        return ExitCode.OK
    if not yes and not _is_agreed(plan, as_json=as_json):
        return ExitCode.OK
    with _hooks(len(plan.chosen), as_json=as_json) as hooks:
        report = carry_out(project.preparer, project.launcher, plan, hooks, resumes=resumes)
    return _show(project, report, as_json=as_json)


def _schedules(project: Project, pipeline: str | None) -> list[Schedule]:
    return list(project.catalog.load(pipeline).pipeline.schedules.values())


def _is_agreed(plan: BackfillPlan, *, as_json: bool) -> bool:
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "nothing was run: nobody can be asked here", hint="--yes runs it, --dry-run only shows it"
        )
    return typer.confirm(f"run {len(plan.chosen)} of them?")


@contextlib.contextmanager
def _hooks(count: int, *, as_json: bool) -> Iterator[BackfillHooks]:
    """What is told while so many intervals run: a line for each that has ended, and in a terminal a bar below them."""
    out = console()
    run = LaunchHooks(waiting=tell_waiting, behind=out.is_terminal)
    if as_json:
        yield BackfillHooks(ended=lambda one: write_json_lines([_to_json(one)]), run=run)
        return
    with IntervalBar(out, count) as bar:

        def ended(one: IntervalDone) -> None:
            with lenient():
                out.print(backfill_tables.done_line(one), soft_wrap=True)
                bar.advance()

        yield BackfillHooks(ended=ended, run=run)


def _to_json(one: IntervalDone) -> dict[str, object]:
    told = {"status": str(one.status), "run": one.run, "message": one.message, "reused": one.reused}
    return {"type": "IntervalDone", **one.interval.to_json(), **told}


def _show(project: Project, report: BackfillReport, *, as_json: bool) -> int:
    with lenient():
        if as_json:
            version = report.version.version if report.version is not None else None
            head = {"type": "BackfillReport", "run": report.run, "status": str(report.status)}
            rest = {"left": report.left, "reason": report.reason, "version": version}
            write_json_lines(
                [{**head, **rest, "undelivered": report.undelivered, **tracking_fields(report.tracking)}]
            )
        else:
            out = console()
            out.print()
            for line in backfill_tables.report_lines(report):
                out.print(line, soft_wrap=True)
            show_cautions(out, project)
            show_tracking(out, report.tracking)
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)

"""`stagebook sweep`: the points as they come, and a table of them at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from stagebook.cli.output import console
from stagebook.cli.running import EXIT_CODES, tell_waiting, write_events
from stagebook.errors import ExitCode
from stagebook.events import Status
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.runs.grid import Point, SweepReport
from stagebook.runs.launcher import LaunchHooks
from stagebook.runs.request import RunRequest
from stagebook.runs.sweep import SweepHooks, resume_sweep
from stagebook.runs.sweep import sweep as run_sweep
from stagebook.views import reports
from stagebook.views.formatting import pairs


def sweep(request: RunRequest, *, as_json: bool) -> int:
    """Sweep and show it; the exit code."""
    out = console()
    with Project.open() as project:
        report = run_sweep(project.preparer, project.launcher, request, _hooks(out, as_json=as_json))
        return _say(out, project, report, as_json=as_json)


def resume(project: Project, record: RunRecord, how: RunRequest, *, as_json: bool) -> int:
    """Run the points that a sweep left, and show it; the exit code."""
    out = console()
    hooks = _hooks(out, as_json=as_json)
    report = resume_sweep(project.preparer, project.launcher, record, how, hooks)
    return _say(out, project, report, as_json=as_json)


def _hooks(out: Console, *, as_json: bool) -> SweepHooks:
    run = LaunchHooks(listeners=[write_events] if as_json else [], waiting=tell_waiting)
    if as_json:
        return SweepHooks(run=run)

    def told(at: int, of: int, params: Mapping[str, Any]) -> None:
        out.print(f"[{at}/{of}] {pairs(params, 100)}", markup=False)

    def ended(point: Point) -> None:
        out.print(reports.sweep_point(point), soft_wrap=True)

    return SweepHooks(told=told, ended=ended, run=run)


def _say(out: Console, project: Project, report: SweepReport, *, as_json: bool) -> int:
    if as_json:
        points = [
            {"params": dict(p.params), "run": p.run, "status": p.status, "metrics": dict(p.metrics)}
            for p in report.points
        ]
        summary = {
            "type": "SweepReport",
            "run": report.run,
            "status": report.status,
            "points": points,
            "left": report.left,
            "why": report.why,
            "undelivered": report.undelivered,
        }
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        out.print()
        out.print(reports.sweep_table(report))
        if report.status is not Status.COMPLETED:
            out.print()
            out.print(f"go on with   stagebook resume {report.run}", soft_wrap=True)
        if project.tracking_uri:
            out.print()
            out.print("compare in MLflow   stagebook ui")
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)

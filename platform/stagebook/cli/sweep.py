"""`stagebook sweep`: the points as they come, and a table of them at the end."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from stagebook.cli.output import console
from stagebook.cli.request import Request
from stagebook.cli.progress import EXIT_CODES, RunFlags, tell_waiting, write_events
from stagebook.errors import ExitCode
from stagebook.events import Status
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.runs.grid import Point, SweepReport
from stagebook.runs.sweep import SweepOptions, resume_sweep
from stagebook.runs.sweep import sweep as run_sweep
from stagebook.views import reports
from stagebook.views.formatting import pairs


def sweep(
    request: Request, flags: RunFlags, *, most: int | None, stop_when: str | None, as_json: bool
) -> int:
    """Sweep and show it; the exit code."""
    out = console()
    project = Project.open()
    report = run_sweep(
        project,
        request.pipeline,
        request.given,
        request.selection,
        _options(out, most, stop_when, as_json=as_json),
        listeners=[write_events] if as_json else [],
        waiting=tell_waiting,
        **dataclasses.asdict(flags),
    )
    return _say(out, project, report, as_json=as_json)


def resume(project: Project, record: RunRecord, flags: RunFlags, *, as_json: bool) -> int:
    """Run the points that a sweep left, and show it; the exit code."""
    out = console()
    report = resume_sweep(
        project,
        record,
        _options(out, None, None, as_json=as_json),
        listeners=[write_events] if as_json else [],
        waiting=tell_waiting,
        **dataclasses.asdict(flags),
    )
    return _say(out, project, report, as_json=as_json)


def _options(out: Console, most: int | None, stop_when: str | None, *, as_json: bool) -> SweepOptions:
    def told(at: int, of: int, params: Mapping[str, Any]) -> None:
        if not as_json:
            out.print(f"[{at}/{of}] {pairs(params, 100)}", markup=False)

    def ended(point: Point) -> None:
        if not as_json:
            out.print(reports.sweep_point(point), soft_wrap=True)

    return SweepOptions(most=most, stop_when=stop_when, told=told, ended=ended)


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
    project.close()
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)

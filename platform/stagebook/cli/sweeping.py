"""`stagebook sweep`: the points as they come, and a table of them at the end."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

from stagebook.cli.output import console
from stagebook.cli.request import Request
from stagebook.cli.running import EXIT_CODES, RunFlags, tell_waiting, write_events
from stagebook.errors import ExitCode
from stagebook.operations import sweep as run_sweep
from stagebook.project import Project
from stagebook.sweeping import Point
from stagebook.views import judged
from stagebook.views.text import pairs


def sweep(
    request: Request, flags: RunFlags, *, most: int | None, stop_when: str | None, as_json: bool
) -> int:
    """Sweep and show it; the exit code."""
    out = console()

    def told(at: int, of: int, params: Mapping[str, Any]) -> None:
        if not as_json:
            out.print(f"[{at}/{of}] {pairs(params, 100)}", markup=False)

    def ended(point: Point) -> None:
        if not as_json:
            out.print(judged.sweep_point(point), soft_wrap=True)

    project = Project.open()
    report = run_sweep(
        project,
        request.pipeline,
        request.given,
        request.selection,
        most=most,
        stop_when=stop_when,
        told=told,
        ended=ended,
        listeners=[write_events] if as_json else [],
        waiting=tell_waiting,
        **dataclasses.asdict(flags),
    )
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
        out.print(judged.sweep_table(report))
        if project.tracking_uri:
            out.print()
            out.print("compare in MLflow   stagebook ui")
    project.close()
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)

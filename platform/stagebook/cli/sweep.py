"""`stagebook sweep`, which `stagebook run --sweep` and `stagebook resume` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from stagebook.cli.options import (
    Interval,
    Jobs,
    Json,
    MaxPoints,
    Params,
    ParamsFile,
    Pipeline,
    Stages,
    StopWhen,
    Verify,
    Wait,
)
from stagebook.cli.output import console, lenient, write_json_lines
from stagebook.cli.progress import EXIT_CODES, show_cautions, show_tracking, tell_waiting, write_events
from stagebook.cli.request import request_of
from stagebook.errors import ExitCode
from stagebook.events import Status
from stagebook.project import Project
from stagebook.runs.grid import Point, SweepReport
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.request import RunRequest
from stagebook.runs.sweep import SweepHooks, SweepRest, resume_sweep
from stagebook.runs.sweep import sweep as run_sweep
from stagebook.views import reports
from stagebook.views.formatting import params as shown_params
from stagebook.views.tracking_lines import tracking_fields


def sweep(
    pipeline: Pipeline = None,
    stages: Stages = None,
    params: Params = None,
    params_file: ParamsFile = None,
    jobs: Jobs = None,
    verify: Verify = False,
    wait: Wait = False,
    most: MaxPoints = None,
    stop_when: StopWhen = None,
    interval: Interval = None,
    as_json: Json = False,
) -> int:
    """Run a pipeline once for each point of a grid of parameters: -p 'depth=[2,4,8]'."""
    request = request_of(
        pipeline,
        stages,
        params,
        params_file,
        jobs=jobs,
        verify=verify,
        wait=wait,
        sweep=True,
        most=most,
        stop_when=stop_when,
        interval=interval,
    )
    return sweep_and_show(request, as_json=as_json)


def sweep_and_show(request: RunRequest, *, as_json: bool) -> int:
    """Sweep and show the points; the exit code."""
    with Project.open() as project:
        report = run_sweep(project.preparer, project.launcher, request, _hooks(as_json=as_json))
        return _show(project, report, as_json=as_json)


def resume_and_show(project: Project, rest: SweepRest, how: RunRequest, *, as_json: bool) -> int:
    """Run what is left of a sweep, and show it; the exit code."""
    report = resume_sweep(project.preparer, project.launcher, rest, how, _hooks(as_json=as_json))
    return _show(project, report, as_json=as_json)


def _hooks(*, as_json: bool) -> SweepHooks:
    out = console()
    hooks = LaunchHooks(waiting=tell_waiting, behind=out.is_terminal)
    if as_json:
        return SweepHooks(run=dataclasses.replace(hooks, listeners=[write_events]))

    def told(at: int, of: int, params: Mapping[str, Any]) -> None:
        with lenient():
            out.print(f"[{at}/{of}] {shown_params(params, 100)}", markup=False)

    def ended(point: Point) -> None:
        with lenient():
            out.print(reports.sweep_point(point), soft_wrap=True)

    return SweepHooks(told=told, ended=ended, run=hooks)


def _show(project: Project, report: SweepReport, *, as_json: bool) -> int:
    with lenient():
        if as_json:
            points = [
                {"params": dict(p.params), "run": p.run, "status": p.status, "metrics": dict(p.metrics)}
                for p in report.points
            ]
            rest = {"left": report.left, "why": report.why, "undelivered": report.undelivered}
            head = {"type": "SweepReport", "run": report.run, "status": report.status}
            write_json_lines([{**head, "points": points, **rest, **tracking_fields(report.tracking)}])
        else:
            _show_table(project, report)
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)


def _show_table(project: Project, report: SweepReport) -> None:
    out = console()
    out.print()
    out.print(reports.sweep_table(report))
    if report.status is not Status.COMPLETED:
        out.print()
        out.print(f"go on with   stagebook resume {report.run}", soft_wrap=True)
    show_cautions(out, project)
    show_tracking(out, report.tracking)
    if project.tracking_uri:
        out.print()
        out.print("compare in MLflow   stagebook ui")

"""A run while it goes on, and what is told of it at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from stagebook.cli.event_lines import EventLines
from stagebook.cli.output import console, lenient, write_json_lines
from stagebook.errors import ExitCode, PipelineBusy
from stagebook.events import Event, Status
from stagebook.journal.history import RunHistory
from stagebook.project import Project
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.monitors import Series, unusual
from stagebook.runs.prepare import PreparedRun
from stagebook.runs.recorder import Listener
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport
from stagebook.runs.undeclared import remarks
from stagebook.tracking.state import TrackingState
from stagebook.views import tables
from stagebook.views.audit_lines import audit_lines
from stagebook.views.formatting import duration, plain, plural
from stagebook.views.monitor_tables import unusual_lines
from stagebook.views.sharing_lines import caution_lines, sharing_lines
from stagebook.views.tracking_lines import tracking_fields, tracking_lines

EXIT_CODES = {
    Status.COMPLETED: ExitCode.OK,
    Status.FAILED: ExitCode.STAGE_FAILED,
    Status.CANCELLED: ExitCode.INTERRUPTED,
}


def run_and_show(project: Project, prepared: PreparedRun, request: RunRequest, *, as_json: bool) -> int:
    """Run what was prepared and show it: as a live table, as lines where there is no terminal, or as JSON; the
    exit code."""
    out = console()
    live = LiveTable(out) if out.is_terminal and not as_json else None
    listener: Listener = live.take if live else write_events if as_json else EventLines().take
    try:
        hooks = LaunchHooks(
            listeners=[listener], waiting=tell_waiting, behind=out.is_terminal, parent=request.parent
        )
        report = project.launcher.run(prepared, request, hooks)
    finally:
        with lenient():
            if live is not None:
                live.stop()
    ran = {stage.id: report.run for stage in report.history.stages.values() if stage.attempt}
    found = unusual(project.history, prepared.plan.pipeline, project.settings.monitors, ran)
    with lenient():
        if as_json:
            names = ("run", "status", "undelivered")
            told = {name: getattr(report, name) for name in names}
            told["unusual"] = [one.to_json() for one in found]
            if report.shared is not None:
                told["shared"] = report.shared.to_json()
            write_json_lines([{"type": "RunReport", **told, **tracking_fields(report.tracking)}])
        else:
            _show_end(out, project, report, found)
    if found and project.settings.monitors.fail and report.status is Status.COMPLETED:
        return ExitCode.STAGE_FAILED
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)


def tell_waiting(busy: PipelineBusy) -> None:
    """Print which run a new run waits for."""
    what = "to see whether it is still there" if busy.unsure else "until it has ended"
    sys.stderr.write(plain(f"{busy.message}; waiting {what}") + "\n")
    sys.stderr.flush()


def write_events(events: Sequence[Event]) -> None:
    """Write events as lines of JSON."""
    write_json_lines(event.to_json() for event in events)


class LiveTable:
    """A table of the stages that changes in place; rich redraws it, so that times go on between events."""

    def __init__(self, out: Console) -> None:
        self._history = RunHistory()
        self._out = out
        self._live = Live(
            get_renderable=self._draw, console=out, refresh_per_second=5, vertical_overflow="crop"
        )
        self._live.start()

    def take(self, events: Sequence[Event]) -> None:
        """Take the next events."""
        for event in events:
            self._history.take(event)

    def stop(self) -> None:
        """Draw it once more, and leave it on the screen."""
        self._live.stop()

    def _draw(self) -> RenderableType:
        started = self._history.started
        if started is None:
            return Text("…")
        now = time.time()
        far = f"{self._history.done} of {plural(self._history.due, 'stage')} in {duration(now - started.at)}"
        where = f"  {far}, {started.jobs} at a time  "
        head = Text.assemble((started.pipeline, "bold"), where, (f"run {started.run}", "dim"))
        limit = max(5, self._out.height - 4)
        return Group(head, tables.progress_table(self._history, now, limit=limit))


class IntervalBar:
    """How many intervals have ended of a number, and about how long the others take: a bar at the end of what a terminal shows, gone
    when it closes; elsewhere nothing."""

    def __init__(self, out: Console, count: int) -> None:
        shown = (
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            "about",
            TimeRemainingColumn(),
            "left",
        )
        self._bar = Progress(*shown, console=out, transient=True, disable=not out.is_terminal)
        self._task = self._bar.add_task("intervals", total=count)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        with lenient():
            self._bar.stop()

    def advance(self) -> None:
        """One more has ended."""
        self._bar.advance(self._task)


def _show_end(out: Console, project: Project, report: RunReport, found: Sequence[Series]) -> None:
    history = report.history
    assert history.started is not None
    out.print()
    out.print(tables.run_summary(history, time.time()))
    for stage in history.stages.values():
        if stage.status is Status.FAILED:
            out.print()
            out.print(tables.failure(report.run, stage), soft_wrap=True)
    outputs = tables.produced(history)
    if report.status is not Status.COMPLETED:
        out.print()
        out.print(f"go on with   stagebook resume {report.run}", soft_wrap=True)
    elif outputs is not None:
        out.print()
        out.print(outputs)
    for line in _cautions(project, report, found):
        out.print(line, style="yellow", soft_wrap=True)
    out.print()
    if report.shared is not None:
        for line in sharing_lines(report.shared):
            out.print(line, style="yellow" if line.startswith("!") else "dim", soft_wrap=True)
    show_tracking(out, report.tracking)
    out.print(f"each stage   stagebook status {history.started.pipeline}")
    if project.tracking_uri:
        out.print("in MLflow    stagebook ui")


def show_tracking(out: Console, state: TrackingState) -> None:
    """Print how far MLflow has been told, where that is not all."""
    for line in tracking_lines(state):
        out.print(line, style="yellow" if line.startswith("!") else "dim", soft_wrap=True)


def show_cautions(out: Console, project: Project) -> None:
    """Print what went wrong with the shared store, if there is one."""
    shared = project.placement.shared(project.root, project.settings)
    for line in caution_lines(shared.cautions if shared is not None else ()):
        out.print(line, style="yellow", soft_wrap=True)


def _cautions(project: Project, report: RunReport, found: Sequence[Series]) -> Iterator[str]:
    """What contracts came to, figures that are unusual, and what was not declared."""
    for stage in report.history.stages.values():
        if stage.status.is_good:
            yield from (f"{stage.id}: {line}" for line in audit_lines(stage.audits))
    yield from (f"! {line}" for line in unusual_lines(found))
    yield from (f"! {text}" for text in _remarks(project, report))


def _remarks(project: Project, report: RunReport) -> list[str]:
    """Why results cannot be reused, and what stages that ran read or wrote and do not declare."""
    stages = report.history.stages.values()
    ran = {
        stage.id: stage.observed
        for stage in stages
        if stage.observed is not None and stage.status is Status.COMPLETED
    }
    undeclared = remarks(
        (stage for stage in report.plan.stages if stage.id in ran), ran, project.dependencies
    )
    own = [f"{stage.id}: {stage.remark}" for stage in stages if stage.remark]
    return own + [text for _, text in undeclared]

"""`stagebook run`: the live table, the plain lines, and what is said at the end."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from stagebook.cli.output import console
from stagebook.cli.request import Request
from stagebook.errors import ExitCode, PipelineBusy
from stagebook.events import Event, Status
from stagebook.journal.history import RunHistory
from stagebook.project import Ordered, Project
from stagebook.runs.run import Listener, RunReport
from stagebook.runs.undeclared import remarks
from stagebook.views import log_lines, tables

EXIT_CODES = {
    Status.COMPLETED: ExitCode.OK,
    Status.FAILED: ExitCode.STAGE_FAILED,
    Status.CANCELLED: ExitCode.INTERRUPTED,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunFlags:
    """The options of a run that are not about what to run."""

    jobs: int | None = None
    keep_going: bool = False
    keep_dump: bool = False
    keep_kernel: bool = False
    wait: bool = False


def run(request: Request, flags: RunFlags, *, as_json: bool) -> int:
    """Run and show it; the exit code."""
    project = Project.open()
    project.warm_up()
    try:
        ordered = project.order(request.pipeline, request.given, request.selection, forced=request.forced)
    except BaseException:
        project.close()  # what was warmed up is not needed
        raise
    return _run(project, ordered, flags, as_json=as_json)


def resume(
    run_id: str, flags: RunFlags, *, keep: bool = False, failed_only: bool = False, as_json: bool
) -> int:
    """Do what is left of a run, and show it; the exit code."""
    project = Project.open()
    project.warm_up()
    try:
        record = project.find_run_to_resume() if run_id == "latest" else project.find_run(run_id)
        if record.kind == "sweep":
            from stagebook.cli.sweeping import resume as resume_sweep  # noqa: PLC0415 - only then

            return resume_sweep(project, record, flags, as_json=as_json)
        ordered = project.order_rest(record, failed_only=failed_only, keep=keep)
    except BaseException:
        project.close()
        raise
    return _run(project, ordered, flags, as_json=as_json)


def _run(project: Project, ordered: Ordered, flags: RunFlags, *, as_json: bool) -> int:
    out = console()
    listener: Listener
    live: LiveTable | None = None
    if as_json:
        listener = write_events
    elif out.is_terminal:
        live = LiveTable(out)
        listener = live.take
    else:
        listener = Lines().take
    try:
        report = project.run_planned(
            ordered, listeners=[listener], waiting=tell_waiting, **dataclasses.asdict(flags)
        )
    finally:
        if live is not None:
            live.stop()
    if not as_json:
        _say(out, project, report)
    else:
        summary = {
            "type": "RunReport",
            "run": report.run,
            "status": report.status,
            "undelivered": report.undelivered,
        }
        sys.stdout.write(json.dumps(summary) + "\n")
    project.close()
    return EXIT_CODES.get(report.status, ExitCode.STAGE_FAILED)


def tell_waiting(busy: PipelineBusy) -> None:
    """Say whom a run waits for."""
    what = "to see whether it is still there" if busy.unsure else "until it has ended"
    sys.stderr.write(f"{busy.message}; waiting {what}\n")
    sys.stderr.flush()


def write_events(events: Sequence[Event]) -> None:
    """Write events as lines of JSON."""
    for event in events:
        sys.stdout.write(json.dumps(event.to_json()) + "\n")
    sys.stdout.flush()


class Lines:
    """A line for each thing that happens."""

    def __init__(self) -> None:
        self._history = RunHistory()

    def take(self, events: Sequence[Event]) -> None:
        """Take what happened."""
        for event in events:
            self._history.take(event)
            for line in log_lines.lines_of(event, self._history):
                sys.stdout.write(line + "\n")
        sys.stdout.flush()


class LiveTable:
    """A table that changes in place; rich redraws it, so that times go on between events."""

    def __init__(self, out: Console) -> None:
        self._history = RunHistory()
        self._out = out
        self._live = Live(
            get_renderable=self._draw,
            console=out,
            refresh_per_second=5,
            transient=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def take(self, events: Sequence[Event]) -> None:
        """Take what happened."""
        for event in events:
            self._history.take(event)

    def stop(self) -> None:
        """Leave it as it is."""
        self._live.stop()

    def _draw(self) -> RenderableType:
        started = self._history.started
        if started is None:
            return Text("…")
        now = time.time()
        head = Text.assemble(
            (started.pipeline, "bold"), f"  run {started.run}, {started.jobs} at a time", style=""
        )
        return Group(head, tables.progress_table(self._history, now, limit=max(5, self._out.height - 4)))


def _say(out: Console, project: Project, report: RunReport) -> None:
    history = report.history
    out.print()
    out.print(tables.run_summary(history, time.time()))
    failed = [stage for stage in history.stages.values() if stage.status is Status.FAILED]
    for stage in failed:
        out.print()
        out.print(tables.failure(report.run, stage), soft_wrap=True)
    assert history.started is not None
    pipeline = history.started.pipeline
    made = tables.produced(history)
    if report.status is Status.COMPLETED and made is not None:
        out.print()
        out.print(made)
    elif report.status is not Status.COMPLETED:
        out.print()
        out.print(f"go on with   stagebook resume {report.run}", soft_wrap=True)
    for stage in history.stages.values():
        if stage.remark:
            out.print(f"! {stage.id}: {stage.remark}", style="yellow", soft_wrap=True)
    ran = {
        stage.id: stage.observed
        for stage in history.stages.values()
        if stage.observed is not None and stage.status is Status.COMPLETED
    }
    for _, text in remarks(
        (stage for stage in report.plan.stages if stage.id in ran), ran, project.dependencies
    ):
        out.print(f"! {text}", style="yellow", soft_wrap=True)
    out.print()
    if report.undelivered:
        out.print(
            f"! MLflow at {project.tracking_uri} did not take {report.undelivered} records; they are kept,"
            " and 'stagebook sync' delivers them.",
            style="yellow",
            soft_wrap=True,
        )
    out.print(f"each stage   stagebook status {pipeline}")
    if project.tracking_uri:
        out.print("in MLflow    stagebook ui")

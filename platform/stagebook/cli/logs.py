"""`stagebook logs`: what a stage printed or what happened in a run, afterwards or, with `-f`, while it happens."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.event_lines import EventLines
from stagebook.cli.options import Json, PastRun
from stagebook.cli.output import write_json
from stagebook.errors import RunNotFound, UsageError, did_you_mean
from stagebook.events import Event, RunEnded
from stagebook.execution.attempt import LOG_FILE
from stagebook.journal.history import RunHistory, StageRecord
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.views.formatting import plain

POLL = 0.2  # seconds between two looks at a run that goes on


def logs(
    run: PastRun = "latest",
    stage: Annotated[
        str | None, typer.Argument(help="A stage; without it, what happened in the run.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the stage, or the run, has ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a stage printed, or what happened in a run."""
    if follow and as_json:
        msg = "--follow and --json do not go together"
        raise UsageError(msg, hint="a run tells its events itself: stagebook run --json")
    project = Project.open()
    record = project.history.find(run)
    if follow and stage is not None:
        _follow_stage(project, record, stage)
    elif follow:
        _follow_run(project, record)
    elif stage is not None:
        _show_stage(project, record, stage, as_json=as_json)
    else:
        events = [event for _, event in project.journal.events.of(record.id)]
        if as_json:
            write_json({"run": record.id, "events": [event.to_json() for event in events]})
        else:
            EventLines().take(events)


def _show_stage(project: Project, run: RunRecord, stage: str, *, as_json: bool) -> None:
    known = project.history.stage(run, stage)
    path = project.root / known.folder / LOG_FILE
    if not known.folder or not path.is_file():
        msg = f"the stage '{stage}' printed nothing in the run {run.id}: it is {known.status}"
        raise RunNotFound(msg, hint=known.reason or known.message)
    content = path.read_text(encoding="utf-8", errors="replace")
    if as_json:
        write_json({"run": run.id, "stage": stage, "attempt": known.attempt, "log": content})
    else:
        sys.stdout.write(plain(content) if sys.stdout.isatty() else content)


def _follow_run(project: Project, run: RunRecord) -> None:
    lines = EventLines()
    for events in _new_events(project, run):
        lines.take(events)


def _follow_stage(project: Project, run: RunRecord, stage: str) -> None:
    """Show what a stage prints until it has ended, over all of its attempts."""
    history = RunHistory()
    tail = _Tail(project.root)
    for events in _new_events(project, run):
        for event in events:
            history.take(event)
        if stage not in history.stages:
            msg = f"the run {run.id} has no stage '{stage}'"
            raise RunNotFound(msg, hint=did_you_mean(stage, history.stages))
        tail.show(history.stages[stage])
        if history.stages[stage].status.is_final:
            return


def _new_events(project: Project, run: RunRecord) -> Iterator[list[Event]]:
    """The events of a run as another process records them, until the run has ended."""
    seq = 0
    while True:
        found = list(project.journal.events.of(run.id, after=seq))
        seq = found[-1][0] if found else seq
        yield [event for _, event in found]
        if any(isinstance(event, RunEnded) for _, event in found):
            return
        project.history.close_abandoned()  # a run whose process vanished ends by this
        time.sleep(POLL)


class _Tail:
    """Prints the log of a stage as it grows; each attempt has a log of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = ""

    def show(self, record: StageRecord) -> None:
        """Print what was added since the last call."""
        if record.folder != self._folder:
            self._folder, self._at = record.folder, 0
            # Keeps the bytes of a character whose end is not written yet.
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        path = self._root / record.folder / LOG_FILE
        if not record.folder or not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._at)
            while data := file.read(1 << 20):
                text = self._decoder.decode(data)
                self._at += len(data)
                sys.stdout.write(plain(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()

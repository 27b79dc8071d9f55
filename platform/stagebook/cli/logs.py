"""`stagebook logs -f`: what a stage prints, or how a run goes, while it happens."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stagebook.errors import RunNotFound, did_you_mean
from stagebook.execution.attempt import LOG_FILE
from stagebook.journal.history import RunHistory, StageRecord
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.views import log_lines, tables

EVERY = 0.2  # seconds between two looks


class _Watch:
    """A run's events as they are written, from another process."""

    def __init__(self, project: Project, run: RunRecord) -> None:
        self._project = project
        self._run = run
        self._seq = 0
        self.history = RunHistory()

    def look(self, *, show: bool) -> None:
        """Take what is new."""
        for seq, event in self._project.journal.events(self._run.id, after=self._seq):
            self._seq = seq
            self.history.take(event)
            if show:
                for line in log_lines.lines_of(event, self.history):
                    sys.stdout.write(line + "\n")
        sys.stdout.flush()

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more; a run whose process vanished is closed here."""
        if self.history.ended is None:
            self._project.close_ghosts()
        return self.history.ended is not None


def follow_run(project: Project, run: RunRecord) -> None:
    """Show the course of a run until it has ended."""
    watch = _Watch(project, run)
    watch.look(show=True)
    while not watch.is_over:
        time.sleep(EVERY)
        watch.look(show=True)


def follow_stage(project: Project, run: RunRecord, stage: str) -> None:
    """Show what a stage prints until it has ended, over all of its attempts."""
    watch = _Watch(project, run)
    watch.look(show=False)
    if stage not in watch.history.stages:
        msg = f"the run {run.id} has no stage '{stage}'"
        raise RunNotFound(msg, hint=did_you_mean(stage, watch.history.stages))
    tail = _Tail(project.root)
    while True:
        over = watch.is_over
        watch.look(show=False)
        record = watch.history.stages[stage]
        tail.show(record)
        if record.status.is_final or over:
            tail.show(record)
            return
        time.sleep(EVERY)


def _decoder() -> Callable[[bytes], str]:
    """A character whose end is not written yet waits for it."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode


class _Tail:
    """The log of a stage; a new attempt begins a new one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = ""
        self._at = 0
        self._decode = _decoder()

    def show(self, record: StageRecord) -> None:
        """Write what is new in it."""
        if record.folder != self._folder:
            self._folder, self._at, self._decode = record.folder, 0, _decoder()
        path = self._root / record.folder / LOG_FILE
        if not record.folder or not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._at)
            while data := file.read(1 << 20):
                text = self._decode(data)
                self._at += len(data)
                sys.stdout.write(tables.plain(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()

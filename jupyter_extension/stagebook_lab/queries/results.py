"""What runs came to: the numbers that their stages left, the statuses of these, and the attempts of each."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from stagebook.events import AttemptEnded, AttemptStarted, Event, RunEnded
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.runs.grid import metrics_of
from stagebook.statuses import Status
from stagebook_lab import wire

MAX_RESULTS = 5_000  # that are remembered


class Results:
    """What runs came to. What a run that has ended came to does not change: it is read once, and remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[Path, str], wire.RunResult] = {}

    def of(self, project: Project, runs: Sequence[RunRecord]) -> dict[str, wire.RunResult]:
        """The results of runs, by their ids. Raises `JournalUnreadable`."""
        return {run.id: self._of(project, run) for run in runs}

    def _of(self, project: Project, run: RunRecord) -> wire.RunResult:
        key = (project.root, run.id)
        known = self._found.get(key)
        if known is None:
            history = RunHistory(project.journal.timeline.results_of(run.id))
            known = _result(history)
            if run.ended is not None:
                self._remember(key, known)
        return known

    def _remember(self, key: tuple[Path, str], result: wire.RunResult) -> None:
        with self._lock:
            while len(self._found) >= MAX_RESULTS:
                del self._found[next(iter(self._found))]
            self._found[key] = result


def _result(history: RunHistory) -> wire.RunResult:
    stages = history.stages.values()
    return wire.RunResult(
        metrics=metrics_of(history),
        statuses=dict(collections.Counter(str(stage.status) for stage in stages)),
        reused=tuple(stage.id for stage in stages if stage.status is Status.REUSED),
    )


def attempts_of(events: Iterable[Event]) -> dict[str, tuple[wire.AttemptInfo, ...]]:
    """The attempts of each stage of a run, in their order."""
    found: dict[str, dict[int, wire.AttemptInfo]] = {}
    for event in events:
        if isinstance(event, AttemptStarted):
            found.setdefault(event.stage, {})[event.attempt] = wire.AttemptInfo(
                attempt=event.attempt, started=event.at, ended=None, cause="", message=""
            )
        elif isinstance(event, AttemptEnded):
            _end(found.get(event.stage, {}), event)
        elif isinstance(event, RunEnded):
            for attempts in found.values():
                _close(attempts, event.at)
    return {stage: tuple(attempts.values()) for stage, attempts in found.items()}


def _end(attempts: dict[int, wire.AttemptInfo], event: AttemptEnded) -> None:
    begun = attempts.get(event.attempt)
    if begun is not None:
        cause = str(event.cause) if event.cause else ""
        attempts[event.attempt] = dataclasses.replace(
            begun, ended=event.at, cause=cause, message=event.message
        )


def _close(attempts: dict[int, wire.AttemptInfo], at: float) -> None:
    """What did not end before its run was ended with it."""
    for number, attempt in attempts.items():
        if attempt.ended is None:
            attempts[number] = dataclasses.replace(attempt, ended=at, cause="interrupted")

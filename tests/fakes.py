"""Fakes: an engine that executes nothing, and a clock that only it moves.

The engine suite in `tests/engines` holds the fake and the local engine to the same promises.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from stagebook.events import Cause, CellStarted
from stagebook.execution.attempt import Attempt, AttemptResult
from stagebook.execution.engine.protocol import Ended, Progress, Report
from stagebook.system.files import describe_path

Script = Callable[[Attempt], tuple[float, AttemptResult]]


class FakeClock:
    """Time that moves when told to."""

    def __init__(self, start: float = 1_000_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


def succeed(_attempt: Attempt) -> tuple[float, AttemptResult]:
    """Every attempt takes a second and completes."""
    return 1.0, AttemptResult(seconds=1.0)


class FakeEngine:
    """Executes attempts by a script that says how long each takes and what becomes of it. Waiting
    moves the clock instead of sleeping. With `writes`, declared outputs are written."""

    def __init__(self, clock: FakeClock, script: Script = succeed, *, writes: bool = False) -> None:
        self.clock = clock
        self.script = script
        self.writes = writes
        self.started: list[Attempt] = []
        self.cancelled: list[tuple[str, bool]] = []
        self.closed = False
        self.most_at_once = 0
        self.on_wait: Callable[[], None] | None = None
        self._running: dict[str, tuple[Attempt, AttemptResult]] = {}
        self._ends: list[tuple[float, int, str, int]] = []
        self._reports: list[Report] = []
        self._woken = False

    def start(self, attempt: Attempt) -> None:
        assert not self.closed
        assert attempt.stage not in self._running, "a stage was started twice at a time"
        self.started.append(attempt)
        seconds, result = self.script(attempt)
        if attempt.timeout is not None and seconds > attempt.timeout:
            seconds = attempt.timeout
            result = AttemptResult(
                cause=Cause.TIMEOUT, message=f"not done after {seconds:g} s", seconds=seconds
            )
        if self.writes and result.cause is None:
            result = self._write(attempt, result)
        self._running[attempt.stage] = (attempt, result)
        self.most_at_once = max(self.most_at_once, len(self._running))
        heapq.heappush(
            self._ends, (self.clock.now + seconds, len(self.started), attempt.stage, attempt.number)
        )
        event = CellStarted(
            run=attempt.run, at=self.clock.now, stage=attempt.stage, attempt=attempt.number, cell=1, cells=1
        )
        self._reports.append(Progress(event=event))

    def wait(self, timeout: float | None) -> Sequence[Report]:
        if self.on_wait is not None:
            self.on_wait()
        if self._reports or self._woken:
            self._woken = False
            reports, self._reports = self._reports, []
            return reports
        until = None if timeout is None else self.clock.now + timeout
        while self._ends and (until is None or self._ends[0][0] <= until):
            at, _, stage, number = heapq.heappop(self._ends)
            running = self._running.get(stage)
            if running is None or running[0].number != number:
                continue
            self.clock.now = max(self.clock.now, at)
            del self._running[stage]
            return [Ended(stage=stage, attempt=number, result=running[1])]
        assert until is not None, "the runner waits for ever"
        self.clock.now = until
        return []

    def cancel(self, stage: str, *, now: bool = False) -> None:
        self.cancelled.append((stage, now))
        running = self._running.pop(stage, None)
        if running is not None:
            result = AttemptResult(cause=Cause.CANCELLED, message="cancelled")
            self._reports.append(Ended(stage=stage, attempt=running[0].number, result=result))

    def wake(self) -> None:
        self._woken = True

    def close(self) -> None:
        self._running.clear()
        self.closed = True

    def _write(self, attempt: Attempt, result: AttemptResult) -> AttemptResult:
        root = Path(attempt.root)
        outputs = {}
        for name, slot in attempt.outputs.items():
            path = root / slot.staged
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(attempt.values, sort_keys=True))
            outputs[name] = describe_path(path, slot.path)
        return dataclasses.replace(result, outputs=outputs)

"""What the runner tells: events, gathered until they are handed on together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.events import (
    AttemptEnded,
    AttemptFrozen,
    AttemptProgress,
    CellEnded,
    CellStarted,
    CellStatus,
    Event,
    OutputWritten,
    StageReused,
)
from stagebook.execution.engine.attempt import Result
from stagebook.execution.engine.protocol import Progress
from stagebook.planning import result as results
from stagebook.planning.plan import PlannedStage

# What a worker tells, as events.
_PROGRESS: dict[str, type[Event]] = {
    "cell_started": CellStarted,
    "cell_ended": CellEnded,
    "output": OutputWritten,
    "progress": AttemptProgress,
    "frozen": AttemptFrozen,
}


class Notes:
    """Events of one run. `expected`: seconds that stages took before, by stage."""

    def __init__(
        self,
        *,
        run: str,
        clock: Callable[[], float],
        emit: Callable[[list[Event]], None],
        expected: Mapping[str, float],
    ) -> None:
        self._run = run
        self._clock = clock
        self._emit = emit
        self._expected = expected
        self._events: list[Event] = []

    def note(self, kind: type[Event], **values: Any) -> None:
        """Something happened now."""
        self._events.append(kind(run=self._run, at=self._clock(), **values))

    def flush(self) -> None:
        """Hand on what was noted."""
        if self._events:
            events, self._events = self._events, []
            self._emit(events)

    def progress(self, report: Progress) -> None:
        """What an attempt tells while it goes on; what nobody knows is left out."""
        data = dict(report.data)
        kind = _PROGRESS.get(data.pop("kind", ""))
        if kind is None:
            return
        known = {field.name for field in dataclasses.fields(kind)}
        data = {name: value for name, value in data.items() if name in known}
        if kind is CellEnded:
            data["status"] = CellStatus(data["status"])
        elif kind is AttemptProgress:
            data["expected"] = self._expected.get(report.stage)
        common: dict[str, Any] = {"run": self._run, "stage": report.stage, "attempt": report.attempt}
        self._events.append(kind(at=report.at, **common, **data))

    def reused(self, stage: PlannedStage, result: results.Result, restored: Sequence[str]) -> None:
        """A stage took a result that is there already."""
        self.note(
            StageReused,
            stage=stage.id,
            of_run=result.run,
            of_attempt=result.attempt,
            folder=result.folder,
            number=result.number,
            restored=list(restored),
            scraps=result.scraps,
            outputs={
                name: item.at(stage.outputs[name].path)
                for name, item in result.outputs.items()
                if name in stage.outputs
            },
        )

    def attempt_ended(
        self, stage: str, number: int, result: Result, folder: str, remark: str, known: Mapping[str, Any]
    ) -> None:
        """How an attempt ended. `known`: what makes its result one that can be reused."""
        self.note(
            AttemptEnded,
            stage=stage,
            attempt=number,
            seconds=result.seconds,
            cause=result.cause,
            message=result.message,
            cell=result.cell,
            cells=result.cells,
            traceback=result.traceback,
            cpu=result.cpu,
            memory=result.memory,
            dump=result.dump,
            kernel=result.kernel,
            scraps=result.scraps,
            inputs=result.inputs,
            outputs=result.outputs,
            folder=folder,
            remark=f"not reused later, since {remark} while it ran" if remark else "",
            observed=result.observed,
            **known,
        )

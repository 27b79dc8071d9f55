"""The events of a run, gathered until they are handed on together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.events import AttemptEnded, AttemptEvent, AttemptProgress, Event, StageReused
from stagebook.execution.attempt import AttemptResult
from stagebook.planning import result as results
from stagebook.planning.plan import PlannedStage


class EventBuffer:
    """The events of one run. `expected`: how many seconds each stage took in earlier runs."""

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

    def add(self, kind: type[Event], **values: Any) -> None:
        """Add an event that happens now."""
        self._events.append(kind(run=self._run, at=self._clock(), **values))

    def flush(self) -> None:
        """Hand on what was added since the last time."""
        if self._events:
            events, self._events = self._events, []
            self._emit(events)

    def progress(self, event: AttemptEvent) -> None:
        """Add an event of an attempt that goes on."""
        if isinstance(event, AttemptProgress):
            event = dataclasses.replace(event, expected=self._expected.get(event.stage))
        self._events.append(event)

    def reused(self, stage: PlannedStage, result: results.Result, restored: Sequence[str]) -> None:
        """Add that a stage took an earlier result."""
        self.add(
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
        self,
        stage: str,
        number: int,
        result: AttemptResult,
        folder: str,
        remark: str,
        reusable: Mapping[str, Any],
    ) -> None:
        """Add how an attempt ended. `remark`: what changed while it ran, if anything. `reusable`: the fields of
        `AttemptEnded` by which a later run can reuse the result, empty where none may."""
        self.add(
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
            **reusable,
        )

"""The events of a run, gathered until they are handed on together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.events import AttemptEnded, AttemptEvent, AttemptProgress, Event, StageReused
from stagebook.execution.attempt import AttemptResult
from stagebook.planning.plan import PlannedStage
from stagebook.planning.result import Result, result_to_json


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

    def reused(
        self, stage: PlannedStage, result: Result, restored: Sequence[str], *, remark: str = ""
    ) -> None:
        """Add that a stage took an earlier result."""
        known = {name: item for name, item in result.outputs.items() if name in stage.outputs}
        self.add(
            StageReused,
            stage=stage.id,
            of_run=result.run,
            of_attempt=result.attempt,
            folder=result.folder,
            number=result.number,
            restored=list(restored),
            scraps=result.scraps,
            outputs={name: item.at(stage.outputs[name].path) for name, item in known.items()},
            remark=remark,
            audits={name: audit for name, audit in result.audits.items() if name in stage.outputs},
            source=result.source,
            taken=result_to_json(result) if result.source and not result.number else {},
        )

    def attempt_ended(self, stage: str, number: int, result: AttemptResult, **more: Any) -> None:
        """Add how an attempt ended. `more`: the fields of `AttemptEnded` that its result does not have."""
        told = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        self.add(AttemptEnded, stage=stage, attempt=number, **told, **more)

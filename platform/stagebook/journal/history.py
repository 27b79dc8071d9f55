"""What the events of a run add up to: each stage with its status, attempts, times and results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.artifact import Artifacts, artifacts_to_json
from stagebook.events import (
    AttemptEnded,
    AttemptFrozen,
    AttemptProgress,
    AttemptStarted,
    CellEnded,
    CellStarted,
    Event,
    OutputWritten,
    RunEnded,
    RunStarted,
    StageAccepted,
    StageEnded,
    StageExpanded,
    StageRetrying,
    StageReused,
    Status,
)


@dataclasses.dataclass(slots=True, kw_only=True)
class StageRecord:
    """One stage instance of a run, as far as it has come. Times are seconds since the epoch.

    `expected` is in seconds, from earlier runs. `cpu` (seconds) and `memory` (peak, bytes) are of the
    latest attempt. `frozen` says for how many seconds its process has been stopped; `last_line` is the
    end of what it printed, for whoever watches. `of_run` is the run whose result was reused, `restored`
    are the outputs that came out of the store; `remark` says why a result cannot be reused.
    """

    id: str
    decision: str = ""  # as planned
    status: Status = Status.PENDING
    reason: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    cell: int = 0
    cells: int = 0
    folder: str = ""
    notebook: str = ""
    cause: str | None = None
    message: str = ""
    traceback: str = ""
    expected: float | None = None
    cpu: float = 0.0
    memory: int = 0
    frozen: float = 0.0
    last_line: str = ""
    dump: str = ""
    kernel: Mapping[str, Any] | None = None
    observed: Mapping[str, Any] | None = None
    of_run: str = ""
    restored: tuple[str, ...] = ()
    remark: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes up to now; None if it never started."""
        if self.started is None:
            return None
        return (self.ended if self.ended is not None else now) - self.started

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        return {
            **dataclasses.asdict(self),
            "status": str(self.status),
            "outputs": artifacts_to_json(self.outputs),
        }


class RunHistory:
    """Takes the events of one run, one after the other; any prefix of them makes sense."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.stages: dict[str, StageRecord] = {}
        for event in events:
            self.take(event)

    @property
    def status(self) -> Status:
        """The status of the run."""
        return self.ended.status if self.ended else Status.RUNNING

    def count(self, status: Status) -> int:
        """How many stages have this status."""
        return sum(1 for stage in self.stages.values() if stage.status is status)

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case an event
        """Add one event."""
        match event:
            case RunStarted():
                self.started = event
                for item in event.plan.get("stages", ()):
                    self.stages[item["id"]] = StageRecord(
                        id=item["id"], notebook=item["notebook"], decision=item.get("decision", "")
                    )
            case AttemptStarted():
                stage = self._stage(event.stage)
                stage.status, stage.attempt, stage.folder = Status.RUNNING, event.attempt, event.folder
                stage.params, stage.cell, stage.cells = event.params, 0, 0
                stage.cause, stage.message, stage.traceback = None, "", ""
                stage.expected, stage.cpu, stage.memory, stage.frozen = event.expected, 0.0, 0, 0.0
                if stage.started is None:
                    stage.started = event.at
            case CellStarted() | CellEnded():
                stage = self._stage(event.stage)
                stage.cell, stage.cells = event.cell, event.cells
                stage.last_line = ""
                if isinstance(event, CellEnded):
                    stage.cpu, stage.memory = stage.cpu + event.cpu, max(stage.memory, event.memory)
                    stage.frozen = 0.0
            case AttemptProgress():
                stage = self._stage(event.stage)
                stage.cpu, stage.memory, stage.frozen = event.cpu, event.memory, 0.0
            case AttemptFrozen():
                self._stage(event.stage).frozen = event.seconds
            case OutputWritten():
                lines = [line for line in event.text.splitlines() if line.strip()]
                self._stage(event.stage).last_line = lines[-1] if lines else ""
            case AttemptEnded():
                stage = self._stage(event.stage)
                stage.ended = event.at
                stage.frozen, stage.last_line = 0.0, ""
                stage.cpu, stage.memory = event.cpu, event.memory
                stage.dump, stage.kernel = event.dump, event.kernel
                stage.observed = event.observed
                stage.cause, stage.message = event.cause and str(event.cause), event.message
                stage.traceback, stage.scraps, stage.outputs = event.traceback, event.scraps, event.outputs
                stage.remark = event.remark
                if event.cell is not None:
                    stage.cell = event.cell
                stage.cells = event.cells or stage.cells
            case StageReused():
                stage = self._stage(event.stage)
                stage.scraps, stage.outputs, stage.folder = event.scraps, event.outputs, event.folder
                stage.of_run, stage.restored = event.of_run, tuple(event.restored)
            case StageAccepted():
                stage = self._stage(event.stage)
                stage.scraps, stage.outputs, stage.folder = event.scraps, event.outputs, event.folder
            case StageExpanded():
                self._expand(event)
            case StageRetrying():
                self._stage(event.stage).status = Status.RETRYING
            case StageEnded():
                stage = self._stage(event.stage)
                stage.status, stage.reason = event.status, event.reason
            case RunEnded():
                self._end(event)

    def _expand(self, event: StageExpanded) -> None:
        """The instances of stages, in their places."""
        stages: dict[str, StageRecord] = {}
        for name, stage in self.stages.items():
            if name not in event.gone:
                stages[name] = stage
                continue
            for item in event.stages:
                if item["stage"] == name:
                    stages[item["id"]] = StageRecord(
                        id=item["id"], notebook=item["notebook"], decision=item.get("decision", "")
                    )
        self.stages = stages

    def _end(self, event: RunEnded) -> None:
        self.ended = event
        for stage in self.stages.values():
            if not stage.status.is_final:
                # Only an interrupted run ends with stages that are not final.
                ran = stage.status is not Status.PENDING
                stage.status = Status.INTERRUPTED if ran else Status.BLOCKED
                stage.reason = event.reason
                stage.ended = stage.ended or (event.at if ran else None)

    def _stage(self, name: str) -> StageRecord:
        return self.stages.setdefault(name, StageRecord(id=name))

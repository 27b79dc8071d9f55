"""What the events of a run add up to: each stage with its status, attempts, times and results."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from stagebook import events
from stagebook.artifact import Artifacts, artifacts_to_json
from stagebook.audits import Audits, audits_to_json
from stagebook.events import Event, Status
from stagebook.figures import Figures, figures_to_json
from stagebook.observed import Observed
from stagebook.scraps import values_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a person said of a run or a stage. `at`: seconds since the epoch; `acknowledges`: they have seen how it ended."""

    at: float
    text: str
    by: str
    acknowledges: bool = False


@dataclasses.dataclass(slots=True, kw_only=True)
class StageRecord:
    """One stage instance of a run, as far as it has come. Times are seconds since the epoch.

    `expected` is in seconds, from earlier runs. `cpu` (seconds) and `memory` (peak, bytes) are of the
    latest attempt. `frozen` says for how many seconds its process has been stopped; `last_line` is the
    end of what it printed, for whoever watches. `of_run` is the run whose result was reused, `number` that of the
    event with the result, `restored` are the outputs that came out of the store; `remark` says why a result cannot
    be reused, or what is not as it was then of what it does not declare.
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
    observed: Observed | None = None
    of_run: str = ""
    number: int = 0
    restored: tuple[str, ...] = ()
    remark: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    audits: Audits = dataclasses.field(default_factory=dict)
    figures: Figures = dataclasses.field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes up to now; None if it never started, and 0 where the clock was set back."""
        if self.started is None:
            return None
        return max(0.0, (self.ended if self.ended is not None else now) - self.started)

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        return {
            **dataclasses.asdict(self),
            "status": str(self.status),
            "outputs": artifacts_to_json(self.outputs),
            "audits": audits_to_json(self.audits),
            "figures": figures_to_json(self.figures),
        }


# What the end of an attempt says of its stage.
_OF_ATTEMPT = (
    "cpu", "memory", "dump", "kernel", "observed", "message", "traceback", "scraps", "outputs", "remark", "audits",
)  # fmt: skip


_LEFT_OUT = "SKIP"  # the decision about a stage that is not part of the run


class RunHistory:
    """Takes the events of one run, one after the other; any prefix of them makes sense. `done` of the `due` stages, those that the
    plan did not leave out, have ended."""

    def __init__(self, past: Iterable[Event] = ()) -> None:
        self.started: events.RunStarted | None = None
        self.ended: events.RunEnded | None = None
        self.stages: dict[str, StageRecord] = {}
        self.notes: list[Note] = []  # on the run as a whole
        self.done = 0
        self.due = 0
        for event in past:
            self.take(event)

    @property
    def status(self) -> Status:
        """The status of the run."""
        return self.ended.status if self.ended else Status.RUNNING

    @property
    def reason(self) -> str:
        """Why the run was stopped; empty where it was not, or has not ended."""
        return self.ended.reason if self.ended else ""

    def count(self, status: Status) -> int:
        """How many stages have this status."""
        return sum(1 for stage in self.stages.values() if stage.status is status)

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case an event
        """Add one event."""
        match event:
            case events.RunStarted():
                self.started = event
                self.stages |= {item["id"]: _planned(item) for item in event.plan.get("stages", ())}
                self._count_due()
            case events.AttemptStarted():
                _begin_attempt(self._stage(event.stage), event)
            case events.CellStarted() | events.CellEnded():
                stage = self._stage(event.stage)
                stage.cell, stage.cells, stage.last_line = event.cell, event.cells, ""
                if isinstance(event, events.CellEnded):
                    stage.cpu, stage.memory = stage.cpu + event.cpu, max(stage.memory, event.memory)
                    stage.frozen = 0.0
            case events.AttemptProgress():
                stage = self._stage(event.stage)
                stage.cpu, stage.memory, stage.frozen = event.cpu, event.memory, 0.0
            case events.AttemptFrozen():
                self._stage(event.stage).frozen = event.seconds
            case events.OutputWritten():
                lines = [line for line in event.text.splitlines() if line.strip()]
                self._stage(event.stage).last_line = lines[-1] if lines else ""
            case events.AttemptEnded():
                _end_attempt(self._stage(event.stage), event)
            case events.StageMeasured():
                self._stage(event.stage).figures = event.figures
            case events.StageReused() | events.StageAccepted():
                stage = self._stage(event.stage)
                stage.scraps, stage.outputs, stage.folder = event.scraps, event.outputs, event.folder
                if isinstance(event, events.StageReused):
                    stage.of_run, stage.number = event.of_run, event.number
                    stage.restored = tuple(event.restored)
                    stage.audits = event.audits
                    stage.remark = event.remark
            case events.StageExpanded():
                self._expand(event)
            case events.StageRetrying():
                self._stage(event.stage).status = Status.RETRYING
            case events.StageEnded():
                stage = self._stage(event.stage)
                stage.status, stage.reason = event.status, event.reason
                self.done += stage.decision != _LEFT_OUT
            case events.NoteAdded():
                self._note(event)
            case events.RunEnded():
                self._end(event)

    def _note(self, event: events.NoteAdded) -> None:
        note = Note(at=event.at, text=event.text, by=event.by, acknowledges=event.acknowledges)
        if event.stage:
            stage = self._stage(event.stage)
            stage.notes = (*stage.notes, note)
        else:
            self.notes.append(note)

    def _expand(self, event: events.StageExpanded) -> None:
        """The instances of stages, in their places."""
        stages: dict[str, StageRecord] = {}
        for name, stage in self.stages.items():
            if name not in event.gone:
                stages[name] = stage
            else:
                stages |= {item["id"]: _planned(item) for item in event.stages if item["stage"] == name}
        self.stages = stages
        self._count_due()

    def _count_due(self) -> None:
        self.due = sum(stage.decision != _LEFT_OUT for stage in self.stages.values())

    def _end(self, event: events.RunEnded) -> None:
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


def _planned(item: Mapping[str, Any]) -> StageRecord:
    return StageRecord(id=item["id"], notebook=item["notebook"], decision=item.get("decision", ""))


def _begin_attempt(stage: StageRecord, event: events.AttemptStarted) -> None:
    stage.status, stage.attempt, stage.folder = Status.RUNNING, event.attempt, event.folder
    stage.params, stage.expected = event.params, event.expected
    stage.cell, stage.cells, stage.cpu, stage.memory, stage.frozen = 0, 0, 0.0, 0, 0.0
    stage.cause, stage.message, stage.traceback, stage.ended = None, "", "", None
    if stage.started is None:
        stage.started = event.at


def _end_attempt(stage: StageRecord, event: events.AttemptEnded) -> None:
    for name in _OF_ATTEMPT:
        setattr(stage, name, getattr(event, name))
    stage.ended, stage.frozen, stage.last_line = event.at, 0.0, ""
    stage.cause = event.cause and str(event.cause)
    stage.cell = stage.cell if event.cell is None else event.cell
    stage.cells = event.cells or stage.cells


_MOST = int(sys.float_info.max)


def figures(scraps: Mapping[str, Any]) -> dict[str, int | float]:
    """The values of the scraps that are numbers, such as a float can hold."""
    return {name: value for name, value in values_of(scraps).items() if _is_figure(value)}


def _is_figure(value: Any) -> TypeGuard[int | float]:
    if isinstance(value, int) and not isinstance(value, bool):
        return -_MOST <= value <= _MOST
    return isinstance(value, float)

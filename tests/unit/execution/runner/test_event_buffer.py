"""The events of a run are handed on in order, each once, with what its runner knows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeClock
from stagebook.artifact import Artifact
from stagebook.events import (
    AttemptEnded,
    AttemptProgress,
    Cause,
    CellStarted,
    Event,
    StageEnded,
    StageReused,
    Status,
)
from stagebook.execution.attempt import AttemptResult
from stagebook.execution.runner.event_buffer import EventBuffer
from stagebook.planning.plan import PlannedOutput, PlannedStage
from stagebook.planning.result import Result


class Told:
    """A buffer, and the groups of events that it handed on."""

    def __init__(self, **expected: float) -> None:
        self.clock = FakeClock(100.0)
        self.groups: list[list[Event]] = []
        self.buffer = EventBuffer(run="r", clock=self.clock, emit=self.groups.append, expected=expected)

    def only(self) -> Any:
        self.buffer.flush()
        ((event,),) = self.groups
        return event


@given(st.lists(st.booleans(), max_size=20))
def test_every_event_is_handed_on_once_in_order_and_never_an_empty_group(flushes: list[bool]) -> None:
    told = Told()
    for at, is_flushed in enumerate(flushes):
        told.clock.now += 1
        told.buffer.add(StageEnded, stage=f"s{at}", status=Status.COMPLETED)
        if is_flushed:
            told.buffer.flush()
    told.buffer.flush()
    told.buffer.flush()
    assert all(told.groups)
    assert [(event.run, event.at, event.stage) for group in told.groups for event in group] == [  # type: ignore[attr-defined]
        ("r", 101.0 + at, f"s{at}") for at in range(len(flushes))
    ]
    assert len(told.groups) == sum(flushes) + (bool(flushes) and not flushes[-1])


def test_what_the_receiver_adds_in_between_comes_with_the_next_group() -> None:
    groups: list[list[Event]] = []

    def emit(events: list[Event]) -> None:
        groups.append(events)
        if len(groups) == 1:
            buffer.add(StageEnded, stage="b", status=Status.COMPLETED)

    buffer = EventBuffer(run="r", clock=FakeClock(), emit=emit, expected={})
    buffer.add(StageEnded, stage="a", status=Status.COMPLETED)
    buffer.flush()
    buffer.flush()
    assert [[event.stage for event in group] for group in groups] == [["a"], ["b"]]  # type: ignore[attr-defined]


def test_progress_is_told_with_the_time_that_is_expected_and_keeps_its_own() -> None:
    told = Told(a=7.5)
    first, second = (
        AttemptProgress(run="r", at=3.0, stage=stage, attempt=1, cells=2, seconds=1.0) for stage in ("a", "b")
    )
    cell = CellStarted(run="r", at=4.0, stage="a", attempt=1, cell=1, cells=2)
    for event in (first, second, cell):
        told.buffer.progress(event)
    told.buffer.flush()
    ((known, unknown, last),) = told.groups
    assert isinstance(known, AttemptProgress)
    assert isinstance(unknown, AttemptProgress)
    assert (known.expected, known.at, unknown.expected, last) == (7.5, 3.0, None, cell)


def test_a_reused_result_is_told_at_the_places_that_its_outputs_have_now() -> None:
    stage = PlannedStage(id="a@1", stage="a", notebook="n", outputs={"out": PlannedOutput(path="new/x.csv")})
    old = Artifact(path="old/x.csv", size=1, sha256="0" * 64, kept=True)
    result = Result(
        number=7, pipeline="p", stage="a@1", run="before", attempt=2, at=1.0, fingerprint="f", folder="before/a@1/2",
        outputs={"out": old, "dropped": old}, scraps={"rows": {"value": 3}},
    )  # fmt: skip
    told = Told()
    told.buffer.reused(stage, result, ("new/x.csv",))
    assert told.only() == StageReused(
        run="r", at=100.0, stage="a@1", of_run="before", of_attempt=2, folder="before/a@1/2", number=7,
        restored=["new/x.csv"], scraps={"rows": {"value": 3}}, outputs={"out": old.at("new/x.csv")},
    )  # fmt: skip


def test_what_its_result_does_not_have_is_told_with_an_attempt() -> None:
    told = Told()
    result = AttemptResult(seconds=2.0, cells=3, scraps={"rows": {"value": 3}})
    told.buffer.attempt_ended("a", 1, result, folder="r/a/1", remark="src/lib.py changed")
    event = told.only()
    assert event.remark == "src/lib.py changed"
    assert (event.fingerprint, event.scraps, event.folder) == ("", {"rows": {"value": 3}}, "r/a/1")


def test_an_attempt_is_told_with_all_of_its_result_and_how_it_is_recognised() -> None:
    told = Told()
    result = AttemptResult(
        cause=Cause.EXCEPTION, message="no", seconds=2.0, cell=2, cells=3, cpu=1.5, memory=9, dump="d"
    )
    reusable = {"fingerprint": "f", "head": "h", "parts": {"params": {}}, "sources": "s"}
    told.buffer.attempt_ended("a", 2, result, folder="r/a/2", **reusable)
    assert told.only() == AttemptEnded(
        run="r", at=100.0, stage="a", attempt=2, cause=Cause.EXCEPTION, message="no", seconds=2.0, cell=2, cells=3,
        cpu=1.5, memory=9, dump="d", folder="r/a/2", fingerprint="f", head="h", parts={"params": {}}, sources="s",
    )  # fmt: skip

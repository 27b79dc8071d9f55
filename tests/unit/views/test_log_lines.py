"""The lines of a run, for a pipe or a log file."""

from __future__ import annotations

import dataclasses
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.events import (
    AttemptEnded,
    AttemptFrozen,
    AttemptStarted,
    Cause,
    Event,
    OutputWritten,
    RunCancelling,
    RunEnded,
    RunStarted,
    StageEnded,
    StageExpanded,
    StageRetrying,
    StageReused,
    Status,
)
from stagebook.journal.history import RunHistory
from stagebook.views.log_lines import lines_of
from strategies import any_event

AT = 1_767_355_445.0  # 2026-01-02 12:04:05 UTC


def begun(*names: str, decision: str = "RUN") -> RunStarted:
    stages = [{"id": name, "notebook": "n", "decision": decision} for name in names]
    return RunStarted(run="r", at=AT, pipeline="p", jobs=2, plan={"stages": stages})


def told(*events: Event) -> list[str]:
    """The lines of events, without those of the beginning, and without their time."""
    history, lines = RunHistory(), []
    for event in events:
        history.take(event)
        lines += [] if isinstance(event, RunStarted) else lines_of(event, history)
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in lines)
    return [line.split(" ", 1)[1] for line in lines]


def attempt(number: int = 1, expected: float | None = None, at: float = AT) -> AttemptStarted:
    return AttemptStarted(run="r", at=at, stage="a", attempt=number, folder="f", expected=expected)


def ended(status: Status, reason: str = "", stage: str = "a") -> StageEnded:
    return StageEnded(run="r", at=AT + 7, stage=stage, status=status, reason=reason)


def test_the_first_line_says_what_is_run_and_when_in_utc() -> None:
    event = begun("a", "b")
    assert list(lines_of(event, RunHistory([event]))) == ["12:04:05 p: run r, 2 stages, 2 at a time"]


def test_a_stage_that_fails_and_is_tried_again_is_told_step_by_step() -> None:
    failed = AttemptEnded(
        run="r", at=AT + 3, stage="a", attempt=1, seconds=3.0, cause=Cause.EXCEPTION, message="\x1b[31mKeyError\x1b[0m:\n 'x'", cell=2, cells=5
    )  # fmt: skip
    retrying = StageRetrying(run="r", at=AT + 3, stage="a", attempt=2, delay=2.0)
    done = AttemptEnded(run="r", at=AT + 7, stage="a", attempt=2, seconds=2.0)
    again = attempt(2, at=AT + 5)
    lines = told(begun("a"), attempt(expected=65.0), failed, retrying, again, done, ended(Status.COMPLETED))
    assert [line.partition(" ")[2] for line in lines] == [
        "a started, usually 1 min 05 s",
        "a attempt 1: exception in cell 2 of 5: KeyError: 'x'",
        "a is tried again in 2.0 s",
        "a started (attempt 2)",
        "a completed in 7.0 s",
    ]


def test_the_reason_of_an_end_is_told_unless_it_completed() -> None:
    _, completed = told(begun("a"), attempt(), ended(Status.COMPLETED, "since its code changed"))
    assert completed.endswith("a completed in 7.0 s")
    (blocked,) = told(begun("a"), ended(Status.BLOCKED, "b failed\nand\x07 more"))
    assert blocked.endswith("a blocked: b failed and more")


def test_a_stage_that_was_no_part_of_the_run_gets_no_line() -> None:
    assert told(begun("a", decision="SKIP"), ended(Status.SKIPPED, "not selected")) == []


def test_of_many_reused_stages_only_those_are_told_whose_files_came_back() -> None:
    few, many = [f"s{at}" for at in range(30)], [f"s{at}" for at in range(31)]
    reused = ended(Status.REUSED, stage="s0")
    assert len(told(begun(*few), reused)) == 1
    assert told(begun(*many), reused) == []
    restored = StageReused(run="r", at=AT, stage="s0", of_run="old", restored=["x.csv"])
    assert len(told(begun(*many), restored, reused)) == 1
    assert len(told(begun(*many), ended(Status.FAILED, stage="s0"))) == 1


def test_what_holds_a_run_up_is_told() -> None:
    frozen = [
        AttemptFrozen(run="r", at=AT, stage="a", attempt=1, seconds=65.0, cell=cell) for cell in (3, None)
    ]
    expanded = StageExpanded(
        run="r", at=AT, stage="b", gone=["b"], stages=[{"id": "b@1", "stage": "b", "notebook": "n"}]
    )
    cancelling = RunCancelling(run="r", at=AT, reason="Ctrl-C")
    over = RunEnded(run="r", at=AT, status=Status.CANCELLED)
    lines = told(begun("a", "b"), attempt(), *frozen, expanded, cancelling, over)
    assert [line.partition(" ")[2] for line in lines[1:]] == [
        "a is frozen in cell 3: its process has been stopped for 1 min 05 s",
        "a is frozen: its process has been stopped for 1 min 05 s",
        "b: 1 stage",
        "stopping: Ctrl-C",
        "r cancelled",
    ]


def test_a_run_of_many_stages_says_how_far_it_is() -> None:
    names = [f"s{number}" for number in range(12)]
    left_out = {"id": "x", "notebook": "n", "decision": "SKIP"}
    start = begun(*names)
    start = dataclasses.replace(start, plan={"stages": [*start.plan["stages"], left_out]})
    skipped = ended(Status.SKIPPED, "not selected", "x")
    lines = told(start, skipped, *(ended(Status.COMPLETED, stage=name) for name in names))
    assert lines[0].startswith("✓ [ 1/12] s0 completed")
    assert lines[-1].startswith("✓ [12/12] s11 completed")
    assert told(begun("a"), ended(Status.BLOCKED))[0].startswith("⊘ a"), "few are not counted"


@settings(max_examples=200, deadline=None)
@given(events=st.lists(any_event, max_size=10))
def test_any_run_is_told_in_lines(events: list[Event]) -> None:
    history = RunHistory()
    for event in events:
        history.take(event)
        lines = list(lines_of(event, history))
        assert not lines or not isinstance(event, OutputWritten)
        checks = isinstance(event, AttemptEnded) and bool(event.audits)
        assert len(lines) <= (6 if checks else 1)

"""What the events of a run add up to."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.artifact import Artifact
from stagebook.event_reading import from_json
from stagebook.events import (
    AttemptEnded,
    AttemptFrozen,
    AttemptProgress,
    AttemptStarted,
    Cause,
    CellEnded,
    CellStarted,
    CellStatus,
    Event,
    OutputWritten,
    RunEnded,
    RunStarted,
    StageEnded,
    StageExpanded,
    StageRetrying,
    StageReused,
    Status,
)
from stagebook.journal.history import RunHistory
from strategies import any_event

STARTED = RunStarted(
    run="r",
    at=10.0,
    pipeline="p",
    plan={"stages": [{"id": name, "notebook": f"{name}.ipynb", "decision": "RUN"} for name in ("a", "b", "c@1")]},
)  # fmt: skip


def event(kind: type[Event], at: float = 20.0, stage: str = "a", **values: Any) -> Event:
    """An event of stage `a`, in its first attempt."""
    attempt = {} if kind in {StageEnded, StageReused, StageExpanded} else {"attempt": 1}
    return kind(run="r", at=at, **{"stage": stage, **attempt, **values})


def started(at: float = 11.0, stage: str = "a", attempt: int = 1, **values: Any) -> Event:
    return event(AttemptStarted, at, stage, attempt=attempt, folder=f"f/{attempt}", **values)


@settings(max_examples=200, deadline=None)
@given(told=st.lists(any_event, max_size=20))
def test_any_prefix_of_events_makes_a_history(told: list[Event]) -> None:
    history = RunHistory()
    for one in told:
        history.take(one)
        assert all(isinstance(record.status, Status) for record in history.stages.values())
        if history.ended:
            last = history.stages.values()
            assert isinstance(one, RunEnded) is False or all(record.status.is_final for record in last)


@settings(max_examples=200, deadline=None)
@given(told=st.lists(any_event.filter(lambda one: not isinstance(one, StageExpanded)), max_size=20))
def test_the_journal_tells_what_was_seen_live_but_for_the_last_line(told: list[Event]) -> None:
    live = RunHistory([STARTED, *told])
    kept = [from_json(json.loads(json.dumps(one.to_json()))) for one in [STARTED, *told] if not one.transient]
    later = RunHistory(kept)
    assert later.status is live.status
    assert later.stages == {
        name: dataclasses.replace(record, last_line="") for name, record in live.stages.items()
    }
    assert not any(record.last_line for record in later.stages.values())


def test_a_further_attempt_starts_from_nothing_but_the_time_of_the_first() -> None:
    failed = event(
        AttemptEnded, 15.0, seconds=4.0, cause=Cause.TIMEOUT, message="no", traceback="tb", cell=2, cells=3, cpu=9.0, memory=9
    )  # fmt: skip
    history = RunHistory([STARTED, started(params={"x": 1}), failed])
    first = history.stages["a"]
    assert (first.cause, first.message, first.cell, first.seconds(99.0)) == ("timeout", "no", 2, 4.0)
    history.take(event(StageRetrying, 15.0, attempt=2, delay=1.0))
    assert first.status is Status.RETRYING
    history.take(started(16.0, attempt=2, params={"x": 2}))
    second = history.stages["a"]
    assert (second.status, second.attempt, second.folder, second.params) == (
        Status.RUNNING,
        2,
        "f/2",
        {"x": 2},
    )
    assert (second.cause, second.message, second.traceback) == (None, "", "")
    assert (second.cell, second.cells, second.cpu, second.memory) == (0, 0, 0.0, 0)
    assert second.started == 11.0


def test_a_stage_that_runs_again_takes_its_time_up_to_now() -> None:
    failed = event(AttemptEnded, 15.0, seconds=4.0, cause=Cause.EXCEPTION)
    history = RunHistory([STARTED, started(11.0), failed, started(16.0, attempt=2)])
    assert history.stages["a"].seconds(31.0) == 20.0


def test_cells_add_up_until_the_attempt_tells_its_own_figures() -> None:
    history = RunHistory([STARTED, started()])
    for cell, (cpu, memory) in enumerate([(1.0, 50), (2.0, 30)], start=1):
        history.take(event(CellStarted, cell=cell, cells=3))
        status = CellStatus.COMPLETED
        history.take(event(CellEnded, cell=cell, cells=3, status=status, seconds=1.0, cpu=cpu, memory=memory))
    stage = history.stages["a"]
    assert (stage.cell, stage.cells, stage.cpu, stage.memory) == (2, 3, 3.0, 50)
    history.take(event(AttemptProgress, cells=3, seconds=3.0, cpu=3.5, memory=60))
    assert (stage.cpu, stage.memory) == (3.5, 60)
    history.take(event(AttemptEnded, seconds=4.0, cpu=4.0, memory=70))
    assert (stage.cpu, stage.memory, stage.cell, stage.cells) == (4.0, 70, 2, 3)


@pytest.mark.parametrize(
    ("text", "line"), [("one\ntwo\n", "two"), ("one\n\n  \n", "one"), ("\n", ""), ("10%\r100%", "100%")]
)
def test_the_last_line_is_the_last_one_with_text_and_goes_with_its_cell(text: str, line: str) -> None:
    for following in (
        event(CellStarted, cell=2, cells=2),
        event(CellEnded, cell=1, cells=2, status=CellStatus.COMPLETED, seconds=1.0),
        event(AttemptEnded, seconds=1.0),
    ):
        history = RunHistory([STARTED, started(), event(OutputWritten, text=text, size=9, cell=1)])
        assert history.stages["a"].last_line == line
        history.take(following)
        assert history.stages["a"].last_line == ""


def test_a_stage_is_frozen_until_it_is_seen_to_go_on() -> None:
    for following in (
        event(AttemptProgress, cells=1, seconds=9.0),
        event(CellEnded, cell=1, cells=1, status=CellStatus.COMPLETED, seconds=1.0),
        event(AttemptEnded, seconds=9.0),
        started(attempt=2),
    ):
        history = RunHistory([STARTED, started(), event(AttemptFrozen, seconds=5.0)])
        assert history.stages["a"].frozen == 5.0
        history.take(following)
        assert history.stages["a"].frozen == 0.0


def test_the_instances_of_a_foreach_stand_where_their_stage_stood() -> None:
    def item(name: str) -> dict[str, str]:
        return {"id": name, "stage": name.split("@", maxsplit=1)[0], "notebook": "n", "decision": "REUSE"}

    history = RunHistory([STARTED, started()])
    found = [item("b@x"), item("b@y"), item("a@1")]
    history.take(event(StageExpanded, stage="b", gone=["b"], stages=found))
    assert list(history.stages) == ["a", "b@x", "b@y", "c@1"]
    assert history.stages["a"].status is Status.RUNNING, "what stays keeps what is known of it"
    assert (history.stages["b@x"].decision, history.stages["b@x"].status) == ("REUSE", Status.PENDING)
    history.take(event(StageExpanded, stage="b", gone=["b@x"], stages=[]))
    assert list(history.stages) == ["a", "b@y", "c@1"]


def test_a_reused_stage_has_the_results_of_the_run_that_made_them() -> None:
    outputs = {"out": Artifact(path="x.csv", sha256="0" * 64, size=1, kept=True)}
    scraps = {"rows": {"kind": "json", "value": 3}}
    reused = event(
        StageReused, of_run="old", folder="old/a/1", restored=["x.csv"], scraps=scraps, outputs=outputs
    )
    history = RunHistory([STARTED, reused, event(StageEnded, status=Status.REUSED)])
    stage = history.stages["a"]
    assert (stage.status, stage.of_run, stage.folder, stage.restored) == (
        Status.REUSED,
        "old",
        "old/a/1",
        ("x.csv",),
    )
    assert (stage.scraps, stage.outputs, stage.seconds(99.0)) == (scraps, outputs, None)
    data = json.loads(json.dumps(stage.to_json()))
    assert (data["status"], data["outputs"]["out"]["path"]) == ("reused", "x.csv")


def test_the_end_of_a_run_closes_what_was_open_and_leaves_the_rest() -> None:
    ended = event(StageEnded, 12.0, status=Status.FAILED, reason="of its own")
    history = RunHistory([STARTED, ended, started(13.0, "b")])
    assert history.status is Status.RUNNING
    history.take(RunEnded(run="r", at=50.0, status=Status.INTERRUPTED, reason="its process vanished"))
    assert history.status is Status.INTERRUPTED
    assert [(stage.status, stage.reason, stage.ended) for stage in history.stages.values()] == [
        (Status.FAILED, "of its own", None),
        (Status.INTERRUPTED, "its process vanished", 50.0),
        (Status.BLOCKED, "its process vanished", None),
    ]
    assert [history.count(status) for status in (Status.FAILED, Status.COMPLETED)] == [1, 0]

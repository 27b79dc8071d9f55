"""The outbox: a consumer takes each event once, and what stands there for runs and attempts is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journals import HERE, alive, started
from stagebook import events
from stagebook.events import Event, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal, attempt_key
from strategies import any_event


def ended(stage: str) -> StageEnded:
    return StageEnded(run="r", at=2.0, stage=stage, status=Status.COMPLETED)


def test_a_consumer_gets_each_event_once_and_no_cells(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    cell = events.CellStarted(run="r", at=1.0, stage="a", attempt=1, cell=1, cells=1)
    journal.append([cell, ended("a")])
    pending = journal.outbox.pending("mlflow")
    assert [type(event) for _, event in pending] == [RunStarted, StageEnded]
    journal.outbox.taken("mlflow", pending[0][0])
    assert [type(event) for _, event in journal.outbox.pending("mlflow")] == [StageEnded]
    assert journal.outbox.count_pending("mlflow") == 1
    assert journal.outbox.count_pending("another") == 2


@settings(max_examples=30, deadline=None)
@given(
    told=st.lists(any_event.filter(lambda event: not isinstance(event, RunStarted)), max_size=15),
    limit=st.integers(1, 5),
)
def test_pieces_of_any_size_are_all_that_is_to_be_told_in_order(
    tmp_path_factory: pytest.TempPathFactory, told: list[Event], limit: int
) -> None:
    journal = Journal(tmp_path_factory.mktemp("project") / "journal.db")
    journal.append(told)
    count, taken = journal.outbox.count_pending("mlflow"), []
    while pending := journal.outbox.pending("mlflow", limit):
        assert len(pending) <= limit
        taken += [event for _, event in pending]
        journal.outbox.taken("mlflow", pending[-1][0])
        assert journal.outbox.count_pending("mlflow") == count - len(taken)
    journal.close()
    kinds = (events.CellStarted, events.CellEnded, events.AttemptProgress, events.AttemptFrozen)
    # What belongs to no run has no place there.
    assert taken == [it for it in told if it.run and not (it.transient or isinstance(it, kinds))]


def test_a_position_outlives_the_process_that_noted_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.append([started(), ended("a"), ended("b")])
    journal.outbox.taken("mlflow", journal.outbox.pending("mlflow", 2)[-1][0])
    journal.outbox.track("r", "7", "abc")
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert [event for _, event in again.outbox.pending("mlflow")] == [ended("b")]
    assert again.outbox.tracked("r") == ("7", "abc")
    again.close()


def test_what_stands_for_a_run_is_not_what_stands_for_its_attempts(journal: Journal) -> None:
    outbox = journal.outbox
    outbox.track("r", "1", "parent")
    outbox.track(attempt_key("r", "a", 1), "1", "first")
    outbox.track(attempt_key("r", "a", 2), "1", "second")
    found = [outbox.tracked(key) for key in ("r", attempt_key("r", "a", 1), attempt_key("r", "a", 2))]
    assert found == [("1", "parent"), ("1", "first"), ("1", "second")]
    assert outbox.tracked(attempt_key("r", "a", 3)) is None
    outbox.track("r", "2", "anew")
    assert outbox.tracked("r") == ("2", "anew")


def test_what_consumers_had_of_another_journal_is_taken_over(journal: Journal) -> None:
    journal.append([started(), ended("a"), ended("b")])
    journal.outbox.track("kept", "1", "kept")
    second = journal.outbox.pending("mlflow")[1][0]
    journal.outbox.take_over({"mlflow": second, "other": 10**6}, {"r": ("7", "abc")})
    assert [event for _, event in journal.outbox.pending("mlflow")] == [ended("b")]
    assert journal.outbox.pending("other") == []
    assert (journal.outbox.tracked("r"), journal.outbox.tracked("kept")) == (("7", "abc"), ("1", "kept"))

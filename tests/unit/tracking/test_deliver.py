"""Delivering to MLflow: every event in order, each once, and the rest kept where MLflow is away."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from mlflow.exceptions import MlflowException, RestException

from journals import HERE, alive, started
from stagebook.events import Event, RunEnded, StageEnded, Status
from stagebook.journal.journal import MLFLOW, Journal
from stagebook.tracking import deliver as delivering
from stagebook.tracking.deliver import EXIT_UNREACHABLE, deliver
from stagebook.tracking.outcomes import Refused


class Receiver:
    """Stands where MLflow is. `fail` raises what it would, for some events."""

    def __init__(self, fail: Callable[[Event], None] = lambda _event: None) -> None:
        self.taken: list[Event] = []
        self.fail = fail

    def take(self, event: Event) -> None:
        self.fail(event)
        self.taken.append(event)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def stage(name: str) -> StageEnded:
    return StageEnded(run="r", at=11.0, stage=name, status=Status.COMPLETED)


def delivered(journal: Journal, receiver: Receiver, until: str | None = None) -> int:
    return deliver(journal, cast("Any", receiver), until)


def test_what_is_pending_is_delivered_in_order_and_only_once(journal: Journal) -> None:
    told = [started(), *(stage(f"s{at}") for at in range(450))]
    journal.append(told)
    receiver = Receiver()
    assert (delivered(journal, receiver), receiver.taken) == (0, told)
    assert (delivered(journal, receiver), receiver.taken) == (0, told)
    journal.append([stage("later")])
    assert (delivered(journal, receiver), receiver.taken[451:]) == (0, [stage("later")])


def test_an_end_that_comes_while_it_is_delivered_is_delivered_too(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([stage("a")], owner="r")
    ended = RunEnded(run="r", at=20.0, status=Status.COMPLETED)

    def end_meanwhile(event: Event) -> None:
        if event == stage("a"):
            journal.append([stage("b"), ended], owner="r")

    receiver = Receiver(end_meanwhile)
    assert delivered(journal, receiver, "r") == 0
    assert receiver.taken[1:] == [stage("a"), stage("b"), ended]
    assert journal.outbox.count_pending(MLFLOW) == 0


def test_a_run_that_is_not_known_is_not_waited_for(journal: Journal) -> None:
    assert delivered(journal, Receiver(), "unknown") == 0


def test_where_mlflow_is_away_the_rest_is_kept(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(delivering, "TRIES", 1)
    journal.append([started(), stage("a"), stage("b")])

    def away(event: Event) -> None:
        if event == stage("a"):
            msg = "no route"
            raise ConnectionError(msg)

    receiver = Receiver(away)
    assert delivered(journal, receiver) == EXIT_UNREACHABLE
    assert receiver.taken == [started()]
    assert [event for _, event in journal.outbox.pending(MLFLOW)] == [stage("a"), stage("b")]
    assert "ConnectionError: no route" in capfd.readouterr().err
    receiver.fail = lambda _event: None
    assert (delivered(journal, receiver), receiver.taken) == (0, [started(), stage("a"), stage("b")])


@pytest.mark.parametrize(
    "error",
    [
        RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}),
        RestException({"error_code": "INVALID_STATE", "message": "no"}),
        Refused("no"),
    ],
)
def test_what_mlflow_refuses_for_good_does_not_hold_up_the_rest_and_is_noted(
    journal: Journal, error: Exception
) -> None:
    journal.append([started(), stage("a"), stage("b")])

    def refuse(event: Event) -> None:
        if event == stage("a"):
            raise error

    receiver = Receiver(refuse)
    assert (delivered(journal, receiver), receiver.taken) == (0, [started(), stage("b")])
    assert journal.outbox.count_pending(MLFLOW) == 0
    ((run, what),) = journal.outbox.passed_over(MLFLOW)
    assert (run, what.startswith("StageEnded a: ")) == ("r", True)


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("down"),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}),
        OSError(),
    ],
)
def test_a_trouble_of_the_server_is_no_refusal(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(delivering, "TRIES", 1)
    journal.append([started()])

    def trouble(_event: Event) -> None:
        raise error

    assert delivered(journal, Receiver(trouble)) == EXIT_UNREACHABLE
    assert journal.outbox.count_pending(MLFLOW) == 1
    assert journal.outbox.passed_over(MLFLOW) == []
    assert journal.outbox.trouble(MLFLOW) == str(error)
    assert delivered(journal, Receiver()) == 0
    assert journal.outbox.trouble(MLFLOW) == ""


def test_a_damaged_event_is_passed_over(journal: Journal) -> None:
    journal.append([started(), stage("a"), stage("b")])
    with contextlib.closing(sqlite3.connect(journal.path)) as database:
        database.execute("UPDATE events SET data = '{}' WHERE seq = 2")
        database.commit()
    receiver = Receiver()
    assert (delivered(journal, receiver), receiver.taken) == (0, [started(), stage("b")])
    ((run, what),) = journal.outbox.passed_over(MLFLOW)
    assert (run, "event 2 is not as it was written" in what) == ("r", True)


def test_who_nobody_waits_for_takes_what_is_there_and_ends(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    receiver = Receiver()
    assert deliver(journal, cast("Any", receiver), "r", lambda: False) == 0
    assert receiver.taken == [started()]

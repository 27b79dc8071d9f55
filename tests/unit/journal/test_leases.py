"""Leases: who owns a pipeline, and what only an owner may do."""

from __future__ import annotations

import pytest

from journals import HERE, OTHER, alive, alter, dead, started, unsure
from stagebook.errors import RunTakenOver
from stagebook.events import RunEnded, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal
from stagebook.journal.leases import Lease, Liveness, busy


def test_an_owner_that_was_replaced_writes_nothing(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    done = StageEnded(run="one", at=11.0, stage="a", status=Status.COMPLETED)
    journal.append([done], owner="one")
    journal.begin(started("two"), OTHER, dead)
    before = journal.events.of("one")
    with pytest.raises(RunTakenOver, match="the run one was taken over"):
        journal.append([done], owner="one")
    with pytest.raises(RunTakenOver), journal.leases.owned("one"):
        pytest.fail("nothing is done in its name")
    journal.leases.beat("one")
    assert journal.events.of("one") == before
    journal.append([RunEnded(run="two", at=20.0, status=Status.COMPLETED)], owner="two")
    with pytest.raises(RunTakenOver):  # its own end is the last that a run writes
        journal.append([StageEnded(run="two", at=21.0, stage="a", status=Status.FAILED)], owner="two")


def test_what_is_done_while_the_pipeline_is_owned_is_one_transaction(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    done = StageEnded(run="one", at=11.0, stage="a", status=Status.COMPLETED)

    def fail_on_the_way() -> None:
        with journal.leases.owned("one"):
            journal.append([done], owner="one")
            raise KeyError

    with pytest.raises(KeyError):
        fail_on_the_way()
    assert [type(event) for _, event in journal.events.of("one")] == [RunStarted]
    with journal.leases.owned("one"):
        journal.append([done], owner="one")
    assert [event for _, event in journal.events.of("one")][1:] == [done]


@pytest.mark.parametrize(
    ("column", "value"),
    [("pid", "'x'"), ("pid", "-5"), ("pid", "1e300"), ("pid", str(2**40)), ("started", "'soon'")],
)
def test_an_owner_that_makes_no_sense_is_none(journal: Journal, column: str, value: str) -> None:
    journal.begin(started("one"), HERE, alive)
    alter(journal.path, f"UPDATE owners SET {column} = {value}, host = x'00ff', beat = 'y'")
    assert journal.leases.owners() == []
    assert journal.close_abandoned(alive, 50.0) == ["one"]
    journal.begin(started("two"), OTHER, alive)


@pytest.mark.parametrize("presumed", [None, ("r", 3), ("r", 2), ("other", 3)])
def test_only_the_dead_and_those_presumed_dead_at_their_last_beat_are_over(
    presumed: tuple[str, int] | None,
) -> None:
    lease = Lease(1, "r", HERE, 3)
    assert lease.is_over(dead, presumed)
    assert not lease.is_over(alive, presumed)
    assert lease.is_over(unsure, presumed) == (presumed == ("r", 3))
    assert Lease(1, "r", None, 3).is_over(alive, presumed), "a row that makes no sense protects nothing"


def test_a_run_owns_its_pipeline_from_its_beginning_to_its_end(journal: Journal) -> None:
    journal.begin(started("one", "p"), HERE, alive)
    journal.begin(started("two", "q"), OTHER, alive)
    assert sorted(journal.leases.owners(), key=lambda owner: owner[0]) == [("one", HERE), ("two", OTHER)]
    assert [lease.run for lease in journal.leases.all("q")] == ["two"]
    journal.append([RunEnded(run="one", at=20.0, status=Status.FAILED)], owner="one")
    assert journal.leases.owners() == [("two", OTHER)]
    journal.begin(started("three", "p"), OTHER, alive)
    assert {lease.run for lease in journal.leases.all()} == {"two", "three"}


def test_a_beat_is_a_sign_of_one_run_alone(journal: Journal) -> None:
    journal.begin(started("one", "p"), HERE, alive)
    journal.begin(started("two", "q"), HERE, alive)
    for _ in range(2):
        journal.leases.beat("one")
    assert {lease.run: lease.beat for lease in journal.leases.all()} == {"one": 2, "two": 0}


def test_nobody_owns_in_the_name_of_a_run_that_never_began(journal: Journal) -> None:
    with pytest.raises(RunTakenOver, match="the run nobody"):
        journal.append([RunEnded(run="nobody", at=1.0, status=Status.COMPLETED)], owner="nobody")
    assert journal.events.of("nobody") == []


def test_who_is_busy_is_told_with_what_to_do() -> None:
    error = busy("p", Lease(1, "r", OTHER, 4), Liveness.UNSURE)
    assert error.message == "'p' is being run already: r (process 2 on here)"
    assert "stagebook cancel r" in error.hint
    assert (error.run, error.beat, error.unsure) == ("r", 4, True)
    assert not busy("p", Lease(1, "r", OTHER, 4), Liveness.ALIVE).unsure

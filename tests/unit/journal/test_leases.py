"""Leases: who owns a pipeline, and what only an owner may do."""

from __future__ import annotations

import pytest

from journals import HERE, OTHER, alive, alter, dead, started
from stagebook.errors import RunTakenOver
from stagebook.events import RunEnded, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal


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

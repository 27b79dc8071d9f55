"""Runs, summed up in rows."""

from __future__ import annotations

from journals import HERE, alive, started
from stagebook.events import RunEnded, Status
from stagebook.journal.journal import Journal


def test_a_run_is_summed_up(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.params, record.ended) == (Status.RUNNING, {"x": 1}, None)
    journal.append([RunEnded(run="r", at=20.0, status=Status.FAILED, reason="no")])
    journal.append([RunEnded(run="r", at=30.0, status=Status.COMPLETED)])
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.ended) == (Status.FAILED, 20.0), "a final status stays"

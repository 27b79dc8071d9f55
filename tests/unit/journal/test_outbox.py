"""The outbox: a consumer takes each event once."""

from __future__ import annotations

from journals import HERE, alive, started
from stagebook import events
from stagebook.events import RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal


def test_a_consumer_gets_each_event_once_and_no_cells(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append(
        [
            events.CellStarted(run="r", at=1.0, stage="a", attempt=1, cell=1, cells=1),
            StageEnded(run="r", at=2.0, stage="a", status=Status.COMPLETED),
        ]
    )
    pending = journal.outbox.pending("mlflow")
    assert [type(event) for _, event in pending] == [RunStarted, StageEnded]
    journal.outbox.taken("mlflow", pending[0][0])
    assert [type(event) for _, event in journal.outbox.pending("mlflow")] == [StageEnded]
    assert journal.outbox.count_pending("mlflow") == 1
    assert journal.outbox.count_pending("another") == 2

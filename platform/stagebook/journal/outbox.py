"""What consumers of events, such as MLflow, have taken, and what stands there for runs and attempts."""

from __future__ import annotations

from collections.abc import Mapping

from stagebook.events import Event
from stagebook.journal.database import Database
from stagebook.journal.event_log import EventLog

MLFLOW = "mlflow"  # the consumer that tells MLflow

_PENDING = (
    "FROM events WHERE type NOT IN ('CellStarted', 'CellEnded', 'AttemptProgress', 'AttemptFrozen')"
    " AND seq > coalesce((SELECT seq FROM positions WHERE consumer = ?), 0)"
)


def attempt_key(run: str, stage: str, attempt: int) -> str:
    """What an attempt is called in `tracked`; a run is called by its id."""
    return f"{run}/{stage}/{attempt}"


class Outbox:
    """A consumer keeps a position: the events after it are its outbox."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._db = database
        self._events = events

    def pending(self, consumer: str, limit: int = 200) -> list[tuple[int, Event]]:
        """The next events that a consumer has not taken yet."""
        query = f"SELECT seq, run, data, sum {_PENDING} ORDER BY seq LIMIT ?"
        rows = self._db.read(query, (consumer, limit))
        return [(row[0], self._events.read(*row)) for row in rows]

    def count_pending(self, consumer: str) -> int:
        """How many events a consumer has still to take."""
        return int(self._db.read(f"SELECT count(*) {_PENDING}", (consumer,))[0][0])

    def taken(self, consumer: str, seq: int) -> None:
        """Note that a consumer has taken all events up to `seq`."""
        with self._db.write():
            self._db.do("INSERT OR REPLACE INTO positions VALUES (?, ?)", (consumer, seq))

    def tracked(self, key: str) -> tuple[str, str] | None:
        """The ids of the MLflow experiment and run that stand for a run or an attempt."""
        rows = self._db.read("SELECT experiment, mlflow_run FROM tracked WHERE key = ?", (key,))
        return (rows[0][0], rows[0][1]) if rows else None

    def track(self, key: str, experiment: str, mlflow_run: str) -> None:
        """Note which MLflow run stands for a run or an attempt."""
        with self._db.write():
            self._db.do("INSERT OR REPLACE INTO tracked VALUES (?, ?, ?)", (key, experiment, mlflow_run))

    def take_over(self, positions: Mapping[str, int], tracked: Mapping[str, tuple[str, str]]) -> None:
        """Note what consumers had taken of another journal with the same events."""
        with self._db.write():
            for consumer, seq in positions.items():
                self.taken(consumer, seq)
            for key, (experiment, mlflow_run) in tracked.items():
                self.track(key, experiment, mlflow_run)

"""What consumers of events, such as MLflow, have taken, and what stands there for runs and attempts."""

from __future__ import annotations

from collections.abc import Mapping

from stagebook.errors import JournalUnreadable
from stagebook.events import Event
from stagebook.journal.database import Database, has_table
from stagebook.journal.event_log import EventLog

MLFLOW = "mlflow"  # the consumer that tells MLflow

# Made when they are first written to: an older version reads a journal that has them.
_PASSED_OVER = (
    "CREATE TABLE IF NOT EXISTS passed_over (consumer TEXT NOT NULL, run TEXT NOT NULL, what TEXT NOT NULL,"
    " PRIMARY KEY (consumer, run, what))"
)
_TROUBLES = "CREATE TABLE IF NOT EXISTS troubles (consumer TEXT PRIMARY KEY, reason TEXT NOT NULL)"
_PENDING = (
    "FROM events WHERE run != '' AND type NOT IN ('CellStarted', 'CellEnded', 'AttemptProgress', 'AttemptFrozen')"
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
        """The next events that a consumer has not taken yet. Raises `JournalUnreadable` where the very next one is
        damaged."""
        query = f"SELECT seq, run, data, sum {_PENDING} ORDER BY seq LIMIT ?"
        found: list[tuple[int, Event]] = []
        for row in self._db.read(query, (consumer, limit)):
            try:
                found.append((row[0], self._events.read(*row)))
            except JournalUnreadable:
                if not found:  # else those before it come first
                    raise
                break
        return found

    def skip_damaged(self, consumer: str) -> bool:
        """Pass over the next event that a consumer has to take, if it is not as it was written; whether it is not."""
        for row in self._db.read(f"SELECT seq, run, data, sum {_PENDING} ORDER BY seq LIMIT 1", (consumer,)):
            try:
                self._events.read(*row)
            except JournalUnreadable as error:
                self.pass_over(consumer, str(row[1]), str(error))
                self.taken(consumer, row[0])
                return True
        return False

    def count_pending(self, consumer: str, last: int | None = None) -> int:
        """How many events a consumer has still to take, up to the one of the number `last`."""
        query = f"SELECT count(*) {_PENDING} AND seq <= ?"
        return int(self._db.read(query, (consumer, 2**62 if last is None else last))[0][0])

    def last(self) -> int:
        """The number of the last event; 0 where there is none."""
        return int(self._db.read("SELECT coalesce(max(seq), 0) FROM events")[0][0])

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

    def forget(self, run: str) -> None:
        """Nothing stands for a run and its attempts any more."""
        with self._db.write():
            self._db.do(
                "DELETE FROM tracked WHERE key = ? OR substr(key, 1, ?) = ?", (run, len(run) + 1, f"{run}/")
            )

    # -- what went wrong ------------------------------------------------------------------------

    def pass_over(self, consumer: str, run: str, what: str) -> None:
        """Note that a consumer does not take something that a run has to tell, and why."""
        with self._db.write():
            self._db.do(_PASSED_OVER)
            self._db.do("INSERT OR IGNORE INTO passed_over VALUES (?, ?, ?)", (consumer, run, what))

    def passed_over(self, consumer: str, run: str | None = None) -> list[tuple[str, str]]:
        """What a consumer did not take, of one run or of all: the run, and what it was and why."""
        if not has_table(self._db, "passed_over"):
            return []
        query = "SELECT run, what FROM passed_over WHERE consumer = ? AND ? IN (run, '') ORDER BY rowid"
        return [(row[0], row[1]) for row in self._db.read(query, (consumer, run or ""))]

    def set_trouble(self, consumer: str, reason: str) -> None:
        """Note why a consumer takes nothing at present; empty: it does."""
        if reason == self.trouble(consumer):
            return
        with self._db.write():
            self._db.do(_TROUBLES)
            self._db.do("INSERT OR REPLACE INTO troubles VALUES (?, ?)", (consumer, reason))

    def trouble(self, consumer: str) -> str:
        """Why a consumer took nothing when it was last told; empty where it did."""
        if not has_table(self._db, "troubles"):
            return ""
        rows = self._db.read("SELECT reason FROM troubles WHERE consumer = ?", (consumer,))
        return str(rows[0][0]) if rows else ""

    def take_over(self, positions: Mapping[str, int], tracked: Mapping[str, tuple[str, str]]) -> None:
        """Note what consumers had taken of another journal with the same events."""
        with self._db.write():
            for consumer, seq in positions.items():
                self.taken(consumer, seq)
            for key, (experiment, mlflow_run) in tracked.items():
                self.track(key, experiment, mlflow_run)

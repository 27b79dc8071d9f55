"""The runs of a pipeline over time: what is read for a grid or a calendar, without the events of all runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from stagebook.events import Event
from stagebook.journal.database import Database
from stagebook.journal.event_log import EventLog
from stagebook.journal.run_table import RunRecord, records_of
from stagebook.statuses import Status

# Points of sweeps are experiments; what states something, such as an acceptance, ran nothing.
_RUNS = (
    "pipeline = ?1 AND kind = 'run' AND started >= ?2 AND started < ?3"
    " AND (parent = '' OR parent IN (SELECT id FROM runs WHERE pipeline = ?1 AND kind = 'backfill'))"
)
# What says how the stages of a run are; what cells did and printed does not.
_SAYS = (
    "RunStarted", "AttemptStarted", "StageRetrying", "StageExpanded", "StageEnded", "NoteAdded", "RunEnded",
)  # fmt: skip
# What says what the stages of a run came to: their status, and the numbers that they left.
_RESULTS = ("RunStarted", "AttemptEnded", "StageReused", "StageAccepted", "StageExpanded", "StageEnded")
_EVER = (0.0, 1e12)  # seconds since the epoch


class Timeline:
    """Reads runs of pipelines, those of backfills among them and points of sweeps not, in a stretch of time in which they began: from
    the first moment on, before the second one, in seconds since the epoch."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._db = database
        self._events = events

    def latest(self, pipeline: str, limit: int, within: tuple[float, float] | None = None) -> list[RunRecord]:
        """The latest runs, at most `limit`, in the order in which they began. Raises `JournalUnreadable`."""
        where = f"WHERE {_RUNS} ORDER BY started DESC, first_seq DESC LIMIT ?4"
        return records_of(self._db, where, [pipeline, *(within or _EVER), limit])[::-1]

    def count(self, pipeline: str, within: tuple[float, float] | None = None) -> int:
        """How many there are."""
        rows = self._db.read(f"SELECT count(*) FROM runs WHERE {_RUNS}", (pipeline, *(within or _EVER)))  # noqa: S608
        return int(rows[0][0])

    def outcomes(self, pipeline: str, within: tuple[float, float]) -> list[tuple[float, Status]]:
        """When each of them began, and its status, in that order."""
        query = f"SELECT started, status FROM runs WHERE {_RUNS} ORDER BY started"  # noqa: S608
        return [(at, Status(status)) for at, status in self._db.read(query, (pipeline, *within))]

    def statuses(self, runs: Iterable[str]) -> dict[str, Status]:
        """The statuses of runs, by their ids."""
        query = "SELECT id, status FROM runs WHERE id IN (SELECT value FROM json_each(?))"
        return {run: Status(status) for run, status in self._db.read(query, (json.dumps(list(runs)),))}

    def backfills(self, pipeline: str, limit: int) -> list[RunRecord]:
        """The latest backfills, the newest first. Raises `JournalUnreadable`."""
        where = "WHERE pipeline = ? AND kind = 'backfill' ORDER BY started DESC, first_seq DESC LIMIT ?"
        return records_of(self._db, where, [pipeline, limit])

    def events_of(self, runs: Iterable[str]) -> dict[str, list[Event]]:
        """Of each run the events that say how its stages are and what was noted, in order. Raises `JournalUnreadable`."""
        return {run: self._some(run, _SAYS) for run in runs}

    def results_of(self, run: str) -> list[Event]:
        """The events that say what the stages of a run came to, in order. Raises `JournalUnreadable`."""
        return self._some(run, _RESULTS)

    def _some(self, run: str, types: Sequence[str]) -> list[Event]:
        rows = self._db.read(
            "SELECT seq, run, data, sum FROM events WHERE run = ?"
            " AND type IN (SELECT value FROM json_each(?)) ORDER BY seq",
            (run, json.dumps(types)),
        )
        return [self._events.read(*row) for row in rows]

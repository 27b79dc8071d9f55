"""The events of all runs, in the order in which they were acknowledged."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from typing import Any

from stagebook.errors import JournalUnreadable
from stagebook.event_reading import from_json
from stagebook.events import AttemptEnded, AttemptStarted, BookmarkMoved, Event, StageMeasured
from stagebook.journal.database import Database, numbered_sum
from stagebook.observed import Observed

_MOST_MEASURED = 4_000  # events that are read to compare figures


class EventLog:
    """The events of all runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(
        self, run: str, *, after: int = 0, limit: int = -1, lenient: bool = False
    ) -> list[tuple[int, Event]]:
        """The events of a run with their numbers, in order, from the one after `after` on; at most `limit`, or all. `lenient`: those
        that are damaged are passed over."""
        rows = self._db.read(
            "SELECT seq, run, data, sum FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
            (run, after, limit),
        )
        if lenient:
            found = ((row[0], undamaged(self, row)) for row in rows)
            return [(number, event) for number, event in found if event is not None]
        return [(row[0], self.read(*row)) for row in rows]

    def after(self, number: int) -> list[tuple[int, Event]]:
        """The events of all runs with their numbers, in order, from the one after `number` on."""
        rows = self._db.read("SELECT seq, run, data, sum FROM events WHERE seq > ? ORDER BY seq", (number,))
        return [(row[0], self.read(*row)) for row in rows]

    def find(self, number: int) -> Event | None:
        """The event with a number."""
        rows = self._db.read("SELECT seq, run, data, sum FROM events WHERE seq = ?", (number,))
        return self.read(*rows[0]) if rows else None

    def start_of(self, number: int) -> AttemptStarted | None:
        """The beginning of the attempt that ended with the event of a number."""
        rows = self._db.read(
            "SELECT s.seq, s.run, s.data, s.sum FROM events e JOIN events s ON s.run = e.run AND s.seq < e.seq AND s.stage = e.stage"
            " AND s.type = 'AttemptStarted' WHERE e.seq = ? ORDER BY s.seq DESC LIMIT 1",
            (number,),
        )
        found = self.read(*rows[0]) if rows else None
        return found if isinstance(found, AttemptStarted) else None

    def last_number(self) -> int:
        """The number of the last event; 0 where there is none."""
        return int(self._db.read("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def read(self, seq: int, run: Any, data: Any, kept: Any) -> Event:
        """The event of a row. Raises `JournalUnreadable` where it is not as it was written."""
        try:
            if kept == numbered_sum(seq, data):
                event = from_json(json.loads(data))
                if event.run == run:
                    return event
        except (ValueError, TypeError, AttributeError):
            pass
        raise self._db.damaged(f"its event {seq}")

    def write(self, event: Event, number: int | None = None) -> int:
        """Write an event, within a transaction; its number."""
        data = event.to_json()
        text = json.dumps(data)
        if number is None:
            number = self._db.read("SELECT coalesce(max(seq), 0) + 1 FROM events")[0][0]
        row = (number, event.run, data["type"], data.get("stage"), event.at, text, numbered_sum(number, text))
        return self._db.do(
            "INSERT INTO events (seq, run, type, stage, at, data, sum) VALUES (?, ?, ?, ?, ?, ?, ?)", row
        )

    def count(self) -> tuple[int, list[int]]:
        """How many events there are, and the numbers of those that are not as they were written."""
        count, damaged = 0, []
        for row in self._db.read("SELECT seq, run, data, sum FROM events"):
            count += 1
            try:
                self.read(*row)
            except JournalUnreadable:
                damaged.append(row[0])
        return count, damaged

    def runs_with_kernels(self) -> list[str]:
        """The runs in which a failed stage left its kernel alive, the latest first."""
        rows = self._db.read(
            "SELECT run, max(seq) FROM events WHERE type = 'AttemptEnded'"
            " AND json_extract(data, '$.kernel') IS NOT NULL GROUP BY run ORDER BY 2 DESC"
        )
        return [row[0] for row in rows]

    def last_runs(self, pipeline: str, *, until: int | None = None) -> dict[str, str]:
        """For each stage that ever ran in a pipeline, or was reused, the last run in which it did; up to the event
        with the number `until`."""
        rows = self._db.read(
            "SELECT stage, run, max(seq) FROM events WHERE (type = 'AttemptStarted' OR type = 'StageEnded'"
            " AND json_extract(data, '$.status') != 'skipped') AND seq <= coalesce(?, seq) AND run IN"
            " (SELECT id FROM runs WHERE pipeline = ?) GROUP BY stage",
            (until, pipeline),
        )
        return {stage: run for stage, run, _ in rows}

    def observations(self, pipeline: str, runs: int = -1) -> dict[str, Observed | None]:
        """For each stage what its last attempt that completed was seen to read and write, in the latest `runs`, or in
        all; with the paths that were declared then."""
        rows = self._db.read(
            "SELECT stage, json_extract(data, '$.observed'), json_extract(data, '$.inputs'),"
            " json_extract(data, '$.outputs'), max(seq) FROM events"
            " WHERE type = 'AttemptEnded' AND json_extract(data, '$.cause') IS NULL AND run IN"
            " (SELECT id FROM runs WHERE pipeline = ? ORDER BY first_seq DESC LIMIT ?) GROUP BY stage",
            (pipeline, runs),
        )
        found: dict[str, Observed | None] = {}
        for stage, text, inputs, outputs, _ in rows:
            observed = Observed.from_json(json.loads(text)) if text else None
            if observed is not None:
                observed = dataclasses.replace(observed, inputs=_read(inputs), outputs=_made(outputs))
            found[stage] = observed
        return found

    def durations(self, pipeline: str, runs: int = 5) -> dict[str, float]:
        """For each stage the median of how many seconds it took to complete in the latest runs."""
        try:
            rows = self._db.read(
                "SELECT stage, json_extract(data, '$.seconds') FROM events WHERE type = 'AttemptEnded'"
                " AND json_extract(data, '$.cause') IS NULL AND run IN"
                " (SELECT id FROM runs WHERE pipeline = ? ORDER BY started DESC LIMIT ?)",
                (pipeline, runs),
            )
        except JournalUnreadable:
            return {}  # of a damaged event: what is expected is a courtesy
        found: dict[str, list[float]] = {}
        for stage, seconds in rows:
            if isinstance(seconds, float | int):
                found.setdefault(str(stage), []).append(seconds)
        return {stage: statistics.median(times) for stage, times in found.items()}

    def of_bookmark(self, pipeline: str, stage: str) -> list[tuple[int, AttemptEnded | BookmarkMoved]]:
        """What a stage instance read and what moved its bookmark, with the numbers of the events, in order: its attempts that
        completed among them. Raises `JournalUnreadable`."""
        rows = self._db.read(
            "SELECT seq, run, data, sum FROM events WHERE stage = ? AND type IN ('AttemptEnded', 'BookmarkMoved')"
            " AND run IN (SELECT id FROM runs WHERE pipeline = ?) ORDER BY seq",
            (stage, pipeline),
        )
        found = ((row[0], self.read(*row)) for row in rows)
        return [
            (number, event)
            for number, event in found
            if isinstance(event, BookmarkMoved) or (isinstance(event, AttemptEnded) and event.cause is None)
        ]

    def measured(self, pipeline: str, runs: int) -> list[StageMeasured]:
        """What was kept for monitors in the latest runs of a pipeline, the earliest first; of pipelines with very many stages
        not all of it. Raises `JournalUnreadable`."""
        rows = self._db.read(
            "SELECT seq, run, data, sum FROM events WHERE type = 'StageMeasured'"
            " AND run IN (SELECT id FROM runs WHERE pipeline = ? ORDER BY started DESC LIMIT ?) ORDER BY seq DESC LIMIT ?",
            (pipeline, runs, _MOST_MEASURED),
        )
        found = (self.read(*row) for row in reversed(rows))
        return [event for event in found if isinstance(event, StageMeasured)]


def undamaged(events: EventLog, row: Sequence[Any]) -> Event | None:
    """The event of a row; `None` where it is damaged, for those to whom the rest is worth knowing all the same. `doctor` tells."""
    try:
        return events.read(*row)
    except JournalUnreadable:
        return None


def _read(inputs: str | None) -> tuple[str, ...]:
    """The paths of inputs as an event keeps them."""
    return tuple(item["path"] for items in json.loads(inputs or "{}").values() for item in items)


def _made(outputs: str | None) -> tuple[str, ...]:
    """The paths of outputs as an event keeps them."""
    return tuple(item["path"] for item in json.loads(outputs or "{}").values())

"""What runs are about: their intervals, and the schedules that started them. A table of the journal, written in one
transaction with the beginning of the run, and made with the first such run: a journal without any is as it was, and an older
version reads one that has some.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.events import RunStarted
from stagebook.journal.database import Database, has_table, sum_of
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at

_COLUMNS = "run, pipeline, start, end, name, zone, schedule"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS intervals (
    run TEXT PRIMARY KEY, pipeline TEXT NOT NULL, start REAL NOT NULL, end REAL NOT NULL, name TEXT NOT NULL,
    zone TEXT NOT NULL, schedule TEXT NOT NULL, sum INTEGER NOT NULL
)""",
    "CREATE INDEX IF NOT EXISTS intervals_of_pipeline ON intervals (pipeline, start)",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunInterval:
    """What a run is about. `interval`: `None` where the run has a schedule alone; `name` is its label."""

    run: str
    pipeline: str
    interval: Interval | None = None
    name: str = ""
    schedule: str = ""


class IntervalTable:
    """The intervals of all runs that have one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, event: RunStarted) -> None:
        """Write what a run is about that begins, within a transaction; nothing where it says nothing of it."""
        if not (event.interval or event.schedule):
            return
        start, end, name, zone = 0.0, 0.0, "", ""
        if event.interval:
            one = Interval.from_json(event.interval)
            start, end, name, zone = one.start.timestamp(), one.end.timestamp(), one.name, one.zone
        row = (event.run, event.pipeline, start, end, name, zone, event.schedule)
        for statement in _TABLES:
            self._db.do(statement)
        self._db.do("INSERT OR REPLACE INTO intervals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, sum_of(*row)))

    def of_runs(self, runs: Iterable[str]) -> dict[str, RunInterval]:
        """What these runs are about, by their ids; those that are about nothing are left out. Raises `JournalUnreadable`."""
        where = "WHERE run IN (SELECT value FROM json_each(?))"
        return {one.run: one for one in self._rows(where, (json.dumps(list(runs)),))}

    def of_pipeline(self, pipeline: str, within: Interval | None = None) -> list[RunInterval]:
        """What the runs of a pipeline are about, by the starts of the intervals, and of one interval in the order of the runs;
        `within`: only intervals that meet this one. Raises `JournalUnreadable`."""
        start, end = (
            (within.start.timestamp(), within.end.timestamp()) if within is not None else (None, None)
        )
        where = "WHERE pipeline = ?1 AND end > start AND (?2 IS NULL OR (end > ?2 AND start < ?3)) ORDER BY start, rowid"
        return self._rows(where, (pipeline, start, end))

    def completed(self, pipeline: str) -> list[Interval]:
        """The intervals of the runs of a pipeline that completed, by their starts."""
        where = (
            "WHERE pipeline = ?1 AND end > start AND run IN"
            " (SELECT id FROM runs WHERE pipeline = ?1 AND status = 'completed') ORDER BY start, rowid"
        )
        found = {one.interval: None for one in self._rows(where, (pipeline,)) if one.interval is not None}
        return list(found)

    def count(self) -> tuple[int, int]:
        """How many there are, and how many are not as they were written."""
        if not has_table(self._db, "intervals"):
            return 0, 0
        rows = self._db.read(f"SELECT {_COLUMNS}, sum FROM intervals")  # noqa: S608
        return len(rows), sum(row[-1] != sum_of(*row[:-1]) for row in rows)

    def _rows(self, where: str, values: Sequence[Any]) -> list[RunInterval]:
        if not has_table(self._db, "intervals"):
            return []
        found = []
        for row in self._db.read(f"SELECT {_COLUMNS}, sum FROM intervals {where}", values):  # noqa: S608
            if row[-1] != sum_of(*row[:-1]):
                raise self._db.damaged(f"the interval of the run {row[0]}")
            found.append(_record(dict(zip(_COLUMNS.split(", "), row[:-1], strict=True))))
        return found


def _record(row: Mapping[str, Any]) -> RunInterval:
    interval = None
    if row["end"] > row["start"]:
        interval = Interval(start=at(row["start"]), end=at(row["end"]), zone=row["zone"])
    return RunInterval(
        run=row["run"],
        pipeline=row["pipeline"],
        interval=interval,
        name=row["name"],
        schedule=row["schedule"],
    )

"""Incidents: tables of the journal, in which events are added up when somebody looks.

They are made with the first look, so that a journal at which nobody looked is as it was, and made anew where they are lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from stagebook.events import Event
from stagebook.incidents.fold import Incidents, RunFacts
from stagebook.incidents.incident import Change, Incident
from stagebook.journal.database import Database, has_table, sum_of
from stagebook.journal.event_log import EventLog, undamaged

_TABLES = (
    "CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, data TEXT NOT NULL, sum INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS incident_changes (number INTEGER NOT NULL, place INTEGER NOT NULL, incident TEXT NOT NULL,
    data TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (number, place))""",
    "CREATE INDEX IF NOT EXISTS changes_of_incident ON incident_changes (incident, number)",
    "CREATE TABLE IF NOT EXISTS incidents_until (only INTEGER PRIMARY KEY CHECK (only = 0), number INTEGER NOT NULL)",
)
# Of attempts those alone that say something: of the others, that their stage ended is enough. Points of sweeps are experiments;
# intervals of backfills are not.
# An event that belongs to no run names its pipeline. Of one that is damaged SQLite is not asked what it says: it would refuse all.
_NEW = """SELECT e.seq, e.run, e.data, e.sum, coalesce(r.pipeline, json_extract(e.data, '$.pipeline'), ''), coalesce(r.kind, ''),
coalesce(r.parent, '')
FROM (SELECT seq, run, type, CASE WHEN json_valid(data) THEN data END AS data, sum FROM events) e
LEFT JOIN runs r ON r.id = e.run LEFT JOIN runs p ON p.id = r.parent
WHERE e.seq > ? AND (r.parent = '' OR e.run = '' OR p.kind = 'backfill') AND (
    e.type IN ('StageEnded', 'FiguresCompared', 'RunEnded', 'IncidentMarked', 'ScheduleChecked')
    OR e.type = 'AttemptEnded' AND (
        json_extract(e.data, '$.cause') IS NOT NULL OR json_extract(e.data, '$.audits') != '{}')
    OR e.type IN ('StageReused', 'StageAccepted') AND json_extract(e.data, '$.audits') != '{}'
) ORDER BY e.seq"""
_OUTCOME = """SELECT seq, run, data, sum FROM events WHERE run = ? AND stage = ? AND seq <= ?
AND type IN ('AttemptEnded', 'StageReused', 'StageAccepted') ORDER BY seq DESC LIMIT 1"""


class IncidentTable:
    """The incidents of one journal, which is of one environment."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._db = database
        self._events = events

    def look(self, *, opens: bool) -> list[Incident]:
        """The incidents as they stand now, the latest first.

        Args:
            opens: whether the runs that nobody looked at yet may open any.

        Raises:
            JournalUnreadable: the journal is damaged.
        """
        if not opens and not self._are_there():
            return []
        last = self._events.last_number()
        if last <= self._until():
            found = self._all()
        elif not self._db.is_writable:
            found = self._fold(opens=opens)[0]
        else:
            with self._db.write():  # another process may be at it
                for statement in _TABLES:
                    self._db.do(statement)
                found, changes = self._fold(opens=opens)
                self._save(found, changes, self._events.last_number())
        return sorted(found, key=lambda one: (one.opened, one.id), reverse=True)

    def changes_after(self, number: int) -> list[Change]:
        """What happened to incidents after the event with a number, as of the last look."""
        return list(self._changes("WHERE number > ?", number)) if self._are_there() else []

    def changes_of(self, incident: str) -> list[Change]:
        """What happened to an incident, as of the last look."""
        return list(self._changes("WHERE incident = ?", incident)) if self._are_there() else []

    def _are_there(self) -> bool:
        return has_table(self._db, "incidents_until")

    def _until(self) -> int:
        rows = self._db.read("SELECT number FROM incidents_until") if self._are_there() else ()
        return int(rows[0][0]) if rows else 0

    def _all(self) -> list[Incident]:
        if not self._are_there():
            return []
        rows = self._db.read("SELECT id, data, sum FROM incidents")
        return [Incident.from_json(self._read(f"the incident {row[0]}", *row)) for row in rows]

    def _changes(self, where: str, value: object) -> Iterator[Change]:
        query = f"SELECT incident, data, sum FROM incident_changes {where} ORDER BY number, place"  # noqa: S608
        for row in self._db.read(query, (value,)):
            yield Change.from_json(self._read(f"what happened to the incident {row[0]}", *row))

    def _read(self, what: str, key: str, data: str, kept: int) -> dict[str, object]:
        if kept != sum_of(key, data):
            raise self._db.damaged(what)
        read: dict[str, object] = json.loads(data)
        return read

    def _fold(self, *, opens: bool) -> tuple[list[Incident], list[Change]]:
        until = self._until()
        straddling = {
            row[0]
            for row in self._db.read(
                "SELECT id FROM runs WHERE first_seq <= ? AND id IN (SELECT run FROM events WHERE seq > ?)",
                (until, until),
            )
        }

        def outcome_of(run: str, stage: str) -> Event | None:
            rows = self._db.read(_OUTCOME, (run, stage, until)) if run in straddling else ()
            return undamaged(self._events, rows[0]) if rows else None

        def parent_of(run: str) -> str:
            rows = self._db.read("SELECT parent FROM runs WHERE id = ?", (run,))
            return str(rows[0][0]) if rows else ""

        fold = Incidents(self._all(), outcome_of, parent_of)
        changes: list[Change] = []
        for seq, run, data, kept, pipeline, kind, parent in self._db.read(_NEW, (until,)):
            event = undamaged(self._events, (seq, run, data, kept))
            if event is not None:
                facts = RunFacts(pipeline=pipeline, kind=kind, opens=opens, parent=parent)
                changes += fold.take(seq, event, facts)
        return list(fold.all.values()), changes

    def _save(self, found: list[Incident], changes: list[Change], until: int) -> None:
        changed = {change.incident for change in changes}
        for one in found:
            if one.id in changed:
                data = json.dumps(one.to_json())
                row = (one.id, data, sum_of(one.id, data))
                self._db.do("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?)", row)
        for place, change in enumerate(changes):
            data = json.dumps(change.to_json())
            values = (change.number, place, change.incident, data, sum_of(change.incident, data))
            self._db.do("INSERT OR REPLACE INTO incident_changes VALUES (?, ?, ?, ?, ?)", values)
        self._db.do("INSERT OR REPLACE INTO incidents_until VALUES (0, ?)", (until,))

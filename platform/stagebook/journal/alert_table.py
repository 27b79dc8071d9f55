"""Alerts that were made and have to be sent: a table of the journal, made with the first of them.

An alert is stored in the transaction in which the position of its consumer moves, so that none is lost and none is made twice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.events import VersionPublished
from stagebook.journal.database import Database, has_table, sum_of
from stagebook.journal.event_log import EventLog, undamaged
from stagebook.journal.outbox import Outbox

ALERTS = "alerts"  # the consumer
KEPT = 90 * 86_400.0  # seconds that an alert is kept once it was sent or dropped
_TABLE = """CREATE TABLE IF NOT EXISTS alerts (
    key TEXT PRIMARY KEY, rule TEXT NOT NULL, recipient TEXT NOT NULL, made REAL NOT NULL, data TEXT NOT NULL,
    sum INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, next REAL NOT NULL, trouble TEXT NOT NULL
)"""
_COLUMNS = "key, rule, recipient, made, data, sum, state, tries, next, trouble"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """An alert for one recipient of a rule. Times are seconds since the epoch.

    Args:
        key: what tells it from all others; the recipient gets it, too.
        message: what is told, as plain data.
        state: `waiting`, `sent` or `dropped`.
        tries: how often it was tried to send it.
        next: when that is tried again.
        trouble: why it could not be sent when it was last tried, or was dropped.
    """

    key: str
    rule: str
    recipient: str
    made: float
    message: Mapping[str, Any]
    state: str = "waiting"
    tries: int = 0
    next: float = 0.0
    trouble: str = ""

    def to_json(self) -> dict[str, Any]:
        """The alert as plain data."""
        return dataclasses.asdict(self)


class AlertTable:
    """The alerts of one journal."""

    def __init__(self, database: Database, outbox: Outbox, events: EventLog) -> None:
        self._db = database
        self._outbox = outbox
        self._events = events

    @property
    def position(self) -> int | None:
        """The number of the last event of which alerts were made; `None` where none were made yet."""
        rows = self._db.read("SELECT seq FROM positions WHERE consumer = ?", (ALERTS,))
        return int(rows[0][0]) if rows else None

    def begin(self) -> None:
        """Alerts are made of what happens from now on, if none were made before."""
        if self.position is None:
            self._outbox.taken(ALERTS, self._outbox.last())

    def store(self, alerts: Iterable[StoredAlert], until: int) -> None:
        """Keep new alerts, which are of events up to the number `until`. What is known by its key stays as it is."""
        with self._db.write():
            for one in alerts:
                self._db.do(_TABLE)
                data = json.dumps(one.message)
                row = (one.key, one.rule, one.recipient, one.made, data)
                more = (one.state, one.tries, one.next, one.trouble)
                self._db.do(
                    "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, sum_of(*row), *more),
                )
            self._outbox.taken(ALERTS, until)

    def versions_after(self, number: int) -> list[tuple[int, VersionPublished]]:
        """What environments show since the event with a number: the events, with their numbers. One that is damaged is passed
        over: it keeps nobody from being told of the rest."""
        query = (
            "SELECT seq, run, data, sum FROM events WHERE seq > ? AND type = 'VersionPublished' ORDER BY seq"
        )
        found = [(row[0], undamaged(self._events, row)) for row in self._db.read(query, (number,))]
        return [(seq, event) for seq, event in found if isinstance(event, VersionPublished)]

    def waiting(self) -> list[StoredAlert]:
        """Those that have yet to be sent, the earliest first."""
        return self._of("WHERE state = 'waiting' ORDER BY made, rowid")

    def latest(self, limit: int) -> list[StoredAlert]:
        """The latest ones, whatever became of them; the newest first."""
        return self._of("ORDER BY made DESC, rowid DESC LIMIT ?", limit)

    def trying(self, key: str, again: float) -> None:
        """An alert is about to be sent; if nothing comes of it, it is tried again at a time."""
        self._set("tries = tries + 1, next = ?", again, key)

    def failed(self, key: str, trouble: str) -> None:
        """An alert could not be sent, and why."""
        self._set("trouble = ?", trouble, key)

    def sent(self, key: str) -> None:
        """An alert was sent."""
        self._set("state = 'sent', trouble = ?", "", key)

    def drop(self, key: str, why: str) -> None:
        """An alert is not sent any more, and why."""
        self._set("state = 'dropped', trouble = ?", why, key)

    def prune(self, now: float) -> None:
        """Forget what was sent or dropped long ago."""
        if has_table(self._db, "alerts") and self._db.read(f"SELECT 1 {_OLD} LIMIT 1", (now - KEPT,)):
            with self._db.write():
                self._db.do(f"DELETE {_OLD}", (now - KEPT,))

    def _set(self, what: str, value: object, key: str) -> None:
        with self._db.write():
            self._db.do(f"UPDATE alerts SET {what} WHERE key = ?", (value, key))  # noqa: S608 - no text of others

    def _of(self, which: str, *values: object) -> list[StoredAlert]:
        if not has_table(self._db, "alerts"):
            return []
        found = []
        for row in self._db.read(f"SELECT {_COLUMNS} FROM alerts {which}", values):  # noqa: S608
            key, rule, recipient, made, data, kept, *more = row
            if kept != sum_of(key, rule, recipient, made, data):
                raise self._db.damaged(f"the alert {key}")
            fields = dict(zip(("state", "tries", "next", "trouble"), more, strict=True))
            message = json.loads(data)
            found.append(
                StoredAlert(key=key, rule=rule, recipient=recipient, made=made, message=message, **fields)
            )
        return found


_OLD = "FROM alerts WHERE state != 'waiting' AND made < ?"

"""Digests that were made: a table of the journal, made when the first rule asks for one.

It says since when a rule is there, so that its first digest is about a week that it has seen whole, and about which week the last
one was made. That is written in one transaction with the alerts: a digest is made once, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Iterable

from stagebook.journal.alert_table import AlertTable, StoredAlert
from stagebook.journal.database import Database, has_table, sum_of

_TABLE = """CREATE TABLE IF NOT EXISTS digests (
    rule TEXT PRIMARY KEY, asked TEXT NOT NULL, since REAL NOT NULL, made REAL NOT NULL, sum INTEGER NOT NULL
)"""


class DigestTable:
    """The digests of one journal. Times are seconds since the epoch."""

    def __init__(self, database: Database, alerts: AlertTable) -> None:
        self._db = database
        self._alerts = alerts

    def is_due(self, rule: str, asked: str, week: tuple[float, float], now: float) -> bool:
        """Whether a digest about a week has yet to be made for a rule: the rule was there when the week began, and none was made
        about it or a later one. A rule that is new, or `asked` for another time of the week before, is there from now on.

        Raises:
            JournalUnreadable: the journal is damaged.
        """
        known = self._find(rule)
        if known is None or known[0] != asked:
            made = known[2] if known is not None else 0.0
            with self._db.write():
                self._put(rule, asked, now, made)
            return False
        _, since, made = known
        return since <= week[0] and made < week[1]

    def store(self, rule: str, week: tuple[float, float], alerts: Iterable[StoredAlert]) -> None:
        """Keep the alerts that a digest about a week is, and that it was made; both or neither."""
        known = self._find(rule)
        assert known is not None, "asked first whether it is due"
        with self._db.write():
            self._alerts.store(alerts, self._alerts.position or 0)
            self._put(rule, known[0], known[1], week[1])

    def _put(self, rule: str, asked: str, since: float, made: float) -> None:
        self._db.do(_TABLE)
        row = (rule, asked, float(since), float(made))
        self._db.do("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", (*row, sum_of(*row)))

    def _find(self, rule: str) -> tuple[str, float, float] | None:
        """What a rule asked for, since when it is there, and up to when digests were made."""
        if not has_table(self._db, "digests"):
            return None
        for row in self._db.read("SELECT rule, asked, since, made, sum FROM digests WHERE rule = ?", (rule,)):
            if row[-1] != sum_of(*row[:-1]):
                raise self._db.damaged(f"what is known of the digests of the rule {rule}")
            return row[1], row[2], row[3]
        return None

"""The database of the journal: its schema, and transactions. The only door to SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import JournalUnreadable

VERSION = 2
BUSY_TIMEOUT = 30.0  # seconds

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, type TEXT NOT NULL,
    stage TEXT, at REAL NOT NULL, data TEXT NOT NULL, sum INTEGER
);
CREATE INDEX IF NOT EXISTS events_of_run ON events (run, seq);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, params TEXT NOT NULL, origin TEXT NOT NULL,
    first_seq INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'run', parent TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS runs_of_pipeline ON runs (pipeline, started);
CREATE TABLE IF NOT EXISTS owners (
    pipeline TEXT PRIMARY KEY, run TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    host TEXT NOT NULL, beat INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS positions (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracked (
    key TEXT PRIMARY KEY, experiment TEXT NOT NULL, mlflow_run TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS results (
    number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, head TEXT NOT NULL, pipeline TEXT NOT NULL,
    stage TEXT NOT NULL, at REAL NOT NULL, data TEXT NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS results_of_fingerprint ON results (fingerprint, number);
CREATE INDEX IF NOT EXISTS results_of_head ON results (head);
CREATE TABLE IF NOT EXISTS latest (
    pipeline TEXT NOT NULL, stage TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (pipeline, stage)
)
"""
_TO_2 = (
    "ALTER TABLE events ADD COLUMN sum INTEGER",
    "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'run'",
    "ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE owners ADD COLUMN beat INTEGER NOT NULL DEFAULT 0",
)

DatabaseError = sqlite3.Error


def checksum(text: str) -> int:
    """What tells that a text was kept as it was written (CRC-32)."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


class Database:
    """One connection. Its methods raise `JournalUnreadable`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._depth = 0
        old = os.umask(0o077)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise self.unreadable(error) from error
        finally:
            os.umask(old)

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._version()
        if version > VERSION:
            msg = f"the journal {self.path} is of a newer version of Stagebook ({version})"
            raise JournalUnreadable(msg, hint="upgrade Stagebook, or use another checkout")
        if version < VERSION:
            with self.write():
                version = self._version()  # another process may have been faster
                for statement in _TO_2 if version == 1 else ():
                    self._db.execute(statement)
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close it."""
        self._db.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """A transaction that writes; within another one, a part of it."""
        if self._depth:
            yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1
        except sqlite3.Error as error:
            raise self.unreadable(error) from error

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self.unreadable(error) from error

    def do(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Carry out a statement within `write`; the number of the row that it inserted."""
        return int(self._db.execute(statement, values).lastrowid or 0)

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        try:
            found = [row[0] for row in self._db.execute("PRAGMA quick_check(20)").fetchall()]
        except sqlite3.Error as error:
            return [str(error)]
        return [text for text in found if text != "ok"]

    def unreadable(self, error: Exception) -> JournalUnreadable:
        """The error for a person."""
        hint = "see: stagebook doctor"
        if "full" in str(error) or "No space" in str(error) or isinstance(error, OSError):
            hint = "see that there is room on the disk and that the folder can be written"
        elif "locked" in str(error):
            hint = "another process holds it; if that one is stopped, let it go on or end it"
        return JournalUnreadable(f"the journal {self.path} cannot be used: {error}", hint=hint)


def salvage(path: Path) -> tuple[list[tuple[int, str]], int]:
    """The texts of all events that can still be read of a damaged journal, by number, and how many
    could not. Raises `DatabaseError` where it is no database any more."""
    found: list[tuple[int, str]] = []
    lost = 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        todo = [(1, (last[0] if last else 0) + 1)]
        while todo:  # a range that cannot be read is halved until only what is damaged is left
            low, high = todo.pop()
            try:
                rows = db.execute(
                    "SELECT seq, data, sum FROM events WHERE seq >= ? AND seq < ?", (low, high)
                ).fetchall()
            except sqlite3.Error:
                if high - low <= 1:
                    lost += 1
                else:
                    middle = (low + high) // 2
                    todo += [(middle, high), (low, middle)]
                continue
            for seq, data, kept in rows:
                if isinstance(data, str) and (kept is None or kept == checksum(data)):
                    found.append((seq, data))
                else:
                    lost += 1
    return sorted(found), lost

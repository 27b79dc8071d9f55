"""The database of the journal: its schema, and transactions. The only door to SQLite.

Each row that something is decided by has a sum of what was written into it, since SQLite notices a
damaged page only where it cannot make sense of it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import JournalUnreadable
from stagebook.system.files import make_private

VERSION = 2
BUSY_TIMEOUT = 30.0  # seconds

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, type TEXT NOT NULL,
    stage TEXT, at REAL NOT NULL, data TEXT NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_run ON events (run, seq);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, params TEXT NOT NULL, origin TEXT NOT NULL,
    first_seq INTEGER NOT NULL, kind TEXT NOT NULL, parent TEXT NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_pipeline ON runs (pipeline, started);
CREATE INDEX IF NOT EXISTS runs_that_go_on ON runs (id) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS owners (
    pipeline TEXT PRIMARY KEY, run TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    host TEXT NOT NULL, mark TEXT NOT NULL, beat INTEGER NOT NULL
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
    pipeline TEXT NOT NULL, stage TEXT NOT NULL, number INTEGER NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY (pipeline, stage)
)
"""
# What version 1 lacked, and the sums of what it wrote.
_TO_2 = (
    "ALTER TABLE events ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
    "UPDATE events SET sum = numbered_sum(seq, data)",
    "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'run'",
    "ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
    """UPDATE runs SET sum = sum_of(
        id, pipeline, status, reason, started, ended, params, origin, first_seq, kind, parent)""",
    "ALTER TABLE owners ADD COLUMN mark TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE owners ADD COLUMN beat INTEGER NOT NULL DEFAULT 0",
)

_MARK = 0x53544200  # "STB"
_LOOKS = 10  # at a journal that somebody may just be making


# What is said of a damaged schema may quote it, and be no text.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def _text_of(error: Exception) -> str:
    return "its schema is no text" if isinstance(error, UnicodeDecodeError) else str(error)


def checksum(text: str) -> int:
    """What tells that a text was kept as it was written (CRC-32)."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def numbered_sum(number: int, text: str) -> int:
    """What tells that a text was kept as it was written, and under its number."""
    return checksum(f"{number}\n{text}")


def sum_of(*values: Any) -> int:
    """What tells that the values of a row were kept as they were written."""
    return checksum(json.dumps(values, default=repr))  # a damaged text may be bytes


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # what is no text any more is found out by its sum


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one in its place."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


class Database:
    """One connection. Its methods raise `JournalUnreadable`.

    Where nothing can be written, as on a full disk or in a folder that is read-only, a journal that is there can be read
    all the same, as it was last written out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._depth = 0
        self.is_writable = True
        try:
            self._connect()
        except JournalUnreadable as error:
            if not error.no_room or not path.is_file() or not path.stat().st_size:
                raise
            self.is_writable = False
            if not self._connect_to_read():
                raise

    def _connect_to_read(self) -> bool:
        """Connect without writing anything; whether that is possible. `immutable` passes over what is in the WAL alone."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        modes = ["mode=ro"] if wal.exists() and wal.stat().st_size else ["mode=ro", "immutable=1"]
        for mode in modes:
            self._db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None
            )
            self._db.text_factory = _decoded
            with contextlib.suppress(*_ERRORS):
                if self._version() == VERSION:
                    return True
            self._db.close()
        return False

    def _connect(self) -> None:
        path = self.path
        try:
            self._refuse_what_is_none()
            make_private(path.parent)
            if not path.exists():
                path.touch(mode=0o600)  # SQLite gives its other files the mode of this one
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            self._file = _identity(path)
            try:
                self._open()
            except BaseException:  # raised again, once it is closed
                self._db.close()
                raise
        except (*_ERRORS, OSError) as error:
            raise self.unreadable(error) from error

    def _refuse_what_is_none(self) -> None:
        """A journal is empty for the moment in which it is made, and never once anything was run."""
        runs = self.path.parent / "runs"
        if self.path.is_dir():
            msg = f"the journal {self.path} is a folder"
            raise JournalUnreadable(msg, hint="stagebook doctor --repair puts it aside", damaged=True)
        for _ in range(_LOOKS):
            if not self.path.is_file() or self.path.stat().st_size:
                return
            if not runs.is_dir() or not any(runs.iterdir()):
                return
            time.sleep(0.05)
        msg = f"the journal {self.path} is empty, though something was run here"
        raise JournalUnreadable(msg, hint="stagebook doctor --repair begins a new one", damaged=True)

    def _open(self) -> None:
        self._db.text_factory = _decoded
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._version()
        if version > VERSION and self._db.execute("PRAGMA application_id").fetchone()[0] == _MARK + VERSION:
            raise self.damaged("its version")
        if version > VERSION:
            msg = f"the journal {self.path} is of a newer version of Stagebook ({version})"
            raise JournalUnreadable(msg, hint="upgrade Stagebook, or use another checkout")
        if version < VERSION:
            self._db.create_function("numbered_sum", 2, numbered_sum, deterministic=True)
            self._db.create_function("sum_of", -1, sum_of, deterministic=True)
            with self.write():
                version = self._version()  # another process may have been faster
                for statement in _TO_2 if version == 1 else ():
                    self._db.execute(statement)
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")
                self._db.execute(f"PRAGMA application_id={_MARK + VERSION}")  # the same once more

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def relax(self) -> None:
        """Do not wait for the disk from here on: a power cut may take back the last transactions, whole ones."""
        self._db.execute("PRAGMA synchronous=NORMAL")

    def close(self) -> None:
        """Close it."""
        self._db.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """A transaction that writes; within another one, a part of it."""
        if self._depth:
            yield
            return
        if _identity(self.path) != self._file:
            msg = f"the journal {self.path} was removed or replaced while it was in use"
            raise JournalUnreadable(msg, hint="what cannot be recorded is not done; see: stagebook doctor")
        self.do("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self._commit()
        except BaseException:  # raised again, once all is taken back
            if self._db.in_transaction:
                self.do("ROLLBACK")
            raise
        finally:
            self._depth -= 1

    def _commit(self) -> None:
        self.do("COMMIT")

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        try:
            return self._db.execute(query, values).fetchall()
        except _ERRORS as error:
            raise self.unreadable(error) from error

    def do(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Carry out a statement within `write`; the number of the row that it inserted."""
        try:
            return int(self._db.execute(statement, values).lastrowid or 0)
        except _ERRORS as error:
            raise self.unreadable(error) from error

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        try:
            found = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check(20)").fetchall()]
        except _ERRORS as error:
            return [_text_of(error)]
        lines = [line for text in found for line in text.splitlines()]
        return [line for line in lines if line != "ok" and not line.startswith("***")]

    def unreadable(self, error: Exception) -> JournalUnreadable:
        """The error for a person."""
        text, hint = _text_of(error), "see: stagebook doctor"
        locked = "locked" in text
        no_room = isinstance(error, OSError) or getattr(error, "sqlite_errorname", "").startswith(_NO_ROOM)
        if no_room:
            hint = "see that there is room on the disk and that the folder can be written"
        elif locked:
            hint = "another process holds it; if that one is stopped, let it go on or end it"
        damaged = not (locked or no_room)
        msg = f"the journal {self.path} cannot be used: {text}"
        return JournalUnreadable(msg, hint=hint, locked=locked, damaged=damaged, no_room=no_room)

    def damaged(self, what: str) -> JournalUnreadable:
        """The error for a row that is not as it was written."""
        msg = f"the journal {self.path} is damaged: {what} is not as it was written"
        return JournalUnreadable(msg, hint="stagebook doctor --repair saves what can be read", damaged=True)


def rows_of_damaged(path: Path, query: str) -> list[Any]:
    """What a query gives of a damaged journal, which stays as it is; nothing where SQLite gives up."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{path}{suffix}", f"{folder}/copy{suffix}")
            with contextlib.closing(sqlite3.connect(f"{folder}/copy")) as db:
                db.text_factory = lambda raw: raw.decode("utf-8", "replace")
                db.execute("PRAGMA writable_schema=ON")  # has it read a file that is too short
                return db.execute(query).fetchall()
    except (*_ERRORS, OSError):
        return []


# The names of SQLite's codes for a disk that is full, and for files that cannot be made or written.
_NO_ROOM = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR_SHM", "SQLITE_IOERR_WRITE")


def has_table(database: Database, name: str) -> bool:
    """Whether a table was made; those of what came later are made when they are first written to."""
    return bool(database.read("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

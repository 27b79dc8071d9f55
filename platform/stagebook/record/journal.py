"""The journal: what happened, in SQLite. The only door to the database.

An event is acknowledged once its transaction is committed (WAL, `synchronous=FULL`); a killed
process loses nothing that was acknowledged. Runs are summed up in a table of their own, in the
same transaction. Consumers such as MLflow's keep a position: the events after it are their outbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import JournalUnreadable, PipelineBusy
from stagebook.events import Event, RunEnded, RunStarted, Status, from_json

VERSION = 1
BUSY_TIMEOUT = 30.0  # seconds
MLFLOW = "mlflow"  # the consumer that tells MLflow

_NOT_TRACKED = "'CellStarted', 'CellEnded', 'AttemptProgress', 'AttemptFrozen'"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, type TEXT NOT NULL,
    stage TEXT, at REAL NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_run ON events (run, seq);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, params TEXT NOT NULL, origin TEXT NOT NULL,
    first_seq INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_pipeline ON runs (pipeline, started);
CREATE TABLE IF NOT EXISTS owners (
    pipeline TEXT PRIMARY KEY, run TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    host TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS positions (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracked (
    key TEXT PRIMARY KEY, experiment TEXT NOT NULL, mlflow_run TEXT NOT NULL
);
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs a pipeline. `started` tells it from a later one with the same pid."""

    pid: int
    started: float
    host: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run, summed up. Times are seconds since the epoch; `ended` is None while it goes on."""

    id: str
    pipeline: str
    status: Status
    reason: str
    started: float
    ended: float | None
    params: Mapping[str, Any]
    origin: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        return {**dataclasses.asdict(self), "status": str(self.status)}


class Journal:
    """The journal of one project. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        old = os.umask(0o077)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from error
        finally:
            os.umask(old)

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            msg = f"the journal {self.path} is of a newer version of Stagebook ({version})"
            raise JournalUnreadable(msg, hint="upgrade Stagebook, or use another checkout")
        if version < VERSION:
            with self._write():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextlib.contextmanager
    def _write(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error | OSError) -> JournalUnreadable:
        hint = "move the file away to begin a new journal; runs and outputs stay where they are"
        if "full" in str(error) or "No space" in str(error) or isinstance(error, OSError):
            hint = "see that there is room on the disk and that the folder can be written"
        return JournalUnreadable(f"the journal {self.path} cannot be used: {error}", hint=hint)

    # -- events ---------------------------------------------------------------------------------

    def append(self, events: Sequence[Event]) -> None:
        """Write events, all or none; they are acknowledged when this returns."""
        with self._write():
            for event in events:
                if not event.transient:
                    self._append(event)

    def runs_with_kernels(self) -> list[str]:
        """The runs in which a failed stage left its kernel alive, the latest first."""
        rows = self._read(
            "SELECT run, max(seq) FROM events WHERE type = 'AttemptEnded'"
            " AND json_extract(data, '$.kernel') IS NOT NULL GROUP BY run ORDER BY 2 DESC"
        )
        return [row[0] for row in rows]

    def durations(self, pipeline: str, runs: int = 5) -> dict[str, float]:
        """For each stage the median of how many seconds it took to complete in the latest runs."""
        rows = self._read(
            "SELECT stage, json_extract(data, '$.seconds') FROM events WHERE type = 'AttemptEnded'"
            " AND json_extract(data, '$.cause') IS NULL AND run IN"
            " (SELECT id FROM runs WHERE pipeline = ? ORDER BY started DESC LIMIT ?)",
            (pipeline, runs),
        )
        found: dict[str, list[float]] = {}
        for stage, seconds in rows:
            found.setdefault(stage, []).append(seconds)
        return {stage: statistics.median(times) for stage, times in found.items()}

    def _append(self, event: Event) -> None:
        data = event.to_json()
        seq = self._db.execute(
            "INSERT INTO events (run, type, stage, at, data) VALUES (?, ?, ?, ?, ?)",
            (event.run, data["type"], data.get("stage"), event.at, json.dumps(data)),
        ).lastrowid
        if isinstance(event, RunStarted):
            params = json.dumps(dict(event.plan.get("params", {})))
            self._db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, '', ?, NULL, ?, ?, ?)",
                (
                    event.run,
                    event.pipeline,
                    Status.RUNNING,
                    event.at,
                    params,
                    json.dumps(dict(event.origin)),
                    seq,
                ),
            )
        elif isinstance(event, RunEnded):
            self._db.execute(
                "UPDATE runs SET status = ?, reason = ?, ended = ? WHERE id = ? AND ended IS NULL",
                (event.status, event.reason, event.at, event.run),
            )
            self._db.execute("DELETE FROM owners WHERE run = ?", (event.run,))

    def events(self, run: str, *, after: int = 0) -> list[tuple[int, Event]]:
        """The events of a run with their numbers, in order, from the one after `after` on."""
        rows = self._read("SELECT seq, data FROM events WHERE run = ? AND seq > ? ORDER BY seq", (run, after))
        return [(seq, from_json(json.loads(data))) for seq, data in rows]

    # -- runs -----------------------------------------------------------------------------------

    def runs(self, *, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The latest runs, the newest first."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        rows = self._read(
            f"SELECT {_RUN_COLUMNS} FROM runs {where} ORDER BY first_seq DESC LIMIT ?",  # noqa: S608 - no text of others
            [*values, limit],
        )
        return [_run_record(row) for row in rows]

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id."""
        rows = self._read(f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?", (run_id,))  # noqa: S608
        return _run_record(rows[0]) if rows else None

    def begin(self, event: RunStarted, owner: Owner, alive: Callable[[Owner], bool]) -> None:
        """Begin a run and make its process the owner of the pipeline, or neither.

        An owner that is no longer there is replaced, and its run marked as interrupted.

        Raises:
            PipelineBusy: another process that is there owns it.
        """
        with self._write():
            for row in self._db.execute(
                "SELECT run, pid, started, host FROM owners WHERE pipeline = ?", (event.pipeline,)
            ).fetchall():
                other = Owner(pid=row[1], started=row[2], host=row[3])
                if alive(other):
                    msg = f"'{event.pipeline}' is being run already: {row[0]} (process {other.pid} on {other.host})"
                    raise PipelineBusy(msg, hint=f"wait for it, or stop it with: kill {other.pid}")
                self._interrupt(row[0], event.at)
            self._append(event)
            self._db.execute(
                "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?)",
                (event.pipeline, event.run, owner.pid, owner.started, owner.host),
            )

    def close_ghosts(self, alive: Callable[[Owner], bool], at: float) -> list[str]:
        """Mark runs whose owner is gone as interrupted; their ids."""
        rows = self._read("SELECT run, pid, started, host FROM owners")
        dead = [row[0] for row in rows if not alive(Owner(pid=row[1], started=row[2], host=row[3]))]
        if dead:
            with self._write():
                for run in dead:
                    self._interrupt(run, at)
        return dead

    def _interrupt(self, run: str, at: float) -> None:
        row = self._db.execute("SELECT ended FROM runs WHERE id = ?", (run,)).fetchone()
        if row is not None and row[0] is None:
            self._append(RunEnded(run=run, at=at, status=Status.INTERRUPTED, reason="its process vanished"))
        self._db.execute("DELETE FROM owners WHERE run = ?", (run,))

    # -- outbox ---------------------------------------------------------------------------------

    def pending(self, consumer: str, limit: int = 200) -> list[tuple[int, Event]]:
        """The next events that a consumer has not taken yet."""
        rows = self._read(
            f"SELECT seq, data FROM events WHERE type NOT IN ({_NOT_TRACKED})"  # noqa: S608 - no text of others
            " AND seq > coalesce((SELECT seq FROM positions WHERE consumer = ?), 0) ORDER BY seq LIMIT ?",
            (consumer, limit),
        )
        return [(seq, from_json(json.loads(data))) for seq, data in rows]

    def count_pending(self, consumer: str) -> int:
        """How many events a consumer has still to take."""
        rows = self._read(
            f"SELECT count(*) FROM events WHERE type NOT IN ({_NOT_TRACKED})"  # noqa: S608 - no text of others
            " AND seq > coalesce((SELECT seq FROM positions WHERE consumer = ?), 0)",
            (consumer,),
        )
        return int(rows[0][0])

    def taken(self, consumer: str, seq: int) -> None:
        """Note that a consumer has taken all events up to `seq`."""
        with self._write():
            self._db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (consumer, seq))

    def tracked(self, key: str) -> tuple[str, str] | None:
        """The ids of the MLflow experiment and run that stand for a run or an attempt."""
        rows = self._read("SELECT experiment, mlflow_run FROM tracked WHERE key = ?", (key,))
        return (rows[0][0], rows[0][1]) if rows else None

    def track(self, key: str, experiment: str, mlflow_run: str) -> None:
        """Note which MLflow run stands for a run or an attempt."""
        with self._write():
            self._db.execute("INSERT OR REPLACE INTO tracked VALUES (?, ?, ?)", (key, experiment, mlflow_run))


_RUN_COLUMNS = "id, pipeline, status, reason, started, ended, params, origin"


def _run_record(row: Any) -> RunRecord:
    return RunRecord(
        id=row[0],
        pipeline=row[1],
        status=Status(row[2]),
        reason=row[3],
        started=row[4],
        ended=row[5],
        params=json.loads(row[6]),
        origin=json.loads(row[7]),
    )


def attempt_key(run: str, stage: str, attempt: int) -> str:
    """What an attempt is called in `tracked`; a run is called by its id."""
    return f"{run}/{stage}/{attempt}"

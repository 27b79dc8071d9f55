"""The journal: what happened, in SQLite.

An event is acknowledged once its transaction is committed (WAL, `synchronous=FULL`); a killed
process loses nothing that was acknowledged. Runs, results and owners are summed up in tables of
their own, in the same transaction. Consumers such as MLflow's keep a position: the events after it
are their outbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import JournalUnreadable, PipelineBusy, RunTakenOver
from stagebook.events import (
    AttemptEnded,
    Event,
    RunEnded,
    RunStarted,
    StageAccepted,
    StageReused,
    Status,
    from_json,
)
from stagebook.planning.results import Result
from stagebook.record.database import Database, checksum

MLFLOW = "mlflow"  # the consumer that tells MLflow

_NOT_TRACKED = "'CellStarted', 'CellEnded', 'AttemptProgress', 'AttemptFrozen'"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs a pipeline. `started` tells it from a later one with the same pid."""

    pid: int
    started: float
    host: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run, summed up. Times are seconds since the epoch; `ended` is None while it goes on. `kind` is
    `run`, `sweep` or `accept`; `parent` is the sweep that it is a point of."""

    id: str
    pipeline: str
    status: Status
    reason: str
    started: float
    ended: float | None
    params: Mapping[str, Any]
    origin: Mapping[str, Any]
    kind: str = "run"
    parent: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        return {**dataclasses.asdict(self), "status": str(self.status)}


class Life(enum.Enum):
    """What is known of an owner. UNSURE: it is stopped, or on another machine; its beat tells."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSURE = "unsure"


class Journal:
    """The journal of one project. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = Database(path)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def problems(self) -> list[str]:
        """What is wrong with the database file."""
        return self._db.problems()

    # -- events ---------------------------------------------------------------------------------

    def append(self, events: Sequence[Event], *, owner: str | None = None) -> None:
        """Write events, all or none; they are acknowledged when this returns.

        Raises:
            RunTakenOver: the run `owner` does not own its pipeline any more; nothing is written.
        """
        with self._db.write() if owner is None else self.owned(owner):
            for event in events:
                if not event.transient:
                    self._append(event)

    def runs_with_kernels(self) -> list[str]:
        """The runs in which a failed stage left its kernel alive, the latest first."""
        rows = self._db.read(
            "SELECT run, max(seq) FROM events WHERE type = 'AttemptEnded'"
            " AND json_extract(data, '$.kernel') IS NOT NULL GROUP BY run ORDER BY 2 DESC"
        )
        return [row[0] for row in rows]

    def durations(self, pipeline: str, runs: int = 5) -> dict[str, float]:
        """For each stage the median of how many seconds it took to complete in the latest runs."""
        rows = self._db.read(
            "SELECT stage, json_extract(data, '$.seconds') FROM events WHERE type = 'AttemptEnded'"
            " AND json_extract(data, '$.cause') IS NULL AND run IN"
            " (SELECT id FROM runs WHERE pipeline = ? ORDER BY started DESC LIMIT ?)",
            (pipeline, runs),
        )
        found: dict[str, list[float]] = {}
        for stage, seconds in rows:
            found.setdefault(stage, []).append(seconds)
        return {stage: statistics.median(times) for stage, times in found.items()}

    def _append(self, event: Event, number: int | None = None) -> None:
        data = event.to_json()
        text = json.dumps(data)
        seq = self._db.do(
            "INSERT INTO events (seq, run, type, stage, at, data, sum) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, event.run, data["type"], data.get("stage"), event.at, text, checksum(text)),
        )
        self._sum_up(seq, event)

    def _sum_up(self, seq: int, event: Event) -> None:
        """What the tables besides that of the events say."""
        if isinstance(event, RunStarted):
            params = json.dumps(dict(event.plan.get("params", {})))
            origin = json.dumps(dict(event.origin))
            self._db.do(
                "INSERT INTO runs VALUES (?, ?, ?, '', ?, NULL, ?, ?, ?, ?, ?)",
                (
                    event.run,
                    event.pipeline,
                    Status.RUNNING,
                    event.at,
                    params,
                    origin,
                    seq,
                    event.kind,
                    event.parent,
                ),
            )
        elif isinstance(event, RunEnded):
            self._db.do(
                "UPDATE runs SET status = ?, reason = ?, ended = ? WHERE id = ? AND ended IS NULL",
                (event.status, event.reason, event.at, event.run),
            )
            self._db.do("DELETE FROM owners WHERE run = ?", (event.run,))
        elif isinstance(event, AttemptEnded | StageAccepted) and event.fingerprint:
            self._keep_result(seq, event)
        elif isinstance(event, StageReused) and event.number:
            self._db.do(
                "INSERT OR REPLACE INTO latest SELECT pipeline, ?, ? FROM runs WHERE id = ?",
                (event.stage, event.number, event.run),
            )

    def _keep_result(self, seq: int, event: AttemptEnded | StageAccepted) -> None:
        result = {
            "run": event.run,
            "attempt": event.attempt,
            "folder": event.folder,
            "sources": event.sources,
            "parts": event.parts,
            "outputs": event.outputs,
            "scraps": event.scraps,
            "because": event.because if isinstance(event, StageAccepted) else "",
        }
        text = json.dumps(result)
        self._db.do(
            "INSERT OR REPLACE INTO results SELECT ?, ?, ?, pipeline, ?, ?, ?, ? FROM runs WHERE id = ?",
            (seq, event.fingerprint, event.head, event.stage, event.at, text, checksum(text), event.run),
        )
        self._db.do(
            "INSERT OR REPLACE INTO latest SELECT pipeline, ?, ? FROM runs WHERE id = ?",
            (event.stage, seq, event.run),
        )

    def restore(self, events: Iterable[tuple[int, str]]) -> int:
        """Take over events of another journal, as numbers and texts; how many could be."""
        taken = 0
        with self._db.write():
            for seq, text in events:
                with contextlib.suppress(ValueError, TypeError, AttributeError):  # not an event after all
                    self._append(from_json(json.loads(text)), seq)
                    taken += 1
        return taken

    def events(self, run: str, *, after: int = 0) -> list[tuple[int, Event]]:
        """The events of a run with their numbers, in order, from the one after `after` on."""
        rows = self._db.read(
            "SELECT seq, data, sum FROM events WHERE run = ? AND seq > ? ORDER BY seq", (run, after)
        )
        return [(seq, self._event(seq, data, kept)) for seq, data, kept in rows]

    def _event(self, seq: int, data: Any, kept: int | None) -> Event:
        try:
            if kept is None or kept == checksum(data):
                return from_json(json.loads(data))
        except (ValueError, TypeError, AttributeError):
            pass
        msg = f"the journal {self.path} is damaged: its event {seq} is not as it was written"
        raise JournalUnreadable(msg, hint="stagebook doctor --repair saves what can be read")

    def count_events(self) -> tuple[int, int]:
        """How many events there are, and how many of them are not as they were written."""
        count = damaged = 0
        for seq, data, kept in self._db.read("SELECT seq, data, sum FROM events"):
            count += 1
            try:
                self._event(seq, data, kept)
            except JournalUnreadable:
                damaged += 1
        return count, damaged

    # -- results --------------------------------------------------------------------------------

    def results(self, where: str, values: Sequence[Any]) -> list[Result]:
        """The results that a condition of SQL fits, the latest first; what is damaged is left out."""
        rows = self._db.read(
            "SELECT number, fingerprint, pipeline, stage, at, data, sum FROM results"
            f" WHERE {where} ORDER BY number DESC",
            values,
        )
        found = []
        for number, fingerprint, pipeline, stage, at, data, kept in rows:
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                if kept == checksum(data):
                    found.append(
                        Result(
                            number=number,
                            fingerprint=fingerprint,
                            pipeline=pipeline,
                            stage=stage,
                            at=at,
                            **json.loads(data),
                        )
                    )
        return found

    def latest(self, pipeline: str) -> dict[str, Result]:
        """For each stage of a pipeline the result that it came to last."""
        where = "number IN (SELECT number FROM latest WHERE pipeline = ?)"
        by_number = {result.number: result for result in self.results(where, (pipeline,))}
        rows = self._db.read("SELECT stage, number FROM latest WHERE pipeline = ?", (pipeline,))
        return {stage: by_number[number] for stage, number in rows if number in by_number}

    def latest_numbers(self) -> frozenset[int]:
        """The numbers of the results that stages came to last."""
        return frozenset(row[0] for row in self._db.read("SELECT number FROM latest"))

    def heads(self) -> frozenset[str]:
        """The heads of all results."""
        return frozenset(row[0] for row in self._db.read("SELECT DISTINCT head FROM results"))

    def output_paths(self) -> list[str]:
        """The paths of all outputs of results."""
        paths = {
            str(output["path"])
            for result in self.results("1", ())
            for output in result.outputs.values()
            if "sha256" in output
        }
        return sorted(paths)

    def forget_results(self, numbers: Iterable[int]) -> None:
        """Results that are not to be reused any more."""
        with self._db.write():
            for number in numbers:
                self._db.do("DELETE FROM results WHERE number = ?", (number,))

    # -- runs -----------------------------------------------------------------------------------

    def runs(self, *, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The latest runs, the newest first."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        rows = self._db.read(
            f"SELECT {_RUN_COLUMNS} FROM runs {where} ORDER BY first_seq DESC LIMIT ?",  # noqa: S608 - no text of others
            [*values, limit],
        )
        return [_run_record(row) for row in rows]

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id."""
        rows = self._db.read(f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?", (run_id,))  # noqa: S608
        return _run_record(rows[0]) if rows else None

    def begin(
        self,
        event: RunStarted,
        owner: Owner,
        life: Callable[[Owner], Life],
        *,
        presumed_dead: tuple[str, int] | None = None,
    ) -> None:
        """Begin a run and make its process the owner of the pipeline, or neither.

        An owner that is no longer there is replaced, and its run marked as interrupted; one of which
        nothing is known is if it is `presumed_dead`: its run, and the beat that it stopped at. A run
        with a parent goes on under the ownership of that.

        Raises:
            PipelineBusy: another process owns it.
        """
        with self._db.write():
            held = self._db.read(
                "SELECT run, pid, started, host, beat FROM owners WHERE pipeline = ?", (event.pipeline,)
            )
            for run, pid, started, host, beat in held:
                if run == event.parent:
                    self._append(event)
                    return
                other = Owner(pid=pid, started=started, host=host)
                what = life(other)
                if what is Life.ALIVE or (what is Life.UNSURE and (run, beat) != presumed_dead):
                    raise _busy(event.pipeline, run, other, beat, what)
                self._interrupt(run, event.at)
            self._append(event)
            self._db.do(
                "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, 0)",
                (event.pipeline, event.run, owner.pid, owner.started, owner.host),
            )

    @contextlib.contextmanager
    def owned(self, run: str) -> Iterator[None]:
        """A transaction within which a run owns its pipeline: nobody takes it over meanwhile.

        Raises:
            RunTakenOver: it does not own it any more.
        """
        with self._db.write():
            found = self._db.read(
                "SELECT o.run FROM runs r JOIN owners o ON o.pipeline = r.pipeline"
                " AND (o.run = r.id OR o.run = r.parent) WHERE r.id = ? AND r.ended IS NULL",
                (run,),
            )
            if not found:
                msg = f"the run {run} was taken over by another one, since its process had been stopped"
                raise RunTakenOver(msg, hint="see: stagebook runs")
            yield

    def beat(self, run: str) -> None:
        """A sign of life of the process that owns a run."""
        with self._db.write():
            self._db.do("UPDATE owners SET beat = beat + 1 WHERE run = ?", (run,))

    def owners(self) -> list[tuple[str, Owner]]:
        """The runs that go on, with their processes."""
        rows = self._db.read("SELECT run, pid, started, host FROM owners")
        return [(row[0], Owner(pid=row[1], started=row[2], host=row[3])) for row in rows]

    def close_ghosts(self, life: Callable[[Owner], Life], at: float) -> list[str]:
        """Mark runs whose owner is gone as interrupted; their ids."""
        rows = self._db.read("SELECT run, pid, started, host FROM owners")
        dead = [row[0] for row in rows if life(Owner(pid=row[1], started=row[2], host=row[3])) is Life.DEAD]
        if dead:
            with self._db.write():
                for run in dead:
                    self._interrupt(run, at)
        return dead

    def _interrupt(self, run: str, at: float) -> None:
        rows = self._db.read("SELECT id FROM runs WHERE (id = ? OR parent = ?) AND ended IS NULL", (run, run))
        for (name,) in rows:
            self._append(RunEnded(run=name, at=at, status=Status.INTERRUPTED, reason="its process vanished"))
        self._db.do("DELETE FROM owners WHERE run = ?", (run,))

    # -- outbox ---------------------------------------------------------------------------------

    def pending(self, consumer: str, limit: int = 200) -> list[tuple[int, Event]]:
        """The next events that a consumer has not taken yet."""
        rows = self._db.read(
            f"SELECT seq, data, sum FROM events WHERE type NOT IN ({_NOT_TRACKED})"  # noqa: S608 - no text of others
            " AND seq > coalesce((SELECT seq FROM positions WHERE consumer = ?), 0) ORDER BY seq LIMIT ?",
            (consumer, limit),
        )
        return [(seq, self._event(seq, data, kept)) for seq, data, kept in rows]

    def count_pending(self, consumer: str) -> int:
        """How many events a consumer has still to take."""
        rows = self._db.read(
            f"SELECT count(*) FROM events WHERE type NOT IN ({_NOT_TRACKED})"  # noqa: S608 - no text of others
            " AND seq > coalesce((SELECT seq FROM positions WHERE consumer = ?), 0)",
            (consumer,),
        )
        return int(rows[0][0])

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


_RUN_COLUMNS = "id, pipeline, status, reason, started, ended, params, origin, kind, parent"


def _busy(pipeline: str, run: str, other: Owner, beat: int, life: Life) -> PipelineBusy:
    msg = f"'{pipeline}' is being run already: {run} (process {other.pid} on {other.host})"
    hint = f"wait for it with --wait, or stop it with: kill {other.pid}"
    return PipelineBusy(msg, hint=hint, run=run, beat=beat, unsure=life is Life.UNSURE)


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
        kind=row[8],
        parent=row[9],
    )


def attempt_key(run: str, stage: str, attempt: int) -> str:
    """What an attempt is called in `tracked`; a run is called by its id."""
    return f"{run}/{stage}/{attempt}"

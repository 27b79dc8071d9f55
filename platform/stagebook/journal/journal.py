"""The journal: what happened, in SQLite.

An event is acknowledged once its transaction is committed (WAL, `synchronous=FULL`); a killed
process loses nothing that was acknowledged. Runs, results and owners are summed up in tables of
their own, in the same transaction, so that events and sums never disagree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from stagebook.journal.database import sum_of
from stagebook.journal.event_log import MLFLOW, Entries, attempt_key
from stagebook.journal.leases import Hold, Life, Owner, Owners, busy
from stagebook.journal.result_table import ResultTable

__all__ = ["MLFLOW", "Journal", "Life", "Owner", "RunRecord", "attempt_key"]


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


class Journal(Entries, Owners, ResultTable):
    """The journal of one project. Every method is one transaction."""

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def problems(self) -> list[str]:
        """What is wrong with the database file."""
        return self._db.problems()

    def count_damaged(self) -> dict[str, tuple[int, int]]:
        """Of what the journal holds: how many there are, and how many are not as they were written."""
        events, bad_events = self.count_events()
        results, bad_results = self.count_results()
        runs = self._db.read(f"SELECT {_COLUMNS}, sum FROM runs")  # noqa: S608 - no text of others
        latest = self._db.read("SELECT pipeline, stage, number, sum FROM latest")
        return {
            "events": (events, len(bad_events)),
            "results": (results, len(bad_results)),
            "runs": (len(runs), sum(row[-1] != sum_of(*row[:-1]) for row in runs)),
            "latest results": (len(latest), sum(row[-1] != sum_of(*row[:-1]) for row in latest)),
        }

    def append(self, events: Sequence[Event], *, owner: str | None = None) -> None:
        """Write events, all or none; they are acknowledged when this returns.

        Raises:
            RunTakenOver: the run `owner` does not own its pipeline any more; nothing is written.
        """
        with self._db.write() if owner is None else self.owned(owner):
            for event in events:
                if not event.transient:
                    self._append(event)

    # -- runs -----------------------------------------------------------------------------------

    def runs(self, *, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The latest runs, the newest first."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        return self._records(f"{where} ORDER BY first_seq DESC LIMIT ?", [*values, limit])

    def runs_of_parent(self, parent: str) -> list[RunRecord]:
        """The runs of the points of a sweep, in their order."""
        return self._records("WHERE parent = ? ORDER BY first_seq", [parent])

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id."""
        return next(iter(self._records("WHERE id = ?", [run_id])), None)

    def _records(self, which: str, values: Sequence[Any]) -> list[RunRecord]:
        rows = self._db.read(f"SELECT {_COLUMNS}, sum FROM runs {which}", values)  # noqa: S608
        return [self._record(row) for row in rows]

    def _record(self, row: Sequence[Any]) -> RunRecord:
        if row[-1] != sum_of(*row[:-1]):
            raise self._db.damaged(f"the run {row[0]}")
        return RunRecord(
            id=row[0],
            pipeline=row[1],
            status=Status(row[2]),
            reason=row[3],
            started=row[4],
            ended=row[5],
            params=json.loads(row[6]),
            origin=json.loads(row[7]),
            kind=row[9],
            parent=row[10],
        )

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
            RunTakenOver: the parent does not own it any more.
        """
        with self.owned(event.parent) if event.parent else self._db.write():
            for hold in () if event.parent else self.holds(event.pipeline):
                if not hold.is_over(life, presumed_dead):
                    raise busy(event.pipeline, hold, hold.life(life))
                self._interrupt(hold.run, event.at)
                self._drop(hold)
            self._append(event)
            if not event.parent:
                self._take(event.pipeline, event.run, owner)

    def close_ghosts(
        self,
        life: Callable[[Owner], Life],
        at: float,
        *,
        presumed_dead: tuple[str, int] | None = None,
    ) -> list[str]:
        """Mark runs whose owner is gone, or is `presumed_dead` (as in `begin`), as interrupted; their ids."""
        if not any(self._ghosts(life, presumed_dead)):
            return []
        with self._db.write():
            over, lost = self._ghosts(life, presumed_dead)  # another process may have been faster
            found = list(dict.fromkeys([*(hold.run for hold in over), *lost]))
            for run in found:
                self._interrupt(run, at)
            for hold in over:
                self._drop(hold)
        return found

    def _ghosts(
        self, life: Callable[[Owner], Life], presumed_dead: tuple[str, int] | None
    ) -> tuple[list[Hold], list[str]]:
        """The owners that are gone, and the runs that go on by the journal and have none."""
        held = self.holds()
        over = [hold for hold in held if hold.is_over(life, presumed_dead)]
        going_on = {hold.run for hold in held if hold not in over}
        rows = self._db.read("SELECT id, parent FROM runs WHERE ended IS NULL ORDER BY first_seq")
        return over, [run for run, parent in rows if run not in going_on and parent not in going_on]

    def _interrupt(self, run: str, at: float) -> None:
        rows = self._db.read("SELECT id FROM runs WHERE (id = ? OR parent = ?) AND ended IS NULL", (run, run))
        for (name,) in rows:
            self._append(RunEnded(run=name, at=at, status=Status.INTERRUPTED, reason="its process vanished"))

    # -- summing up -----------------------------------------------------------------------------

    def _append(self, event: Event, number: int | None = None) -> None:
        seq = self._write(event, number)
        if isinstance(event, RunStarted):
            self._started(seq, event)
        elif isinstance(event, RunEnded):
            self._ended(event)
            self._release(event.run)
        elif isinstance(event, AttemptEnded | StageAccepted) and event.fingerprint:
            for pipeline in self._pipeline_of(event.run):
                self._keep_result(seq, pipeline, event)
        elif isinstance(event, StageReused) and event.number:
            for pipeline in self._pipeline_of(event.run):
                self._keep_latest(pipeline, event.stage, event.number)

    def _pipeline_of(self, run: str) -> list[str]:
        return [row[0] for row in self._db.read("SELECT pipeline FROM runs WHERE id = ?", (run,))]

    def _started(self, seq: int, event: RunStarted) -> None:
        params = json.dumps(dict(event.plan.get("params", {})))
        origin = json.dumps(dict(event.origin))
        row = (
            event.run,
            event.pipeline,
            str(Status.RUNNING),
            "",
            float(event.at),
            None,
            params,
            origin,
            seq,
            event.kind,
            event.parent,
        )
        self._db.do(f"INSERT INTO runs VALUES ({', '.join('?' * 12)})", (*row, sum_of(*row)))  # noqa: S608

    def _ended(self, event: RunEnded) -> None:
        rows = self._db.read(
            f"SELECT {_COLUMNS} FROM runs WHERE id = ? AND ended IS NULL",  # noqa: S608 - no text of others
            (event.run,),
        )
        for row in rows:
            ended = (*row[:2], str(event.status), event.reason, row[4], float(event.at), *row[6:])
            self._db.do(
                "UPDATE runs SET status = ?, reason = ?, ended = ?, sum = ? WHERE id = ?",
                (*ended[2:4], ended[5], sum_of(*ended), event.run),
            )

    def restore(self, events: Mapping[int, str], at: float) -> int:
        """Take over the texts of events of another journal, by number; how many could be. Runs whose end
        is not among them are marked as interrupted."""
        taken = 0
        with self._db.write():
            for number, text in events.items():
                with contextlib.suppress(ValueError, TypeError, AttributeError):  # not an event after all
                    self._append(from_json(json.loads(text)), number)
                    taken += 1
            for run in self._ghosts(lambda _owner: Life.DEAD, None)[1]:
                self._interrupt(run, at)
        return taken


_COLUMNS = "id, pipeline, status, reason, started, ended, params, origin, first_seq, kind, parent"

"""Runs, each summed up in a row of the journal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.database import Database, sum_of
from stagebook.origin import Origin

_COLUMNS = "id, pipeline, status, reason, started, ended, params, origin, first_seq, kind, parent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run, summed up. Times are seconds since the epoch; `ended` is None while it goes on. `kind` is
    `run`, `sweep`, `backfill`, `accept`, `bookmark` or `rollback`; `parent` is the sweep that it is a point of, or the backfill."""

    id: str
    pipeline: str
    status: Status
    reason: str
    started: float
    ended: float | None
    params: Mapping[str, Any]
    origin: Origin
    kind: str = "run"
    parent: str = ""

    @property
    def is_series(self) -> bool:
        """Whether other runs are its parts, and it has no stages of its own."""
        return self.kind in {"sweep", "backfill"}

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        return {**dataclasses.asdict(self), "status": str(self.status), "origin": self.origin.to_json()}


class RunTable:
    """The runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def latest(
        self,
        *,
        pipeline: str | None = None,
        limit: int = 50,
        points: bool = True,
        since: float | None = None,
    ) -> list[RunRecord]:
        """The latest runs, the newest first.

        Args:
            pipeline: of this one alone.
            limit: at most so many; -1 for all.
            points: whether the points of sweeps are among them.
            since: those that began then or later, in seconds since the epoch.
        """
        wanted = {
            "pipeline = ?": pipeline or None,
            "parent = ?": None if points else "",
            "started >= ?": since,
        }
        given = {condition: value for condition, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        return records_of(self._db, f"{where} ORDER BY first_seq DESC LIMIT ?", [*given.values(), limit])

    def latest_of_each(self, limit: int, *, points: bool = False) -> list[RunRecord]:
        """Of each pipeline the latest runs, `limit` of each kind, and the runs that go on; the newest first. With
        `points`, points of sweeps are among the former."""
        return records_of(
            self._db,
            "WHERE ended IS NULL OR id IN (SELECT id FROM (SELECT id, row_number() OVER"
            " (PARTITION BY pipeline, kind ORDER BY first_seq DESC) AS place FROM runs WHERE ? OR parent = '')"
            " WHERE place <= ?) ORDER BY first_seq DESC",
            [points, limit],
        )

    def points_of(self, parent: str, limit: int = -1) -> list[RunRecord]:
        """The runs of the points of a sweep, in their order; at most the `limit` latest ones, or all."""
        if limit < 0:
            return records_of(self._db, "WHERE parent = ? ORDER BY first_seq", [parent])
        return records_of(self._db, "WHERE parent = ? ORDER BY first_seq DESC LIMIT ?", [parent, limit])[::-1]

    def count_by_parent(self, parents: Sequence[str], pipeline: str | None = None) -> dict[str, int]:
        """How many points sweeps have; for the parent "" how many runs are no points. Of one pipeline, or of all."""
        rows = self._db.read(
            "SELECT parent, count(*) FROM runs WHERE parent IN (SELECT value FROM json_each(?1))"
            " AND (?2 IS NULL OR pipeline = ?2) GROUP BY parent",
            (json.dumps(list(parents)), pipeline or None),
        )
        return dict(rows)

    def find(self, run_id: str) -> RunRecord | None:
        """The run with this id."""
        return next(iter(records_of(self._db, "WHERE id = ?", [run_id])), None)

    def like(self, text: str) -> list[RunRecord]:
        """The runs whose id begins or ends with a text, at most three, the newest first."""
        return records_of(
            self._db,
            "WHERE substr(id, 1, ?1) = ?2 OR substr(id, -?1) = ?2 ORDER BY first_seq DESC LIMIT 3",
            [len(text), text],
        )

    def latest_begun(self) -> RunRecord | None:
        """The latest run or sweep: no point of one, and nothing that a person stated."""
        where = "WHERE parent = '' AND kind IN ('run', 'sweep', 'backfill') ORDER BY first_seq DESC LIMIT 1"
        return next(iter(records_of(self._db, where, [])), None)

    def going_on(self, pipeline: str) -> list[RunRecord]:
        """The runs of a pipeline that go on."""
        return records_of(self._db, "WHERE pipeline = ? AND ended IS NULL", [pipeline])

    def unfinished(self) -> list[tuple[str, str]]:
        """The runs that go on by the journal, in their order: id and parent."""
        return self._db.read("SELECT id, parent FROM runs WHERE ended IS NULL ORDER BY first_seq")

    def pipeline_of(self, run: str) -> str | None:
        """The pipeline of a run; `None` where the run is not known."""
        rows = self._db.read("SELECT pipeline FROM runs WHERE id = ?", (run,))
        return rows[0][0] if rows else None

    def count(self) -> tuple[int, int]:
        """How many runs there are, and how many of them are not as they were written."""
        rows = self._db.read(f"SELECT {_COLUMNS}, sum FROM runs")  # noqa: S608 - no text of others
        return len(rows), sum(row[-1] != sum_of(*row[:-1]) for row in rows)

    def begin(self, seq: int, event: RunStarted) -> None:
        """Write a run that begins, within a transaction."""
        params = json.dumps(dict(event.plan.get("params", {})))
        origin = json.dumps(event.origin.to_json())
        row = (
            event.run, event.pipeline, str(Status.RUNNING), "", float(event.at), None, params, origin,
            seq, event.kind, event.parent,
        )  # fmt: skip
        self._db.do(f"INSERT INTO runs VALUES ({', '.join('?' * 12)})", (*row, sum_of(*row)))  # noqa: S608

    def end(self, event: RunEnded) -> None:
        """Write the end of a run, within a transaction."""
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


def records_of(database: Database, which: str, values: Sequence[Any]) -> list[RunRecord]:
    """The runs that an SQL text chooses, for the tables of the journal. Raises `JournalUnreadable`."""
    rows = database.read(f"SELECT {_COLUMNS}, sum FROM runs {which}", values)  # noqa: S608
    for row in rows:
        if row[-1] != sum_of(*row[:-1]):
            raise database.damaged(f"the run {row[0]}")
    return [_record(row) for row in rows]


def _record(row: Sequence[Any]) -> RunRecord:
    values = dict(zip(_COLUMNS.split(", "), row[:-1], strict=True))
    del values["first_seq"]
    read = {"params": json.loads(values["params"]), "origin": Origin.from_json(json.loads(values["origin"]))}
    return RunRecord(**{**values, **read, "status": Status(values["status"])})

"""The results that stages came to: their tables in the journal, and what planning asks of them.

A result that is damaged is left out: its stage runs again, which is always right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, StageAccepted, StageReused
from stagebook.journal.bookmark_table import BookmarkTable
from stagebook.journal.database import Database, checksum, sum_of
from stagebook.planning.result import Marks, Result, Results, result_from_json, result_to_json
from stagebook.timing.interval import Interval

_ABOUT = """SELECT max(number) FROM results WHERE pipeline = ?1 AND json_extract(data, '$.stage') = ?2
    AND json_extract(data, '$.run') IN (SELECT run FROM intervals WHERE pipeline = ?1 AND start = ?3 AND "end" = ?4)"""


class ResultTable:
    """Results by fingerprint, and for each stage the one that it came to last."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.bookmarks = BookmarkTable(database)

    def where(self, condition: str, values: Sequence[Any]) -> list[Result]:
        """The results that a condition of SQL fits, the latest first; what is damaged is left out."""
        rows = self._db.read(
            f"SELECT number, fingerprint, head, data, sum FROM results WHERE {condition} ORDER BY number DESC",  # noqa: S608
            values,
        )
        return [result for row in rows if (result := _result(*row)) is not None]

    def count(self) -> tuple[int, list[int]]:
        """How many results there are, and the numbers of those that are not as they were written."""
        rows = self._db.read("SELECT number, fingerprint, head, data, sum FROM results")
        return len(rows), [row[0] for row in rows if _result(*row) is None]

    def latest(self, pipeline: str) -> dict[str, Result]:
        """For each stage of a pipeline the result that it came to last."""
        where = "number IN (SELECT number FROM latest WHERE pipeline = ?)"
        by_number = {result.number: result for result in self.where(where, (pipeline,))}
        rows = self._db.read(
            "SELECT pipeline, stage, number, sum FROM latest WHERE pipeline = ?", (pipeline,)
        )
        return {
            stage: by_number[number]
            for name, stage, number, kept in rows
            if kept == sum_of(name, stage, number) and name == pipeline and number in by_number
        }

    def latest_numbers(self) -> frozenset[int]:
        """The numbers of the results that stages came to last."""
        return frozenset(row[0] for row in self._db.read("SELECT number FROM latest"))

    def heads(self) -> frozenset[str]:
        """The heads of all results."""
        return frozenset(row[0] for row in self._db.read("SELECT DISTINCT head FROM results"))

    def is_overwritten(self, result: Result) -> bool:
        """Whether an attempt that began after a result came may have written its external outputs."""
        written = [output.path for output in result.outputs.values() if output.external]
        rows = self._db.read(
            "SELECT 1 FROM events e, json_each(e.data, '$.external') x, json_each(?) mine"
            " WHERE e.seq > ? AND e.type = 'AttemptStarted' AND x.value = mine.value LIMIT 1",
            (json.dumps(written), result.number),
        )
        return bool(rows)

    def latest_about(self, pipeline: str, stage: str, interval: Interval) -> int:
        """The number of the result that a stage instance came to last in runs about an interval; 0 where there is none."""
        with contextlib.suppress(JournalUnreadable):  # one that is from before there were intervals
            rows = self._db.read(
                _ABOUT, (pipeline, stage, interval.start.timestamp(), interval.end.timestamp())
            )
            return int(rows[0][0] or 0)
        return 0

    def output_paths(self) -> list[str]:
        """The paths of all outputs of results."""
        paths = {
            output.path
            for result in self.where("1", ())
            for output in result.outputs.values()
            if output.sha256
        }
        return sorted(paths)

    def forget(self, before: float) -> int:
        """Forget the results from before a time (seconds since the epoch) that are not the last of their
        stage; how many there were."""
        with self._db.write():
            gone = self._db.read(
                "SELECT number FROM results WHERE at < ? AND number NOT IN (SELECT number FROM latest)",
                (before,),
            )
            for row in gone:
                self._db.do("DELETE FROM results WHERE number = ?", row)
        return len(gone)

    def keep(self, number: int, pipeline: str, event: AttemptEnded | StageAccepted | StageReused) -> None:
        """Write the result that an event tells of, within a transaction."""
        result = result_of(number, pipeline, event)
        text = json.dumps(result_to_json(result))
        row = (
            number,
            result.fingerprint,
            result.head,
            pipeline,
            result.stage,
            event.at,
            text,
            checksum(text),
        )
        self._db.do("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.keep_latest(pipeline, event.stage, number)

    def keep_latest(self, pipeline: str, stage: str, number: int) -> None:
        """Note the result that a stage came to last, within a transaction."""
        self._db.do(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)",
            (pipeline, stage, number, sum_of(pipeline, stage, number)),
        )


def result_of(number: int, pipeline: str, event: AttemptEnded | StageAccepted | StageReused) -> Result:
    """The result that an event tells of, which has this number in the journal. Of one that was taken from another
    environment raises `ValueError` where it is none."""
    if isinstance(event, StageReused):
        taken = result_from_json(event.taken)
        return dataclasses.replace(
            taken,
            number=number,
            pipeline=pipeline,
            stage=event.stage,
            outputs=event.outputs,
            source=event.source,
        )
    same = (
        "stage", "run", "attempt", "at", "fingerprint", "folder", "parts", "outputs", "scraps", "sources", "head",
    )  # fmt: skip
    because = event.because if isinstance(event, StageAccepted) else ""
    known = {name: getattr(event, name) for name in (*same, "audits", "written")}
    if isinstance(event, AttemptEnded):
        known["undeclared"] = event.undeclared
    return Result(number=number, pipeline=pipeline, because=because, **known)


def _result(number: Any, fingerprint: Any, head: Any, data: Any, kept: Any) -> Result | None:
    """The result of a row; None if it is not as it was written, or an index led to another one."""
    try:
        if kept == checksum(data):
            result = result_from_json(json.loads(data))
            if (result.number, result.fingerprint) == (number, fingerprint):
                return result if result.head else dataclasses.replace(result, head=head)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


class KnownResults(Results):
    """The results of one journal, as planning asks for them; what is asked for often is read once."""

    def __init__(self, table: ResultTable) -> None:
        self._table = table
        self._latest: dict[str, dict[str, Result]] = {}
        self._by_fingerprint: dict[str, Result] = {}
        self._heads: frozenset[str] | None = None

    def find(self, fingerprint: str) -> Iterator[Result]:
        """Those with this fingerprint, those that came last first."""
        known = self._by_fingerprint.get(fingerprint)
        if known is not None:
            yield known
        for result in self._table.where("fingerprint = ?", (fingerprint,)):
            if result.fingerprint == fingerprint and (known is None or result.number != known.number):
                yield result

    def latest(self, pipeline: str, stage: str) -> Result | None:
        """The one that a stage instance came to last, as of the first time that this was asked."""
        if pipeline not in self._latest:
            self._latest[pipeline] = self._table.latest(pipeline)
            self._by_fingerprint |= {known.fingerprint: known for known in self._latest[pipeline].values()}
        return self._latest[pipeline].get(stage)

    def marks(self, pipeline: str, stage: str, place: str) -> Marks:
        """How far a stage instance has read, as of now: another run may have ended since the plan was made."""
        return self._table.bookmarks.of(pipeline, stage, place)

    def has_head(self, head: str) -> bool:
        """Whether there is any with this head."""
        if self._heads is None:
            self._heads = self._table.heads()
        return head in self._heads

    def latest_about(self, pipeline: str, stage: str, interval: Interval) -> int:
        """The number of the one that a stage instance came to last in runs about an interval, as of now; 0 where there is none."""
        return self._table.latest_about(pipeline, stage, interval)

    def is_overwritten(self, result: Result) -> bool:
        """Whether an attempt since may have written what a result left outside of the project."""
        return self._table.is_overwritten(result)


class SharedResults(KnownResults):
    """The results of one journal, and after these those that other environments of the project came to: by the same
    fingerprint they are as good. Only what a stage came to here is its latest result, or how far it has read."""

    def __init__(self, table: ResultTable, others: Mapping[str, ResultTable]) -> None:
        """`others`: by the names of the environments."""
        super().__init__(table)
        self._others = others

    def find(self, fingerprint: str) -> Iterator[Result]:
        """Those with this fingerprint: first those of here, each time those that came last first. One of elsewhere has no
        number, and its `source`."""
        yield from super().find(fingerprint)
        for name, table in self._others.items():
            found: list[Result] = []
            with contextlib.suppress(JournalUnreadable):  # then it is computed here
                found = table.where("fingerprint = ?", (fingerprint,))
            for result in found:
                yield dataclasses.replace(result, number=0, source=name)

    def has_head(self, head: str) -> bool:
        """Whether there is any with this head, here or elsewhere."""
        if self._heads is None:
            self._heads = self._table.heads()
            for table in self._others.values():
                with contextlib.suppress(JournalUnreadable):
                    self._heads |= table.heads()
        return head in self._heads

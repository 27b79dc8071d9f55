"""How far stages with bookmarks have read: a table of the journal, in which events are added up.

It is made with the first mark, so that a journal without any is as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.events import AttemptEnded, BookmarkMoved
from stagebook.journal.database import Database, has_table, sum_of
from stagebook.planning.bookmarks import place_of
from stagebook.planning.result import Marks

_TABLE = """CREATE TABLE IF NOT EXISTS bookmarks (
    pipeline TEXT NOT NULL, stage TEXT NOT NULL, place TEXT NOT NULL, item TEXT NOT NULL,
    mark TEXT NOT NULL, number INTEGER NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY (pipeline, stage, place, item)
)"""
_AGAIN = ""  # in the place of an item: the attempts that were taken back


class BookmarkTable:
    """The marks of all stages."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, pipeline: str, stage: str, place: str) -> Marks:
        """How far a stage instance has read that writes to a place. Raises `JournalUnreadable`."""
        rows = self._rows("WHERE pipeline = ? AND stage = ? AND place = ?", (pipeline, stage, place))
        items = {item: mark for _, _, _, item, mark, _ in rows}
        return Marks(again=tuple(items.pop(_AGAIN, ())), items=items)

    def all(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """What has been read: pipeline, stage and place → item → the number of the event with its mark."""
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        for pipeline, stage, place, item, _, number in self._rows("", ()):
            if item != _AGAIN:
                found.setdefault((pipeline, stage, place), {})[item] = number
        return found

    def count(self) -> tuple[int, int]:
        """How many marks there are, and how many are not as they were written."""
        rows = (
            self._db.read("SELECT pipeline, stage, place, item, mark, number, sum FROM bookmarks")
            if has_table(self._db, "bookmarks")
            else []
        )
        return len(rows), sum(row[-1] != sum_of(*row[:-1]) for row in rows)

    def move(self, number: int, pipeline: str, event: AttemptEnded | BookmarkMoved) -> None:
        """Take over what the event with a number says, within a transaction."""
        moved = event.bookmark
        if moved is None:
            return
        if isinstance(event, BookmarkMoved):
            place, again = place_of(event.places), tuple(event.again)
        else:
            place, again = place_of(item.path for item in event.outputs.values()), ()
        key = (pipeline, event.stage, place)
        self._db.do(_TABLE)
        if moved.get("anew"):
            self._db.do("DELETE FROM bookmarks WHERE pipeline = ? AND stage = ? AND place = ?", key)
        marks: Mapping[str, Any] = {**moved.get("marks", {}), _AGAIN: list(again) or None}
        for item, mark in marks.items():
            if mark is None:
                where = "pipeline = ? AND stage = ? AND place = ? AND item = ?"
                self._db.do(f"DELETE FROM bookmarks WHERE {where}", (*key, item))  # noqa: S608
                continue
            row = (*key, item, json.dumps(mark), number)
            self._db.do("INSERT OR REPLACE INTO bookmarks VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, sum_of(*row)))

    def _rows(self, where: str, values: Sequence[Any]) -> Iterator[tuple[str, str, str, str, Any, int]]:
        if not has_table(self._db, "bookmarks"):
            return
        columns = "pipeline, stage, place, item, mark, number, sum"
        for row in self._db.read(f"SELECT {columns} FROM bookmarks {where} ORDER BY item", values):  # noqa: S608
            if row[-1] != sum_of(*row[:-1]):
                raise self._db.damaged(f"the bookmark of {row[0]} {row[1]}")
            yield (*row[:4], json.loads(row[4]), row[5])

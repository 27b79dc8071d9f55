"""How far a stage has read whose bookmark is of a column: the largest value that it wrote there."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.execution.attempt import Attempt, ColumnMark
from stagebook.pipeline.types import Value
from stagebook.tables import kinds, sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, Source, source_of


class NoMark(Exception):
    """Nobody can say how far the stage has read; the text says where, what and what to do."""


def mark_of(attempt: Attempt) -> dict[str, Any] | None:
    """The bookmark, as `AttemptEnded` has it; `None` where the stage has none of a column. Raises `NoMark`."""
    wanted = attempt.mark
    if wanted is None:
        return None
    staged = Path(attempt.root) / attempt.outputs[wanted.output].staged
    try:
        largest = _largest(dataclasses.replace(source_of(staged), guessed=True), wanted, Path(attempt.folder))
    except (NoTable, QueryFailed) as error:
        path = attempt.outputs[wanted.output].path
        raise NoMark(f"{wanted.place}: the bookmark in '{path}': {error}") from error
    try:
        known = [value for value in (wanted.before, largest) if value is not None]
        return {"marks": {f"{wanted.output}.{wanted.column}": max(known)} if known else {}}
    except TypeError:
        what = f"the largest {wanted.column} is {largest!r} now, and was {wanted.before!r}"
        hint = f"begin anew: stagebook bookmark reset {attempt.pipeline} {attempt.stage}"
        raise NoMark(f"{wanted.place}: {what}, which cannot be compared; {hint}") from None


def _largest(source: Source, wanted: ColumnMark, folder: Path) -> Value:
    """The largest value as plain data: times in the form of ISO 8601, those with a zone in UTC; `None` without rows. Raises
    `NoTable` and `QueryFailed`."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as spill,
        Connection({"it": source}, spill=Path(spill)) as duck,
    ):
        columns = duck.columns("it")
        if wanted.column not in columns:
            raise QueryFailed(f"there is no column '{wanted.column}'; {did_you_mean(wanted.column, columns)}")
        kind = columns[wanted.column]
        name = sql.name(wanted.column)
        value, finite = f"max({name})", "true"
        if kinds.is_real(kind) or kind == "DATE" or kind.startswith("TIMESTAMP"):
            finite = f"isfinite({name})"
        if kind == "DATE":
            value = f"strftime({value}, '%Y-%m-%d')"
        elif kind.startswith("TIMESTAMP"):
            zone = "+00:00" if "ZONE" in kind else ""
            value = f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f') || '{zone}'"
        elif kinds.is_number(kind):
            value = f"{value}::{'HUGEINT' if kinds.is_whole(kind) else 'DOUBLE'}"
        elif kind != "VARCHAR":
            raise QueryFailed(f"'{wanted.column}' is {kind}: a mark is a number, a time or a text")
        query = f"SELECT {value} FROM it WHERE {name} IS NOT NULL AND {finite}"  # noqa: S608 - names are quoted
        return duck.rows(query)[0][0]

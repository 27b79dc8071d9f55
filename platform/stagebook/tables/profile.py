"""What a table holds, in figures: by column how many values are missing, how many are different, the smallest and largest,
quantiles; the values themselves where they are few."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.tables import kinds, sql
from stagebook.tables.duck import Connection

QUANTILES = (0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999)
FEW = 30  # different values that are listed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.

    Args:
        type: as DuckDB names it.
        nulls: how many rows have no value; NaN is none.
        distinct: about how many different values there are (HyperLogLog, a few percent off where they are many).
        low, high: the smallest and the largest value, as text where it is no number; `None` where there is none.
        quantiles: of numbers, those of `QUANTILES` (T-digest).
        lengths: of text, the shortest and the longest, in characters.
        values: the different values with their counts, the most frequent first, where they are at most `FEW`.
    """

    type: str
    nulls: int
    distinct: int
    low: Any = None
    high: Any = None
    quantiles: tuple[float, ...] = ()
    lengths: tuple[int, int] | None = None
    values: tuple[tuple[Any, int], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """A table: its number of rows, and its columns in their order."""

    rows: int
    columns: Mapping[str, ColumnProfile]


def profile(connection: Connection, table: str, *, values: bool = True) -> TableProfile:
    """The profile of a table, in one scan, and one more for the values of columns that have few; `values`: whether they
    are wanted. Raises `QueryFailed`."""
    rows, found = aggregated(connection, table, lambda name, kind: _aggregates(sql.name(name), kind))
    columns = {name: _column(kind, rows, values) for name, (kind, values) in found.items()}
    if values:
        few = [
            name
            for name, found in columns.items()
            if 0 < found.distinct <= FEW and kinds.is_simple(found.type)
        ]
        for name in few:
            counted = _values(connection, table, name)
            if len(counted) <= FEW:
                columns[name] = dataclasses.replace(columns[name], values=counted, distinct=len(counted))
    return TableProfile(rows=rows, columns=columns)


def aggregated(
    connection: Connection, table: str, wanted: Callable[[str, str], Mapping[str, str]]
) -> tuple[int, dict[str, tuple[str, dict[str, Any]]]]:
    """How many rows a table has; and for each column its type, and the values of the aggregates that are `wanted` of a name
    and a type, by their names. In one scan. Raises `QueryFailed`."""
    asked, readers = ["count(*)"], []
    for name, kind in connection.columns(table).items():
        texts = wanted(name, kind)
        readers.append((name, kind, len(asked), list(texts)))
        asked += texts.values()
    row = connection.rows(f"SELECT {', '.join(asked)} FROM {sql.name(table)}")[0]
    found = {
        name: (kind, dict(zip(keys, row[start : start + len(keys)], strict=True)))
        for name, kind, start, keys in readers
    }
    return int(row[0]), found


def _aggregates(column: str, kind: str) -> dict[str, str]:
    if kinds.is_real(kind):
        column = f"CASE WHEN NOT isnan({column}) THEN {column} END"
    found = {"present": f"count({column})"}
    if kinds.is_simple(kind):
        found["distinct"] = f"approx_count_distinct({column})"
    if kinds.is_number(kind) or kinds.is_moment(kind):
        found |= {"low": f"min({column})", "high": f"max({column})"}
    if kinds.is_number(kind):
        listed = ", ".join(map(str, QUANTILES))
        found["quantiles"] = f"approx_quantile({column}::DOUBLE, [{listed}])"
    if kind == "VARCHAR":
        found |= {"shortest": f"min(length({column}))", "longest": f"max(length({column}))"}
    return found


def _column(kind: str, rows: int, found: Mapping[str, Any]) -> ColumnProfile:
    lengths = None
    if found.get("shortest") is not None:
        lengths = (int(found["shortest"]), int(found["longest"]))
    return ColumnProfile(
        type=kind,
        nulls=rows - found["present"],
        distinct=min(found.get("distinct", 0), found["present"]),
        low=_plain(found.get("low")),
        high=_plain(found.get("high")),
        quantiles=within(found.get("quantiles"), found.get("high")),
        lengths=lengths,
    )


def within(quantiles: Sequence[float] | None, high: float | None) -> tuple[float, ...]:
    """Quantiles as DuckDB estimates them: of few values of which none is positive, the last ones come out above `high`, the
    largest value."""
    return tuple(one if high is None else min(one, high) for one in quantiles or ())


def _values(connection: Connection, table: str, column: str) -> tuple[tuple[Any, int], ...]:
    quoted = sql.name(column)
    query = f"SELECT {quoted}, count(*) AS n FROM {sql.name(table)} WHERE {quoted} IS NOT NULL GROUP BY 1"
    rows: Sequence[Any] = connection.rows(f"{query} ORDER BY n DESC, 1 LIMIT {FEW + 1}")
    return tuple((_plain(value), count) for value, count in rows)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)

"""The process that measures tables: `python -m stagebook.tables.measure SPILL PARENT`. A line of its input asks for one:
`{"id": 1, "path": "…", "personal": ["…"]}`; a line of its output answers: `{"id": 1, "figures": {…}}`, or `{"id": 1,
"problem": "…"}`. It ends with its input, and leaves the processor to others where these want it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from stagebook.figures import QUANTILES, ColumnFigures, TableFigures
from stagebook.system.processes import die_with_parent
from stagebook.tables import kinds, sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.profile import aggregated, within
from stagebook.tables.source import NoTable, Source, source_of

_LESS = 5  # by which the process is nicer than others


def measure(connection: Connection, path: Path, personal: Collection[str] = ()) -> TableFigures:
    """The figures of a table, by an open connection, in one scan. Of `personal` columns nothing is told but how many
    values there are. The values of a text file have the types that they seem to have, or are text where that fails.

    Raises:
        NoTable: it cannot be read.
        QueryFailed: it cannot be measured.
    """
    source = source_of(path)
    if not source.is_text:
        return _measure(connection, source, personal)
    try:
        return _measure(connection, dataclasses.replace(source, guessed=True), personal)
    except (NoTable, QueryFailed):
        return _measure(connection, source, personal)


def _measure(connection: Connection, source: Source, personal: Collection[str]) -> TableFigures:
    connection.add("raw", source)
    rows, found = aggregated(
        connection,
        "raw",
        lambda name, kind: _aggregates(sql.name(name), kind, is_personal=name in personal),
    )
    columns = {name: _column(kind, rows, values) for name, (kind, values) in found.items()}
    return TableFigures(rows=rows, columns=columns)


def _aggregates(typed: str, kind: str, *, is_personal: bool) -> dict[str, str]:
    if kinds.is_real(kind):
        typed = f"CASE WHEN NOT isnan({typed}) THEN {typed} END"
    found = {"present": f"count({typed})"}
    if kinds.is_simple(kind):
        found["distinct"] = f"approx_count_distinct({typed})"
    if is_personal:
        return found
    if kinds.is_number(kind):
        finite = f"CASE WHEN isfinite({typed}::DOUBLE) THEN {typed}::DOUBLE END"
        found["quantiles"] = f"approx_quantile({finite}, [{', '.join(map(str, QUANTILES))}])"
        found["high"] = f"max({finite})"
    elif kind == "DATE" or kind.startswith("TIMESTAMP"):
        found["newest"] = f"epoch(max(CASE WHEN isfinite({typed}) THEN {typed} END)::TIMESTAMPTZ)"
    return found


def _column(kind: str, rows: int, found: dict[str, Any]) -> ColumnFigures:
    return ColumnFigures(
        type=kind,
        nulls=rows - found["present"],
        distinct=min(found.get("distinct", 0), found["present"]),
        quantiles=within(found.get("quantiles"), found.get("high")),
        newest=found.get("newest"),
    )


def _answer(connection: Connection, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"figures": measure(connection, Path(asked["path"]), asked["personal"]).to_json()}
    except (NoTable, QueryFailed, OSError) as error:
        return {"problem": str(error)}


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main(spill: Path, parent: int) -> None:
    """Answer until the input ends, or the process `parent` does. `spill`: a folder for what does not fit into memory."""
    die_with_parent(parent)
    with contextlib.suppress(OSError):
        os.nice(_LESS)
    with Connection({}, spill=spill, is_open=True) as connection:
        for asked in _requests():
            answer = {"id": asked["id"], **_answer(connection, asked)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

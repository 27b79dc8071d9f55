"""What the text of a file that has no types stands for: whole numbers, numbers, dates."""

from __future__ import annotations

from collections.abc import Sequence

from stagebook.tables import sql
from stagebook.tables.duck import Connection

_KINDS = {  # the narrowest first; a cast to whole numbers would round
    "BIGINT": "regexp_full_match({0}, '[+-]?[0-9]{{1,18}}')",
    **{kind: f"TRY_CAST({{0}} AS {kind}) IS NOT NULL" for kind in ("DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")},
}


def as_typed(connection: Connection, table: str, *, is_text: bool) -> tuple[str, dict[str, str]]:
    """What to select of a table so that text stands for what it means, as SQL; and the columns with their types then.
    Raises `QueryFailed`."""
    columns = connection.columns(table)
    kinds = types_of_text(connection, table, list(columns)) if is_text and columns else {}
    listed = ", ".join(
        f"TRY_CAST({sql.name(one)} AS {kinds[one]}) AS {sql.name(one)}" if one in kinds else sql.name(one)
        for one in columns
    )
    return listed, {**columns, **kinds}


def types_of_text(connection: Connection, table: str, names: Sequence[str]) -> dict[str, str]:
    """The types that the values of columns of text have, for those that all have one and the same. Raises `QueryFailed`."""
    asked = [f"count({sql.name(name)})" for name in names]
    asked += [
        f"count(*) FILTER (WHERE {fits.format(sql.name(name))})" for name in names for fits in _KINDS.values()
    ]
    counts = connection.rows(f"SELECT {', '.join(asked)} FROM {sql.name(table)}")[0]
    found = {}
    for at, name in enumerate(names):
        fitting = counts[len(names) + at * len(_KINDS) :][: len(_KINDS)]
        kind = next(
            (one for one, count in zip(_KINDS, fitting, strict=True) if count == counts[at] > 0), None
        )
        if kind is not None:
            found[name] = kind
    return found

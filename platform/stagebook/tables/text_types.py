"""What the text of a file that has no types stands for: whole numbers, numbers, dates."""

from __future__ import annotations

from collections.abc import Sequence

from stagebook.tables import sql
from stagebook.tables.duck import Connection

_KINDS = {  # the narrowest first; a cast to whole numbers would round
    "BIGINT": "regexp_full_match({0}, '[+-]?[0-9]{{1,18}}')",
    **{kind: f"TRY_CAST({{0}} AS {kind}) IS NOT NULL" for kind in ("DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")},
}


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

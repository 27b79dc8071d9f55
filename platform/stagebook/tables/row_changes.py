"""What became of the rows of a table from one version to another: two tables, `before` and `after`, held side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.tables import sql
from stagebook.tables.duck import Connection
from stagebook.tables.source import Source
from stagebook.tables.text_types import as_typed

SHOWN = 5  # rows of each kind


class NoKey(Exception):
    """The columns do not tell rows apart; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowChanges:
    """The difference of the rows.

    Args:
        key: the columns that tell rows apart; without any, a row that changed is one that went and one that came.
        added, removed, changed: how many rows.
        columns: in how many of the rows that changed each column differs, for those that do.
        samples: some of the rows, by what became of them.
    """

    key: tuple[str, ...] = ()
    added: int
    removed: int
    changed: int = 0
    columns: Mapping[str, int] = dataclasses.field(default_factory=dict)
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = dataclasses.field(default_factory=dict)


class Comparison:
    """Two tables of one connection, `before raw` and `after raw`. `columns`: those of each with their types, which are
    what the text stands for where it has no types. Raises `QueryFailed`, as all that it does."""

    def __init__(self, connection: Connection, sources: Mapping[str, Source]) -> None:
        self._connection = connection
        self.columns = {name: self._view(name, source) for name, source in sources.items()}

    def _view(self, name: str, source: Source) -> dict[str, str]:
        raw = f"{name} raw"
        typed, columns = as_typed(self._connection, raw, is_text=source.is_text)
        self._connection.do(f"CREATE VIEW {name} AS SELECT {typed} FROM {sql.name(raw)}")
        return columns

    @property
    def common(self) -> list[str]:
        """The columns that are in both."""
        return [name for name in self.columns["before"] if name in self.columns["after"]]

    @property
    def counts(self) -> tuple[int, int]:
        """How many rows there were, and are."""
        return self._number("SELECT count(*) FROM before"), self._number("SELECT count(*) FROM after")

    def changes(self, key: tuple[str, ...]) -> RowChanges:
        """The difference of the rows; without a `key` rows are equal or not. Raises `NoKey`."""
        found = self._by_key(key, self.common) if key else self._by_rows(self.common)
        return RowChanges(key=key, **found)

    def _by_key(self, key: tuple[str, ...], both: Sequence[str]) -> dict[str, Any]:
        listed = sql.names(key)
        for name in ("before", "after"):
            twice = self._number(f"SELECT count(*) - count(DISTINCT ({listed})) FROM {name}")
            if twice:
                raise NoKey(f"{twice:,} rows repeat the key ({', '.join(key)}) of another one")
        same = " AND ".join(f"a.{sql.name(one)} IS NOT DISTINCT FROM b.{sql.name(one)}" for one in key)
        values = [one for one in both if one not in key]
        differs = [f"(a.{sql.name(one)} IS DISTINCT FROM b.{sql.name(one)})" for one in values]
        joined = f"before b JOIN after a ON {same} WHERE {' OR '.join(differs) or 'false'}"
        counts = ["count(*)", *(f"count(*) FILTER (WHERE {one})" for one in differs)]
        changed, *columns = self._connection.rows(f"SELECT {', '.join(counts)} FROM {joined}")[0]
        alone = {
            "added": f"after a WHERE NOT EXISTS (SELECT 1 FROM before b WHERE {same})",
            "removed": f"before a WHERE NOT EXISTS (SELECT 1 FROM after b WHERE {same})",
        }
        pairs = [
            *(f"a.{sql.name(one)}" for one in key),
            *(
                f"CASE WHEN {test} THEN coalesce(b.{sql.name(one)}::VARCHAR, 'null') || ' → ' ||"
                f" coalesce(a.{sql.name(one)}::VARCHAR, 'null') END AS {sql.name(one)}"
                for one, test in zip(values, differs, strict=True)
            ),
        ]
        return {
            **{what: self._number(f"SELECT count(*) FROM {text}") for what, text in alone.items()},
            "changed": changed,
            "columns": {name: count for name, count in zip(values, columns, strict=True) if count},
            "samples": {
                **{what: self._sample(f"SELECT a.* FROM {text}") for what, text in alone.items()},
                "changed": self._sample(f"SELECT {', '.join(pairs)} FROM {joined}"),
            },
        }

    def _by_rows(self, both: Sequence[str]) -> dict[str, Any]:
        listed = sql.names(both)
        texts = {
            "added": f"SELECT {listed} FROM after EXCEPT ALL SELECT {listed} FROM before",
            "removed": f"SELECT {listed} FROM before EXCEPT ALL SELECT {listed} FROM after",
        }
        return {
            **{what: self._number(f"SELECT count(*) FROM ({text})") for what, text in texts.items()},
            "samples": {what: self._sample(f"SELECT * FROM ({text})") for what, text in texts.items()},
        }

    def _number(self, text: str) -> int:
        return int(self._connection.rows(text)[0][0])

    def _sample(self, text: str) -> list[dict[str, Any]]:
        return self._connection.named_rows(f"{text} LIMIT {SHOWN}")

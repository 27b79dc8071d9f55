"""What became of the columns of a table from one version to another, and whether who reads it can go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from stagebook.tables import kinds

_ORDER = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """A column that is new, gone, or of another type; `before` and `after` are types, empty where it is not there.
    `is_breaking`: who reads the table by its columns may fail, or read other values."""

    column: str
    before: str
    after: str
    is_breaking: bool

    @property
    def text(self) -> str:
        """The change in words."""
        if not self.before:
            return f"{self.column} is new: {self.after}"
        if not self.after:
            return f"{self.column} is gone: it was {self.before}"
        return f"{self.column} is {self.after}: it was {self.before}"


def schema_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[SchemaChange]:
    """The changes from the columns of one version to those of another, with DuckDB's types: those of columns that were
    there in their order, then new ones. A new column breaks nothing, nor does a wider type of the same kind."""
    found = [
        SchemaChange(
            column=name,
            before=kind,
            after=after.get(name, ""),
            is_breaking=name not in after or not _is_wider(kind, after[name]),
        )
        for name, kind in before.items()
        if after.get(name) != kind
    ]
    new = (name for name in after if name not in before)
    return [
        *found,
        *(SchemaChange(column=name, before="", after=after[name], is_breaking=False) for name in new),
    ]


def _is_wider(before: str, after: str) -> bool:
    """Whether each value of a type is the same in the other one."""
    if (before, after) == ("FLOAT", "DOUBLE"):
        return True
    for order in (_ORDER, _UNSIGNED):
        if before in order and after in order:
            return order.index(before) <= order.index(after)
    if before in _UNSIGNED and after in _ORDER:
        return _UNSIGNED.index(before) < _ORDER.index(after)
    return kinds.base(before) == "ENUM" and after == "VARCHAR"

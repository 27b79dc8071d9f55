"""What a table holds, in figures that are kept for each run: values that the journal keeps and monitors compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """One column.

    Args:
        type: as DuckDB names it.
        nulls: how many rows have no value; NaN is none.
        distinct: about how many different values there are.
        quantiles: of numbers, those of `QUANTILES`; empty where values are personal.
        newest: of dates and times, the latest, in seconds since the epoch.
    """

    type: str
    nulls: int
    distinct: int
    quantiles: tuple[float, ...] = ()
    newest: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data; what says nothing is left out."""
        found: dict[str, Any] = {"type": self.type, "nulls": self.nulls, "distinct": self.distinct}
        if self.quantiles:
            found["quantiles"] = list(self.quantiles)
        if self.newest is not None:
            found["newest"] = self.newest
        return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableFigures:
    """A table: its rows, and its columns by name."""

    rows: int
    columns: Mapping[str, ColumnFigures] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"rows": self.rows, "columns": {name: one.to_json() for name, one in self.columns.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableFigures:
        """What `to_json` made. Raises `ValueError`."""
        try:
            columns = {
                str(name): ColumnFigures(
                    type=str(one["type"]),
                    nulls=int(one["nulls"]),
                    distinct=int(one["distinct"]),
                    quantiles=tuple(map(float, one.get("quantiles", ()))),
                    newest=None if one.get("newest") is None else float(one["newest"]),
                )
                for name, one in data.get("columns", {}).items()
            }
            return cls(rows=int(data["rows"]), columns=columns)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not figures of a table: {data!r:.80}") from error


Figures = Mapping[str, TableFigures]
"""By the name of the output."""


def figures_to_json(figures: Figures) -> dict[str, Any]:
    """As plain data."""
    return {name: one.to_json() for name, one in figures.items()}


def figures_from_json(data: Mapping[str, Any]) -> dict[str, TableFigures]:
    """What `figures_to_json` made. Raises `ValueError`."""
    return {name: TableFigures.from_json(one) for name, one in data.items()}

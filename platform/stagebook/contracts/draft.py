"""A contract proposed from what a dataset holds, with a reason beside each bound."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from stagebook.tables import kinds
from stagebook.tables.profile import ColumnProfile, TableProfile

ENOUGH = 100  # rows without which nothing is said about bounds
REPEATS = 20  # times that a value occurs on average, where the list of values is taken for complete
MARGIN = 0.25  # of the width that was seen, by which a proposed range is wider on each side


def draft(
    dataset: str,
    found: TableProfile,
    *,
    unique: frozenset[str] = frozenset(),
    rows: tuple[int, int] | None = None,
) -> str:
    """The text of a contract. `unique`: the columns that were seen to have no value twice. `rows`: the fewest and the most
    rows, where the profile is of several tables that the contract is about one by one."""
    lines = [*_head(dataset), *_table(dataset.rpartition(".")[2], found, unique)]
    return "\n".join([*lines, *_rows(*(rows or (found.rows, found.rows)))]) + "\n"


def _head(dataset: str) -> Iterator[str]:
    yield "# Proposed from the data: read it, and keep what you know to be true."
    yield "apiVersion: v3.2.0"
    yield "kind: DataContract"
    yield f"id: {dataset}"
    yield "version: 0.1.0"
    yield "status: draft"
    yield "customProperties:"
    yield "  - {property: schemaPolicy, value: evolve} # freeze, evolve or discard_columns"


def _table(name: str, found: TableProfile, unique: frozenset[str]) -> Iterator[str]:
    yield "schema:"
    yield f"  - name: {_text(name)}"
    yield "    properties:"
    for column, seen in found.columns.items():
        yield from _column(column, seen, found.rows, is_unique=column in unique)


def _rows(fewest: int, most: int) -> Iterator[str]:
    if most:
        low, high = _rounded(fewest / 2, down=True), _rounded(most * 2, down=False)
        seen = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        yield "    quality:"
        yield f"      - metric: rowCount # {seen} were seen; half to twice as many"
        yield f"        mustBeBetween: [{low:.0f}, {high:.0f}]"
        yield "        severity: warn"


def _column(name: str, seen: ColumnProfile, rows: int, *, is_unique: bool) -> Iterator[str]:
    logical = kinds.logical(seen.type)
    yield f"      - name: {_text(name)}"
    if logical:
        yield f"        logicalType: {logical}"
    if rows and not seen.nulls:
        yield f"        required: true # none of {rows:,} rows lacks it"
    if is_unique:
        yield f"        unique: true # {rows:,} rows, and no value twice"
    if rows < ENOUGH:
        return
    present = rows - seen.nulls
    if logical == "string" and seen.values and present >= REPEATS * len(seen.values):
        yield f"        enum: # {len(seen.values)} values in {present:,} rows, so it seems to be all of them"
        yield from (f"          - value: {_text(value)}" for value, _ in seen.values)
    elif logical in {"number", "integer"} and isinstance(seen.low, int | float) and not is_unique:
        yield from _range(seen, logical)
    if 0 < seen.nulls <= present:
        share = 100 * seen.nulls / rows
        most = min(100.0, math.ceil(share * 2 * 10) / 10 or 0.1)
        yield "        quality:"
        yield f"          - metric: nullValues # {share:.3g} % lack it; twice as many"
        yield f"            mustBeLessOrEqualTo: {most:g}"
        yield "            unit: percent"
        yield "            severity: warn"


def _range(seen: ColumnProfile, logical: str) -> Iterator[str]:
    width = seen.high - seen.low
    low = _rounded(seen.low - MARGIN * width, down=True)
    high = _rounded(seen.high + MARGIN * width, down=False)
    if seen.low >= 0 > low:
        low = 0
    if not all(map(math.isfinite, (low, high))):
        return
    middle = f"; 99.8 % from {seen.quantiles[0]:.6g} to {seen.quantiles[-1]:.6g}" if seen.quantiles else ""
    yield f"        logicalTypeOptions: # {seen.low:.10g} to {seen.high:.10g} were seen{middle}; a quarter wider"
    yield f"          minimum: {_shown(low, logical)}"
    yield f"          maximum: {_shown(high, logical)}"


def _shown(value: float, logical: str) -> str:
    return f"{value:.0f}" if logical == "integer" else f"{value:.10g}"


def _rounded(value: float, *, down: bool) -> float:
    """To two digits, away from what was seen."""
    if not value or not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return (math.floor(value / step) if down else math.ceil(value / step)) * step


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

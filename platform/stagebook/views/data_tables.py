"""Datasets, their versions, and rows of them, as tables."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stagebook.incidents.incident import Incident
from stagebook.runs.datasets import Dataset, Version
from stagebook.runs.differences import Difference
from stagebook.views import formatting
from stagebook.views.formatting import plain
from stagebook.views.incident_tables import named
from stagebook.views.tables import table_of

_CELL = 40  # characters of a value
_GAP = 2

Row = tuple[Dataset, Version | None, int | None]


def summary(dataset: Dataset, version: Version | None, rows: int | None) -> tuple[Any, ...]:
    """A dataset as plain values: name, path, kind, version, run, time, rows."""
    kind = "delta" if dataset.delta is not None else "file"
    number, run, at = (version.number, version.run, version.at) if version is not None else (None, None, None)
    return dataset.name, dataset.path, kind, number, run, at, rows


def datasets(found: Iterable[Row], incidents: Mapping[str, Sequence[Incident]], now: float) -> Table:
    """Datasets, each with what lies in its place, and with the open `incidents` that it has, by name."""
    table = table_of(
        "dataset", "kind", "rows", "version", "made", *(["incidents"] if any(incidents.values()) else [])
    )
    for dataset, version, rows in found:
        name, _, kind, number, _, at, count = summary(dataset, version, rows)
        shown = f"{count:,}" if count is not None else Text("no table", style="dim")
        table.add_row(
            Text(plain(name)),
            kind,
            shown,
            "" if number is None else str(number),
            formatting.when(at, now),
            *([named(incidents.get(name, ()))] if any(incidents.values()) else []),
        )
    return table


def history(versions: Iterable[Version], now: float) -> Table:
    """Versions of a dataset."""
    table = table_of("version", "rows", "made", "run", "how")
    for one in versions:
        run = one.run or Text("another writer", style="dim")
        how = f"{one.operation.lower()}{' · present' if one.is_present else ''}"
        rows = "" if one.rows is None else f"{one.rows:,}"
        table.add_row(str(one.number), rows, formatting.when(one.at, now), run, Text(plain(how)))
    return table


def difference(done: Difference, *, width: int) -> RenderableType:
    """What became of columns, and of rows where these were compared."""
    two, (before, after), rows = (done.before, done.after), done.counts, done.rows
    told_rows = (f"{before:,} → {after:,} rows", "dim")
    if rows is None:
        head = Text.assemble(f"{two[0].run} → {two[1].run}  ", told_rows, f"  {two[1].stage}")
        return Group(head, *(_columns(done) or [Text("✓ the same columns", style="green")]))
    head = Text.assemble(f"version {two[0].number} → {two[1].number}  ", told_rows)
    by = f" by {', '.join(rows.key)}" if rows.key else ""
    counts = [(what, getattr(rows, what)) for what in ("added", "removed", "changed")]
    told = ", ".join(f"{count:,} {what}" for what, count in counts if count)
    if not (told or done.columns):
        return Group(head, Text("✓ the same", style="green"))
    lines: list[RenderableType] = [*_columns(done), Text(plain(f"rows{by}: {told or 'the same'}"))]
    if rows.columns:
        columns = ", ".join(f"{name} in {count:,}" for name, count in rows.columns.items())
        lines.append(Text(plain(f"  changed: {columns}"), style="dim"))
    for what, some in rows.samples.items():
        if some:
            lines += [Text(f"\n{what}:"), rows_of(some, width=width)]
    return Group(head, *lines)


def _columns(done: Difference) -> list[Text]:
    """The changes of columns, those that break who reads the dataset first."""
    return [
        Text(
            plain(f"{'✗' if one.is_breaking else '+'} {one.text}{'  (breaking)' if one.is_breaking else ''}"),
            style="red" if one.is_breaking else "",
        )
        for one in sorted(done.columns, key=lambda one: not one.is_breaking)
    ]


def rows_of(rows: Sequence[Mapping[str, Any]], *, width: int) -> RenderableType:
    """Rows by the names of their columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return answer(names, [[row.get(name) for name in names] for row in rows], width=width)


def answer(names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int) -> RenderableType:
    """Rows as a table as wide as the terminal: the columns that fit, with the names of the others; a single row that does
    not fit, one value a line."""
    if not names:
        return Text("no columns", style="dim")
    cells = [[plain(_shown(value)) for value in row] for row in rows]
    widths = [max(len(plain(name)), *(len(row[at]) for row in cells), 1) for at, name in enumerate(names)]
    fits, used = 0, 0
    for one in widths:
        if fits and used + one > width:
            break
        fits, used = fits + 1, used + one + _GAP
    if len(rows) == 1 and fits < len(names):
        longest = max(len(plain(name)) for name in names)
        pairs = zip(names, cells[0], strict=True)
        return Group(*(Text(f"{plain(name):<{longest}}  {cell}") for name, cell in pairs))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for at, name in enumerate(names[:fits]):
        numbers = bool(rows) and all(_is_number(row[at]) for row in rows)
        table.add_column(
            Text(plain(name)), justify="right" if numbers else "left", no_wrap=True, overflow="ellipsis"
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row[:fits]))
    more: list[RenderableType] = [] if rows else [Text("no rows", style="dim")]
    if fits < len(names):
        left = ", ".join(plain(name) for name in names[fits:])
        more.append(Text(f"and {formatting.plural(len(names) - fits, 'column')}: {left}", style="dim"))
    return Group(table, *more)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.date | datetime.time):
        return str(value)
    return formatting.value(value, _CELL)

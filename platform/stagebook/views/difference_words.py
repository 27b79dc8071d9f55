"""The words for what differs between two sides, which the terminal, Markdown and HTML have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from stagebook.comparing.difference import (
    DatasetDifference,
    NotebookDifference,
    StageDifference,
    ValueDifference,
)
from stagebook.views.formatting import plain, plural, size, value

_ORDER = ("changed", "pending", "added", "removed", "same")
_WORDS = {"same": "the same", "pending": "without a result yet"}


def counted(items: Iterable[StageDifference | DatasetDifference]) -> str:
    """How many became what: `2 changed, 7 the same`."""
    counts = Counter(str(item.what) for item in items)
    return ", ".join(f"{counts[what]} {_WORDS.get(what, what)}" for what in _ORDER if counts[what])


def change(one: ValueDifference) -> str:
    """A value that differs: `0.81 → 0.83 (+0.02)`."""
    before, after = (_shown(item) for item in (one.before, one.after))
    if one.before is None:
        return f"{after} (new)"
    if one.after is None:
        return f"{before} (gone)"
    more = ""
    if _is_number(one.before) and _is_number(one.after):
        more = f" ({one.after - one.before:+.4g})"
    return f"{before} → {after}{more}"


def in_short(one: DatasetDifference) -> str:
    """What became of a dataset, in a line."""
    if one.what in {"added", "removed"}:
        where = one.sizes[1] if one.what == "added" else one.sizes[0]
        return f"{'new' if one.what == 'added' else 'gone'}{f', {size(where)}' if where is not None else ''}"
    if one.rows is not None and one.counts is not None:
        counts = [(what, getattr(one.rows, what)) for what in ("added", "removed", "changed")]
        told = ", ".join(f"{count:,} {what}" for what, count in counts if count) or "the same rows"
        by = f" by {', '.join(one.rows.key)}" if one.rows.key else ""
        return f"{one.counts[0]:,} → {one.counts[1]:,} rows: {told}{by}"
    if one.pixels is not None:
        return f"{share(one.pixels)} of its pixels differ"
    if one.lines:
        return f"{plural(len(one.lines), 'line')} differ" + ("s" if len(one.lines) == 1 else "")
    sizes = [size(count) for count in one.sizes if count is not None]
    return f"other bytes: {' → '.join(sizes)}" if sizes else "other content"


def columns(one: DatasetDifference) -> list[tuple[str, bool]]:
    """What became of its columns, what breaks first: the text, and whether it breaks who reads it."""
    found = sorted(one.columns, key=lambda each: not each.is_breaking)
    return [
        (f"{each.text}{' (breaks who reads it)' if each.is_breaking else ''}", each.is_breaking)
        for each in found
    ]


def of_notebook(one: NotebookDifference | None) -> str:
    """What became of an executed notebook, in a line; empty where there is nothing to say."""
    if one is None:
        return ""
    if one.remark:
        return one.remark
    more = f"; {plural(one.volatile, 'text')} left out that differ in every run" if one.volatile else ""
    if not one.cells:
        return f"the executed notebooks show the same{more}"
    names = ", ".join(f"{cell.number}{_CELLS.get(cell.what, '')}" for cell in one.cells[:12])
    return f"cells that differ: {names}{' …' if len(one.cells) > 12 else ''}{more}"


_CELLS = {"added": " (new)", "removed": " (gone)"}


def share(part: float) -> str:
    """A part of all, in percent: `3.2 %`, `< 0.1 %`."""
    return f"{part:.1%}".replace("%", " %") if part >= 0.001 else "< 0.1 %"


def _shown(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:,.6g}"
    if isinstance(item, int) and not isinstance(item, bool):
        return f"{item:,}"
    return plain(item if isinstance(item, str) else value(item))


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)

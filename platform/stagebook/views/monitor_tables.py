"""Figures over the runs, and what is unusual about them, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from stagebook.runs.monitors import Monitor, Series
from stagebook.views.formatting import duration, plain, plural, size, value
from stagebook.views.tables import table_of

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 20  # of a series that are drawn
_SHOWN = 5  # figures that are told of one dataset


def monitors(found: Iterable[Series]) -> Table:
    """A line for each figure: its last value, what was usual, and its course."""
    table = table_of("what", "figure", "last", "usual", "course")
    for one in found:
        sign = "! " if one.is_unusual else ""
        table.add_row(
            Text(plain(one.monitor.dataset)),
            Text(plain(figure_name(one.monitor))),
            Text(f"{sign}{figure_text(one.monitor, one.last.value)}", style="yellow" if sign else ""),
            Text(figure_range(one) or f"unknown yet, {plural(len(one.points), 'run')}", style="dim"),
            Text(course([point.value for point in one.points])),
        )
    return table


def unusual_lines(found: Sequence[Series]) -> Iterator[str]:
    """What is unusual, a line each, at most some of each dataset."""
    by_dataset: dict[str, list[Series]] = {}
    for one in found:
        by_dataset.setdefault(one.monitor.dataset, []).append(one)
    for dataset, items in by_dataset.items():
        for one in items[:_SHOWN]:
            what = f"{figure_name(one.monitor)} {figure_text(one.monitor, one.last.value)}"
            yield plain(f"{dataset}: {what}, usually {figure_range(one)} ({plural(one.compared, 'run')})")
        if len(items) > _SHOWN:
            yield plain(f"{dataset}: {plural(len(items) - _SHOWN, 'more figure')} out of the usual")


def course(values: Sequence[float]) -> str:
    """The last values as bars between the lowest and the highest of them."""
    values = values[-_POINTS:]
    low, high = min(values), max(values)
    if low == high:
        return _BARS[0] * len(values)
    step = (high - low) / (len(_BARS) - 1)
    return "".join(_BARS[round((value - low) / step)] for value in values)


def figure_name(monitor: Monitor) -> str:
    """What a figure is called within its stage or output."""
    name = {"seconds": "duration", "age in seconds": "age of the newest"}.get(monitor.figure, monitor.figure)
    return f"{monitor.column}: {name}" if monitor.column else name


def figure_range(one: Series) -> str:
    """What is usual; empty where that is not known."""
    if one.low is None or one.high is None:
        return ""
    low, high = figure_text(one.monitor, one.low), figure_text(one.monitor, one.high)
    return low if low == high else f"{low} to {high}"


def figure_text(monitor: Monitor, number: float) -> str:
    """A value of a figure, with its unit."""
    match monitor.figure:
        case "seconds" | "age in seconds":
            return duration(max(0.0, number))
        case "bytes":
            return size(max(0, round(number)))
        case "rows" | "different values":
            return f"{max(0, round(number)):,}"
        case "share of nulls" | "drift":
            return f"{100 * max(0.0, number):.3g} %"
    return value(number)

"""How far stages have read, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from stagebook.runs.bookmarks import Reading
from stagebook.views.formatting import plain, plural, value, when
from stagebook.views.tables import table_of

_SHORT = 12  # characters of the mark of a file


def readings(found: Iterable[Reading], now: float) -> Table:
    """Stages with bookmarks, each with how far it has read."""
    table = table_of("pipeline", "stage", "reads", "has read", "last", "run")
    for one in found:
        last = one.last
        of = Text(plain(one.of)) if one.of else Text("no bookmark any more", style="dim")
        row = (_read(one), when(last.at, now), last.run) if last is not None else ("nothing yet", "", "")
        table.add_row(plain(one.pipeline), Text(plain(one.stage)), of, *row)
    return table


def _read(one: Reading) -> Text:
    if len(one.items) == 1 and one.items[0].name == one.of:
        return Text(plain(value(one.items[0].mark)))
    return Text(plural(len(one.items), "file"))


def items(one: Reading, now: float, limit: int) -> Table:
    """What a stage has read, the last first."""
    table = table_of("read", "mark", "when", "run")
    for item in sorted(one.items, key=lambda item: (item.at, item.name), reverse=True)[:limit]:
        mark = value(item.mark) if item.name == one.of else str(item.mark)[:_SHORT]
        table.add_row(Text(plain(item.name)), Text(plain(mark)), when(item.at, now), item.run)
    return table

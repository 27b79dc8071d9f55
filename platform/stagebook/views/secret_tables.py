"""Secrets as tables: their names and sources."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stagebook.runs.secrets import KnownSecret, TriedSecret
from stagebook.views.formatting import plain
from stagebook.views.tables import table_of


def secrets(found: Sequence[KnownSecret]) -> Table:
    """Each secret with its source, and the stages that use it."""
    table = table_of("secret", "source", "used by")
    for one in found:
        users = Text(", ".join(one.used_by)) if one.used_by else Text("nobody", style="dim")
        table.add_row(one.name, Text(plain(one.source.shown)), users)
    return table


def tried(found: Sequence[TriedSecret]) -> RenderableType:
    """What became of the look for each."""
    lines: list[Text] = []
    for one in found:
        if one.problem:
            lines.append(Text(f"✗ {plain(one.problem)}", style="red"))
            if one.hint:
                lines.append(Text(f"    {plain(one.hint)}", style="dim"))
        else:
            lines.append(Text(f"✓ {one.secret.name}, from {plain(one.secret.source.shown)}", style="green"))
    return Group(*lines)

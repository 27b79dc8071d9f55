"""Coverage of cells: which code cells of which notebooks the tests executed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 60  # characters of a cell's first line


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookCells:
    """The code cells of a notebook by their first lines, and the numbers, from 1, of those that were executed."""

    notebook: str
    lines: Sequence[str]
    executed: frozenset[int]

    @property
    def missed(self) -> list[int]:
        """The numbers of those that were never executed."""
        return [number for number in range(1, len(self.lines) + 1) if number not in self.executed]

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        missed = [{"cell": number, "line": self.lines[number - 1]} for number in self.missed]
        return {
            "notebook": self.notebook,
            "cells": len(self.lines),
            "executed": len(self.executed),
            "missed": missed,
        }


class CellCoverage:
    """What the tests of a session executed."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._executed: dict[str, set[int]] = {}

    def note(self, notebook: str, cells: Iterable[tuple[str, bool]]) -> None:
        """Take note of an execution of a notebook: of each code cell the source, and whether it was executed."""
        known = list(cells)
        if known:
            self._lines[notebook] = [_first_line(source) for source, _ in known]
            ran = {number for number, (_, is_executed) in enumerate(known, start=1) if is_executed}
            self._executed.setdefault(notebook, set()).update(ran)

    @property
    def notebooks(self) -> list[NotebookCells]:
        """The notebooks of which cells were executed, by name."""
        return [
            NotebookCells(notebook=name, lines=lines, executed=frozenset(self._executed[name]))
            for name, lines in sorted(self._lines.items())
        ]

    def to_json(self) -> dict[str, Any]:
        """All that is known, as plain data, for `add`."""
        return {name: [lines, sorted(self._executed[name])] for name, lines in self._lines.items()}

    def add(self, data: Mapping[str, Any]) -> None:
        """Add what another process came to know (`to_json`)."""
        for name, (lines, executed) in data.items():
            self._lines[name] = list(lines)
            self._executed.setdefault(name, set()).update(executed)


def _first_line(source: str) -> str:
    """The first line that says something: not empty, and no comment if there is another one."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    found = next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
    return found if len(found) <= _SHOWN else f"{found[: _SHOWN - 1]}…"


def table(notebooks: Sequence[NotebookCells], others: Sequence[str] = ()) -> Iterator[str]:
    """The lines of a table: executed ÷ all code cells of each notebook, and below those that never ran. `others` are
    notebooks that no test executes."""
    width = max(len(one.notebook) for one in notebooks)
    for one in notebooks:
        share = 100 * len(one.executed) // max(len(one.lines), 1)
        yield f"{one.notebook:<{width}}  {len(one.executed)}/{len(one.lines)} cells  {share} %"
        yield from (f"    cell {number} never ran: {one.lines[number - 1]}" for number in one.missed)
    if others:
        yield f"no test executes {', '.join(others)}"

"""The table of `make parity`: each notebook, and what differs from papermill in each way."""

from __future__ import annotations

from typing import Any

from effort import IS_FULL
from parity.table import rows


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A row for each notebook, where all of them were executed."""
    if not (rows and IS_FULL):
        return
    ways = sorted({way for found in rows.values() for way in found})
    terminalreporter.section("beside plain papermill")
    terminalreporter.write_line(f"| notebook | {' | '.join(ways)} |\n|{' --- |' * (len(ways) + 1)}")
    for name, found in rows.items():
        terminalreporter.write_line(f"| {name} | {' | '.join(found.get(way, '') for way in ways)} |")

"""Fixtures of the fault suite, and its summary. `make faults` sets `STAGEBOOK_FAULTS=full`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from effort import IS_FULL, SEED, figures
from faults.faults_tools import Place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The full numbers take longer than other tests may."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            if sys.platform != "linux":
                item.add_marker(pytest.mark.skip(reason="looks at processes through /proc"))
            if IS_FULL:
                item.add_marker(pytest.mark.timeout(3600))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its figures on."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["figures"] = list(figures)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    figures.extend(map(tuple, getattr(node, "workeroutput", {}).get("figures", ())))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures, as the table of docs/faults.md wants them."""
    if figures:
        kind = "full" if IS_FULL else "small"
        terminalreporter.section(f"faults ({kind} numbers, seed {SEED})")
        terminalreporter.write_line("| what | seen |\n| --- | --- |")
        for what, seen in figures:
            terminalreporter.write_line(f"| {what} | {seen} |")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty project with a temporary folder of its own."""
    root = tmp_path / "p"
    root.mkdir()
    made = Place(root)
    print(f"seed {SEED} (STAGEBOOK_FAULTS_SEED)")
    yield made
    made.close()

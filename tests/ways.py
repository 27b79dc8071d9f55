"""One notebook in each way that there is to execute it: what it showed, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.journal.history import StageRecord

KERNEL, UNFORKED, INPROCESS, UNFORKED_INPROCESS = (
    "kernel",
    "kernel, unforked",
    "inprocess",
    "inprocess, unforked",
)
WAYS = (KERNEL, UNFORKED, INPROCESS)
EACH_WAY = pytest.mark.parametrize("way", WAYS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """An executed notebook. `folder` is that of its attempt."""

    folder: Path
    record: StageRecord
    notebook: dict[str, Any]

    @property
    def end(self) -> str:
        """`completed`, or the message of the failure."""
        return self.record.message or str(self.record.status)

    @property
    def log(self) -> str:
        """All text that the cells put out."""
        return (self.folder / "log.txt").read_text()

    @property
    def statuses(self) -> list[str]:
        """The statuses of the code cells, without the injected one."""
        return [
            cell["metadata"]["papermill"]["status"]
            for cell in self.notebook["cells"]
            if "injected-parameters" not in cell["metadata"].get("tags", [])
        ]

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """The outputs of a cell, counted from 0."""
        found: list[dict[str, Any]] = self.notebook["cells"][cell]["outputs"]
        return found

    def text(self, cell: int, stream: str = "stdout") -> str:
        """What a cell wrote to a stream."""
        outs = [out for out in self.outputs(cell) if out.get("name") == stream]
        return "".join("".join(out["text"]) for out in outs)


def execute(builder: ProjectBuilder, way: str, *cells: str, extra: str = "", **options: Any) -> Executed:
    """Execute a notebook of these cells; `extra` are more keys of its stage, `options` those of `Project.run`."""
    return execute_each(builder, [way], *cells, extra=extra, **options)[way]


def execute_each(
    builder: ProjectBuilder, ways: Iterable[str], *cells: str, extra: str = "", **options: Any
) -> dict[str, Executed]:
    """Execute a notebook of these cells in each of these ways."""
    path = builder.notebook("a", *cells)
    found = {}
    for forks in (True, False):
        chosen = [way for way in ways if way.endswith("unforked") is not forks]
        if not chosen:
            continue
        builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(forks).lower()}\n")
        names = {way: way.partition(",")[0] for way in chosen}
        stages = [f"  {name}: {{notebook: {path}, executor: {name}{extra}}}" for name in names.values()]
        builder.pipeline("\n".join(["stages:", *stages]))
        report = builder.project.run("p", keep_going=True, force=True, **options)
        for way, name in names.items():
            folder = builder.root / f".stagebook/runs/{report.run}/{name}/1"
            notebook = builder.executed(report.run, name)
            found[way] = Executed(folder=folder, record=report.history.stages[name], notebook=notebook)
    return found

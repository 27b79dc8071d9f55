"""What is executed: steps, written down as notebooks that differ between contenders in nothing but the
parameters cell that each of them asks for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARAMETERS = ("source = ''", "target = ''")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One notebook. It comes after the step `after`; with `data` it reads the file which that one
    wrote (the variable `source`, empty in the first step) and writes its own (`target`)."""

    name: str
    cells: Sequence[str]
    after: str | None = None
    data: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Steps, and how many of them may run at a time (None: what the contender does by itself)."""

    steps: Sequence[Step]
    jobs: int | None = None


def write_notebook(path: Path, cells: Sequence[str], parameters: Sequence[str] = ()) -> None:
    """A notebook of code cells, the first of them tagged `parameters` if there are any."""
    plain: list[tuple[str, list[str]]] = [(cell, []) for cell in cells]
    tagged = [("\n".join(parameters), ["parameters"])] if parameters else []
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{at}",
            "metadata": {"tags": tags} if tags else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for at, (source, tags) in enumerate([*tagged, *plain])
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": made}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def no_ops(count: int) -> Workload:
    """Notebooks that do nothing, one after the other: all that is measured is overhead."""
    return Workload(steps=_in_a_row([("pass",)] * count, data=False))


def pandas_chain(count: int) -> Workload:
    """Small notebooks as people write them; each reads what the one before it wrote."""
    cells = (
        "import pandas as pd",
        "before = pd.read_parquet(source) if source else None",
        'frame = pd.DataFrame({"key": [n % 10 for n in range(1_000)], "value": range(1_000)})',
        """\
totals = frame.groupby("key", as_index=False)["value"].sum()
if before is not None:
    totals["value"] += before["value"]""",
        "totals.to_parquet(target)",
    )
    return Workload(steps=_in_a_row([cells] * count, data=True))


def busy_fan(count: int, turns: int, jobs: int) -> Workload:
    """Notebooks that do not depend on each other; each counts in pure Python."""
    cell = f"{BUSY}\nwork({turns})"
    return Workload(steps=[Step(name=f"busy{at}", cells=(cell,)) for at in range(count)], jobs=jobs)


BUSY = """\
def work(turns):
    total = 0
    for turn in range(turns):
        total += turn * turn % 7
    return total"""


def many_outputs(cells: int, lines: int) -> Workload:
    """A notebook of many cells that each print lines of 100 bytes, no two alike."""
    made = [f'print("\\n".join(f"{cell:09d} {{n:089d}}" for n in range({lines})))' for cell in range(cells)]
    return Workload(steps=[Step(name="outputs", cells=made)])


def many_displays(count: int) -> Workload:
    """A cell that displays the numbers from 0 on, one by one."""
    return Workload(steps=[Step(name="displays", cells=(f"for n in range({count}):\n    display(n)",))])


def flood(megabytes: int) -> Workload:
    """A cell that prints so much, in lines of 100 bytes."""
    cell = f'line = "x" * 99\nfor _ in range({megabytes * 10_000}):\n    print(line)'
    return Workload(steps=[Step(name="flood", cells=(cell,))])


def count_displays(notebook: Path) -> int:
    """How many different numbers the cells of an executed notebook display."""
    found = set()
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            text = "".join(output.get("data", {}).get("text/plain", ()))
            if output["output_type"] == "display_data" and text.isdigit():
                found.add(text)
    return len(found)


def _in_a_row(notebooks: Sequence[Sequence[str]], *, data: bool) -> list[Step]:
    return [
        Step(name=f"step{at}", cells=cells, after=f"step{at - 1}" if at else None, data=data)
        for at, cells in enumerate(notebooks)
    ]

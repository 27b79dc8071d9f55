"""How long it takes to plan a backfill of many intervals: a chain of stages, with the intervals of the first weeks there already.

.venv/bin/python -m benchmarks.backfill_grid [--intervals N] [--stages N] [--ran N] [--rounds N]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FIRST = dt.date(2020, 1, 1)
PLATFORM = Path(__file__).parent.parent / "platform"
_CODE = "open(out, 'w').write(day)"


def make_project(root: Path, stages: int) -> None:
    """A chain of stages about a day each, whose outputs are partitions."""
    (root / "notebooks").mkdir(parents=True)
    (root / "pipelines").mkdir()
    cells = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for at, (source, tags) in enumerate((("day = ''\nbefore = None\nout = ''", ["parameters"]), (_CODE, [])))
    ]  # fmt: skip
    spec = {"name": "python3", "display_name": "python3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    (root / "notebooks/one.ipynb").write_text(json.dumps(notebook))
    (root / "stagebook.toml").write_text("[tracking]\nenabled = false\n")
    lines = [
        "schedules: {daily: {cron: '0 6 * * *', zone: UTC, interval: day}}",
        "defaults: {executor: inprocess}",
        "stages:",
    ]
    for at in range(stages):
        before = f"inputs: {{before: s{at - 1}.out}}, " if at else ""
        lines.append(
            f'  s{at}: {{notebook: notebooks/one.ipynb, params: {{day: "${{interval.start}}"}}, {before}'
            f'outputs: {{out: "data/s{at}/${{interval.name}}.txt"}}}}'
        )
    (root / "pipelines/p.yaml").write_text("\n".join(lines) + "\n")


def backfill(root: Path, intervals: int, *words: str) -> tuple[float, str]:
    """`stagebook backfill` of that many days: how long it took, in seconds, and its last line."""
    last = FIRST + dt.timedelta(days=intervals - 1)
    command = [sys.executable, "-m", "stagebook", "backfill", "p", "--from", str(FIRST), "--to", str(last)]
    begun = time.perf_counter()
    done = subprocess.run(
        [*command, *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(PLATFORM)},
        check=False,
        capture_output=True,
        text=True,
    )
    spent = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return spent, done.stdout.strip().splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intervals", type=int, default=1_000)
    parser.add_argument("--stages", type=int, default=20)
    parser.add_argument("--ran", type=int, default=30, help="intervals that ran before")
    parser.add_argument("--rounds", type=int, default=5)
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="stagebook-grid-") as folder:
        root = Path(folder)
        make_project(root, parsed.stages)
        for ran in dict.fromkeys((0, parsed.ran)):
            if ran:
                backfill(root, ran, "--yes")
            found = [backfill(root, parsed.intervals, "--dry-run") for _ in range(parsed.rounds)]
            seconds = [one for one, _ in found]
            print(
                f"{parsed.intervals:,} intervals x {parsed.stages} stages, {ran} of them done, whole process: "
                f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}): {found[0][1]}"
            )


if __name__ == "__main__":
    main()

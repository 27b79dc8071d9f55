"""What a scheduler costs that has nothing to do: CPU and memory, with fifty schedules in ten pipelines.

.venv/bin/python -m benchmarks.scheduler_idle [SECONDS]
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

PIPELINES = 10
SETTLES = 5.0  # seconds until it has read everything


def make_project(root: Path) -> None:
    """Pipelines with four schedules of cron each, and one that waits for a dataset."""
    (root / "pipelines").mkdir()
    for number in range(PIPELINES):
        crons = [f'  at{at}: {{cron: "{at} 5 1 1 *", zone: Europe/Berlin}}' for at in range(4)]
        text = "\n".join(["schedules:", *crons, "  news: {on: [p0.a.out]}", ""])
        stages = "stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/out.csv}}}\n"
        (root / "pipelines" / f"p{number}.yaml").write_text(text + stages)


@contextlib.contextmanager
def scheduler(root: Path) -> Iterator[psutil.Process]:
    """A scheduler that is ended again."""
    platform = str(Path(__file__).parent.parent / "platform")
    process = subprocess.Popen(
        [sys.executable, "-m", "stagebook", "scheduler"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": platform},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def main(seconds: float = 60.0) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        with scheduler(root) as process:
            time.sleep(SETTLES)
            before, began = process.cpu_times(), time.monotonic()
            time.sleep(seconds)
            after, ended = process.cpu_times(), time.monotonic()
            used = after.user + after.system - before.user - before.system
            share, memory = 100 * used / (ended - began), process.memory_info().rss / 1e6
    print(f"{PIPELINES * 5} schedules: {share:.2f} % of a core, {memory:.0f} MB")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))

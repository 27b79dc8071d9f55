"""Much output: none of it missing, and little memory for it."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest

from effort import amount, figure
from faults.faults_tools import EXECUTORS, Place, Running, outputs_of, text_of

pytestmark = pytest.mark.e2e


def whole_text(running: Running, stage: str, cell: int, name: str = "stdout") -> str:
    """What the notebook and the files beside it hold of a stream of a cell."""
    file = running.folder(stage) / f"notebook_files/cell-{cell + 1}-{name}.txt"
    shown = text_of(outputs_of(running, stage)[cell], name)
    if not file.exists():
        return shown
    assert f"notebook_files/{file.name}" in shown, "the cell says where the rest is"
    return file.read_text()


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_no_display_is_missing(place: Place, executor: str) -> None:
    count = amount(3_000, 20_000)
    cell = f"from IPython.display import display\nfor n in range({count}): display({{'text/plain': f'd{{n}}'}}, raw=True)"
    place.pipeline({"a": {"cells": [cell], "executor": executor}})
    running = place.run(seconds=900)
    shown = [output["data"]["text/plain"] for output in outputs_of(running, "a")[0]]
    assert ["".join(text) for text in shown] == [f"d{n}" for n in range(count)]
    assert (running.folder("a") / "log.txt").read_text().split() == [f"d{n}" for n in range(count)]
    figure(f"displays in a cell, `{executor}`", f"{count:,}, none missing")
    place.gone(2)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_no_line_is_missing(place: Place, executor: str) -> None:
    count = amount(200_000, 1_000_000)
    place.pipeline(
        {
            "a": {
                "cells": ["print('first')", f"for n in range({count}): print('line', n)"],
                "executor": executor,
            }
        }
    )
    running = place.run(seconds=900)
    wanted = "".join(f"line {n}\n" for n in range(count))
    assert (running.folder("a") / "log.txt").read_text() == "first\n" + wanted
    assert whole_text(running, "a", 1) == wanted
    figure(f"printed lines, `{executor}`", f"{count:,}, none missing")
    place.gone(2)


LINES = """
import sys
for n in range(3000):
    print("out", n)
    print("err", n, file=sys.stderr)
"""
PARTS = """
import sys
for n in range(300):
    print("out", n, end="; ")
    print("err", n, end="; ", file=sys.stderr)
"""


@pytest.mark.parametrize("cell", [LINES, PARTS], ids=["lines", "parts"])
@pytest.mark.long
def test_both_streams_keep_their_order_in_process(place: Place, cell: str) -> None:
    count = 3000 if cell == LINES else 300
    place.pipeline({"a": {"cells": [cell], "executor": "inprocess"}})
    running = place.run()
    found = re.findall(r"(?:out|err) \d+", (running.folder("a") / "log.txt").read_text())
    wanted = [f"{name} {n}" for n in range(count) for name in ("out", "err")]
    assert found == wanted
    shown = "".join("".join(output["text"]) for output in outputs_of(running, "a")[0])
    assert re.findall(r"(?:out|err) \d+", shown) == wanted


@pytest.mark.parametrize("executor", EXECUTORS)
def test_text_of_a_child_process_is_not_torn_within_a_character(place: Place, executor: str) -> None:
    said = "import sys; sys.stdout.reconfigure(encoding='utf-8'); print('a' + '你é' * 60_000)"
    place.pipeline(
        {
            "a": {
                "cells": [
                    f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {said!r}], check=True)"
                ],
                "executor": executor,
            }
        }
    )
    running = place.run()
    assert text_of(outputs_of(running, "a")[0]) == "a" + "你é" * 60_000 + "\n"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_thread_that_prints_on_after_its_cell_loses_nothing_and_harms_nobody(
    place: Place, executor: str
) -> None:
    cell = """
    import sys, threading, time
    def talk():
        for n in range(60):
            sys.stdout.write(f"t{n} " + "x" * 20_000 + "\\n"); sys.stdout.flush()
            time.sleep(0.02)
    thread = threading.Thread(target=talk)
    thread.start()
    print("y" * 1_200_000)
    time.sleep(0.4)
    """
    place.pipeline({"a": {"cells": [cell, "time.sleep(0.4)", "thread.join()"], "executor": executor}})
    running = place.run()
    assert running.ends()["a"].cause is None, running.ends()["a"]
    log = (running.folder("a") / "log.txt").read_text()
    assert re.findall(r"t(\d+) ", log) == [str(n) for n in range(60)]
    held = "".join(whole_text(running, "a", at) for at in range(3))
    assert sorted(map(int, re.findall(r"t(\d+) ", held))) == list(range(60))
    assert "Traceback" not in (running.folder("a") / "worker.txt").read_text()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_flood_of_text_takes_little_memory(place: Place, executor: str) -> None:
    size = amount(60, 1000) * 1_000_000
    cell = f"line = 'x' * 99\nfor _ in range({size // 10_000}): print('\\n'.join([line] * 100))"
    place.pipeline({"a": {"cells": ["import time; time.sleep(1)", cell], "executor": executor}})
    running = place.start()
    worker = place.worker_of(running, "a")
    peak = 0
    while running.process.poll() is None:
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
            peak = int(found[1]) * 1024 if found else peak
        time.sleep(0.05)
    assert running.ends()["a"].cause is None
    assert (running.folder("a") / "log.txt").stat().st_size == size
    assert (running.folder("a") / "notebook_files/cell-2-stdout.txt").stat().st_size == size
    assert 0 < peak < 300_000_000
    figure(f"{size / 1e6:,.0f} MB printed, `{executor}`", f"the worker's peak {peak / 1e6:.0f} MB")
    place.gone(2)

"""Files that others read: whole at any moment, and true on a full disk."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from pathlib import Path

import nbformat
import pytest

from commands import COMMAND, environment, skip_without_mounts
from effort import IS_FULL, amount, figure
from faults.faults_tools import EXECUTORS, Place
from stagebook.events import AttemptEnded, Cause

pytestmark = pytest.mark.e2e

TALKS = """
import time
from IPython.display import display, HTML
end = time.monotonic() + {seconds}
n = 0
while time.monotonic() < end:
    for _ in range(200):
        n += 1
        print("line", n, "x" * 50)
    display(HTML("<b>" + "y" * 2000 + "</b>"))
    time.sleep(0.02)
import json
with open(out, "w") as file:
    json.dump({{"rows": list(range(300_000)), "end": True}}, file)
"""


class Reader(threading.Thread):
    """Reads every file that the platform writes for others, again and again."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._stop_asked = threading.Event()
        self.reads = self.validated = 0
        self.torn: list[str] = []

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            kept = self._root / ".stagebook/runs"
            places = (kept.glob("*/*/*/*.ipynb"), kept.glob("*/*/*/*.json"), self._root.glob("data/*.json"))
            for path in itertools.chain(*places):
                self._read(path)

    def _read(self, path: Path) -> None:
        try:
            data = path.read_bytes()
            self.reads += 1
            document = json.loads(data)
            if path.suffix == ".ipynb" and self.reads % 20 < 3:
                nbformat.validate(nbformat.from_dict(document))
                self.validated += 1
            if path.parent.name == "data":
                assert document["end"] is True
        except Exception as error:  # a file that is gone again included
            self.torn.append(f"{path}: {error!r}")


@pytest.mark.long
def test_a_reader_never_sees_a_part_of_a_file(place: Place) -> None:
    wanted = amount(500, 10_000)
    cells = [TALKS.format(seconds=4 if IS_FULL else 2), "print('on')"]
    place.pipeline(
        {
            executor: {
                "cells": cells,
                "declares": 'out = ""',
                "executor": executor,
                "outputs": {"out": f"data/{executor}.json"},
            }
            for executor in EXECUTORS
        }
    )
    rounds = 0
    with Reader(place.root) as reader:
        while reader.reads < wanted or rounds < 2:
            rounds += 1
            running = place.run("--jobs", "2")
            assert running.process.returncode == 0, running.errors()
            assert reader.torn == []
            assert rounds < 200
    assert reader.torn == []
    assert reader.validated
    seen = f"{reader.reads:,}, {reader.validated:,} of them validated, none torn"
    figure("reads of files that are being written", seen)
    place.gone(2)


BIG = "import os, base64\nfrom IPython.display import display, HTML\n"
FILLS = {
    "displays": BIG + "for _ in range(4): display(HTML(base64.b64encode(os.urandom(900_000)).decode()))",
    "prints": BIG + "for _ in range(40): print(base64.b64encode(os.urandom(150_000)).decode())",
    "large": BIG + "for _ in range(2): display(HTML(base64.b64encode(os.urandom(9_000_000)).decode()))",
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("ends", ["well", "badly"])
@pytest.mark.long
def test_a_disk_that_fills_while_the_notebook_is_saved_is_told(
    place: Place, executor: str, ends: str
) -> None:
    skip_without_mounts()
    (place.root / ".stagebook/runs").mkdir(parents=True)
    last = "1" if ends == "well" else "raise KeyError('mine')"
    place.pipeline(
        {
            name: {
                "cells": ["print(1)", cell, last],
                "declares": 'out = ""',
                "executor": executor,
                "outputs": {"out": f"data/{name}.txt"},
            }
            for name, cell in FILLS.items()
        }
    )
    for name, cell in FILLS.items():
        place.builder.file(f"data/{name}.txt", "the last good one")
        place.builder.notebook(name, "open(out, 'w').write('new')", cell, last, params='out = ""')
        script = (
            "mount -t tmpfs -o size=3m none .stagebook/runs || exit 99\n"
            f"{' '.join(COMMAND)} run p {name} --json; code=$?\n"
            f"cp -r .stagebook/runs kept-{name}; exit $code"
        )
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script],
            capture_output=True, text=True, env=environment(TMPDIR=str(place.temp)), check=False,
            cwd=place.root, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1, (name, done.stdout[-3000:], done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        run = json.loads(done.stdout.splitlines()[0])["run"]
        (end,) = [event for event in place.builder.events(run) if isinstance(event, AttemptEnded)]
        allowed = {Cause.DISK} if ends == "well" else {Cause.DISK, Cause.EXCEPTION}
        assert end.cause in allowed, (name, end.cause, end.message)
        if end.cause is Cause.DISK:
            assert "No space left" in end.message, end.message
        else:
            assert "mine" in end.message
        assert (place.root / f"data/{name}.txt").read_text() == "the last good one"
        (folder,) = Path(place.root / f"kept-{name}").glob(f"*/{name}/1")
        assert [path.name for path in folder.rglob("*.tmp")] == []
        notebook, result = folder / "notebook.ipynb", folder / "result.json"
        if notebook.exists():
            nbformat.validate(nbformat.read(notebook, as_version=4))
        if result.exists():
            told = json.loads(result.read_text())
            assert (told["cause"], told["message"]) == (end.cause, end.message)
    assert place.folders() == []
    figure(f"full disk, `{executor}`, notebook ends {ends}", f"{len(FILLS)} ways to fill it, all told")

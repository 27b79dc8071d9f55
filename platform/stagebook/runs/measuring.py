"""What the outputs of a run hold, measured while it goes on: a process of its own reads each table once it is published."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from stagebook.events import AttemptEnded, Event, RunEnded, StageMeasured
from stagebook.figures import TableFigures
from stagebook.system.processes import end_group
from stagebook.system.secret_sources import without_secrets
from stagebook.workspace.paths import STATE_FOLDER

PATIENCE = 2.0  # seconds that the end of a run waits at least for what is still being measured
SHARE = 0.1  # of the time that the run took; as long it waits where that is more
_SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".jsonl", ".ndjson")


_Key = tuple[str, int]  # a stage instance and the number of its attempt


class Measuring:
    """Measures the outputs of one run. It takes the events of the run, and gives them back with those that tell of figures:
    each as soon as it is known, all of them before the end of the run. What takes too long, or cannot be read, has none, nor
    has any table where DuckDB, an extra, is not installed."""

    def __init__(self, root: Path, clock: Callable[[], float], hidden: Collection[str] = ()) -> None:
        """`hidden`: variables of the environment that hold secrets."""
        self._environment = without_secrets(os.environ, hidden)
        self._can_measure = importlib.util.find_spec("duckdb") is not None
        self._root = root
        self._spill = root / STATE_FOLDER / f"measure-{os.getpid()}-{id(self):x}"
        self._clock = clock
        self._began = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._ended: dict[_Key, AttemptEnded] = {}  # attempts that are not told of yet
        self._found: dict[_Key, dict[str, TableFigures]] = {}
        self._asked: dict[int, tuple[_Key, str]] = {}  # what is being measured, with the name of the output
        self._count = 0
        self._rest = b""

    def take(self, events: Sequence[Event]) -> list[Event]:
        """The events, and before the end of the run all figures that are known."""
        told: list[Event] = []
        for event in events:
            if isinstance(event, RunEnded):
                self._wait()
                self.close()
                told += self._measured()
            told.append(event)
            if isinstance(event, AttemptEnded) and event.cause is None:
                self._ended[event.stage, event.attempt] = event
                self._ask(event)
        self._read(0)
        return [*told, *self._measured()]

    def close(self) -> None:
        """End the process, if there is one."""
        self._is_over = True
        if self._process is not None:
            process, self._process = self._process, None
            end_group(process)
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):  # of what it did not read
                    _stream(stream).close()
            shutil.rmtree(self._spill, ignore_errors=True)

    # -- asking ---------------------------------------------------------------------------------

    def _ask(self, event: AttemptEnded) -> None:
        if not self._can_measure:
            return
        for name, artifact in event.outputs.items():
            if artifact.external or not (artifact.folder or artifact.path.endswith(_SUFFIXES)):
                continue
            audit = event.audits.get(name)
            personal = audit.personal if audit is not None else ()
            self._count += 1
            self._asked[self._count] = ((event.stage, event.attempt), name)
            path = str(self._root / artifact.path)
            self._write({"id": self._count, "path": path, "personal": list(personal)})

    def _write(self, request: dict[str, Any]) -> None:
        if self._is_over:
            return
        try:
            if self._process is None:
                self._process = _start(self._root, self._spill, self._environment)
            stream = _stream(self._process.stdin)
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
        except OSError as error:
            logging.getLogger(__name__).warning("outputs are not measured: %s", error)
            self.close()

    # -- answers --------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for what was asked, as long as that is worth it."""
        deadline = time.monotonic() + max(PATIENCE, SHARE * (time.monotonic() - self._began))
        while self._asked and not self._is_over and (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        """Read the answers that are there, or come within some seconds."""
        if self._process is None or not self._asked:
            return
        stream = _stream(self._process.stdout)
        if not select.select([stream], [], [], seconds)[0]:
            return
        data = os.read(stream.fileno(), 1 << 20)
        if not data:
            self.close()  # it ended before its time
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            key, name = self._asked.pop(answer["id"])
            if "figures" in answer:
                self._found.setdefault(key, {})[name] = TableFigures.from_json(answer["figures"])

    def _measured(self) -> Iterator[StageMeasured]:
        """What is known of attempts of which nothing more is to come."""
        pending = set() if self._is_over else {key for key, _ in self._asked.values()}
        for key in [key for key in self._ended if key not in pending]:
            event = self._ended.pop(key)
            sizes = {name: item.size for name, item in event.outputs.items() if item.size is not None}
            yield StageMeasured(
                run=event.run,
                at=self._clock(),
                stage=event.stage,
                attempt=event.attempt,
                seconds=event.seconds if event.cells else None,
                sizes=sizes,
                figures=self._found.pop(key, {}),
            )


def _start(root: Path, spill: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # this very program
        [sys.executable, "-P", "-m", "stagebook.tables.measure", str(spill), str(os.getpid())],
        cwd=root,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream

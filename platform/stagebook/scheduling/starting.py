"""Starting runs: each a process in a session of its own, which goes on when the scheduler ends."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from stagebook.runs.request import RunRequest
from stagebook.system.processes import marked

MARK = "STAGEBOOK_SCHEDULED"  # in the environment of a process that was started for a tick: the id of its run
_MOST = 4_000  # bytes that are told of the end of what a process wrote to standard error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run to start."""

    run: str
    environment: str
    request: RunRequest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that ended, with its exit code and the end of what it had to say."""

    code: int
    text: str


class Starter(Protocol):
    """What starts runs. One that was started and has not begun is alive, or it has ended."""

    def start(self, start: Start) -> None:
        """Start a run. Raises `OSError`."""

    def is_alive(self, run: str) -> bool:
        """Whether a process that was started for a run is there, whoever started it."""

    def ended(self, run: str) -> Ended | None:
        """What became of a process that was started here for a run; `None` while it goes on, or of another's."""

    def forget(self, run: str) -> None:
        """Nobody will ask for a run any more."""


class Processes:
    """Runs as processes of this machine. `woken` is called when one of them ends."""

    def __init__(self, root: Path, woken: Callable[[], None] = lambda: None) -> None:
        self.root = root
        self._woken = woken
        self._started: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def start(self, start: Start) -> None:
        """Start `stagebook run` for a tick. What it says goes to a file, of which the end is told if it cannot begin."""
        environment = {**os.environ, MARK: start.run, "STAGEBOOK_ENV": start.environment}
        # A file without a name is there as long as either process holds it: the run can write when this one has ended.
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed once nobody asks any more
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stagebook", *start.request.to_argv()],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        except OSError:
            said.close()
            raise
        self.forget(start.run)
        self._started[start.run] = (process, said)
        threading.Thread(target=self._wait, args=(process,), name=f"run-{start.run}", daemon=True).start()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._woken()

    def is_alive(self, run: str) -> bool:
        """Whether a process that was started for a run is there; one of an earlier scheduler is found by its mark."""
        own = self._started.get(run)
        return own[0].poll() is None if own is not None else bool(marked(MARK, run))

    def ended(self, run: str) -> Ended | None:
        """What became of a process that this one started for a run."""
        own = self._started.get(run)
        if own is None or (code := own[0].poll()) is None:
            return None
        own[1].seek(max(0, own[1].seek(0, os.SEEK_END) - _MOST))
        return Ended(code=code, text=own[1].read().decode(errors="replace").strip())

    def forget(self, run: str) -> None:
        """The run has begun, or never will: what its process said is of no use any more."""
        if (own := self._started.pop(run, None)) is not None:
            own[1].close()

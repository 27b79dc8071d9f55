"""Asks the process that looks after the place of a shared store (`place_process`), for so long and no longer."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from stagebook.sharing.place import PlaceFailed

_START = 30.0  # seconds for the libraries of a store to be imported


class Asker:
    """The process for one place, started when something is asked. `opened` is what it is told to open. One that does not
    answer is ended. Threads may share it."""

    def __init__(self, root: Path, opened: Mapping[str, str]) -> None:
        self._root = root
        self._opened = dict(opened)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def ask(self, request: Mapping[str, Any], patience: float) -> Any:
        """The answer to a request, within so many seconds. Raises `PlaceFailed`."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            self._tell(request)
            return self._answer(patience)

    def _start(self) -> None:
        self._end()
        self._said = b""
        self._process = subprocess.Popen(  # this very program
            [sys.executable, "-P", "-m", "stagebook.sharing.place_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._root,
            start_new_session=True,
        )
        weakref.finalize(self, _kill, self._process)
        self._tell({**self._opened, "root": str(self._root), "parent": os.getpid()})
        try:
            self._answer(_START)
        except PlaceFailed:
            self._end()
            raise

    def _tell(self, said: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(said).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self._fail("the process that asks it ended")

    def _answer(self, patience: float) -> Any:
        try:
            answer = json.loads(self._line(time.monotonic() + patience, patience))
        except ValueError:
            self._fail("the process that asks it answered with something else")
        if "problem" in answer:
            raise PlaceFailed(answer["problem"], hint=answer["hint"])
        return answer["answer"]

    def _line(self, until: float, patience: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._said:
                if not selector.select(max(0.0, until - time.monotonic())):
                    hint = "is it up, and can it be reached from here?"
                    self._fail(f"it did not answer within {patience:g} s", hint=hint, slow=True)
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    self._fail("the process that asks it ended")
                self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line

    def _fail(self, why: str, *, hint: str = "", slow: bool = False) -> NoReturn:
        self._end()
        raise PlaceFailed(why, hint=hint, slow=slow)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)  # what hangs in the system is left to it

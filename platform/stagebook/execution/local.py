"""The local engine: a child process for each attempt, on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from stagebook.events import Cause
from stagebook.execution.attempt import (
    ATTEMPT_FILE,
    MARKER,
    RESULT_FILE,
    WORKER_LOG_FILE,
    Attempt,
    Result,
)
from stagebook.execution.engine import Ended, Progress, Report
from stagebook.system import processes
from stagebook.system.files import write_whole

BACKSTOP = 15.0  # seconds after a worker's own timeout until it is ended from outside


@dataclasses.dataclass(slots=True, kw_only=True)
class _Child:
    attempt: Attempt
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float
    rest: bytes = b""
    kill_at: float | None = None
    cause: Cause | None = None
    told: dict[str, Any] | None = None  # the result, as the worker told it


class LocalEngine:
    """Runs `stagebook run-stage` for each attempt, in a session of its own, and listens to it."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._failed: list[Report] = []
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt in a new process, in its folder, which is made."""
        folder = Path(attempt.folder)
        environment = {
            **os.environ,
            **attempt.env,
            MARKER: attempt.marker,
            "STAGEBOOK_PARENT": str(os.getpid()),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / ATTEMPT_FILE
            write_whole(path, json.dumps(attempt.to_json(), indent=1).encode())
            log = (folder / WORKER_LOG_FILE).open("wb")
            process = subprocess.Popen(  # the command is this very program
                [sys.executable, "-m", "stagebook", "run-stage", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=attempt.root,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            result = Result(cause=Cause.DISK, message=f"the stage could not be started: {error}")
            self._failed.append(Ended(stage=attempt.stage, attempt=attempt.number, result=result))
            self.wake()
            return
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        child = _Child(attempt=attempt, process=process, log=log, started=time.monotonic())
        if attempt.timeout is not None:
            child.kill_at = child.started + attempt.timeout + attempt.grace + BACKSTOP
        self._children[attempt.stage] = child
        self._selector.register(process.stdout, selectors.EVENT_READ, child)

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Reports of the children, as `engine.Engine.wait`."""
        reports = self._failed
        self._failed = []
        if reports:
            return reports
        for key, _ in self._selector.select(self._until(timeout)):
            child = key.data
            if child is None:
                with contextlib.suppress(BlockingIOError):
                    while self._wake_in.recv(4096):
                        pass
                continue
            reports += self._read(child)
        self._end_overdue()
        return reports

    def cancel(self, stage: str, *, now: bool = False) -> None:
        """Ask with SIGTERM; force with SIGKILL at once, or after the attempt's grace."""
        child = self._children.get(stage)
        if child is None:
            return
        child.cause = Cause.CANCELLED
        if now:
            self._signal(child, signal.SIGKILL)
        else:
            self._signal(child, signal.SIGTERM)
            limit = time.monotonic() + child.attempt.grace
            child.kill_at = limit if child.kill_at is None else min(limit, child.kill_at)

    def wake(self) -> None:
        """Let `wait` return."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"!")

    def close(self) -> None:
        """End all children by force."""
        for child in list(self._children.values()):
            self._signal(child, signal.SIGKILL)
            self._collect(child)
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    # -- inside ---------------------------------------------------------------------------------

    def _until(self, timeout: float | None) -> float | None:
        limits = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        if not limits:
            return timeout
        left = max(0.0, min(limits) - time.monotonic())
        return left if timeout is None else min(left, timeout)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at is not None and now >= child.kill_at:
                child.kill_at = None
                child.cause = child.cause or Cause.TIMEOUT
                self._signal(child, signal.SIGKILL)

    def _signal(self, child: _Child, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, number)

    def _read(self, child: _Child) -> list[Report]:
        assert child.process.stdout is not None
        try:
            data = os.read(child.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return []
        if not data:
            return [self._collect(child)]
        *lines, child.rest = (child.rest + data).split(b"\n")
        return [report for line in lines if (report := self._progress(child, line)) is not None]

    def _progress(self, child: _Child, line: bytes) -> Progress | None:
        try:
            data = json.loads(line)
            at = float(data.pop("at"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # a line that was torn by the end of its writer
        if data.get("kind") == "result":
            child.told = data.get("result")
            return None
        return Progress(stage=child.attempt.stage, attempt=child.attempt.number, at=at, data=data)

    def _collect(self, child: _Child) -> Ended:
        """The worker closed its end: reap it, end what it left behind, read what it says."""
        assert child.process.stdout is not None
        attempt = child.attempt
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.process.stdout)
        try:
            code = child.process.wait(timeout=attempt.grace)
        except subprocess.TimeoutExpired:
            self._signal(child, signal.SIGKILL)
            code = child.process.wait()
        child.process.stdout.close()
        child.log.close()
        self._children.pop(attempt.stage, None)
        processes.end_marked(MARKER, attempt.marker)
        result = self._result(child, code)
        return Ended(stage=attempt.stage, attempt=attempt.number, result=result)

    def _result(self, child: _Child, code: int) -> Result:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            # By the channel, which a full disk does not hold up; else by the manifest.
            manifest = Path(child.attempt.folder) / RESULT_FILE
            return Result.from_json(child.told or json.loads(manifest.read_bytes()))
        seconds = time.monotonic() - child.started
        if child.cause is Cause.CANCELLED:
            return Result(cause=Cause.CANCELLED, message="cancelled; it had to be killed", seconds=seconds)
        if child.cause is Cause.TIMEOUT:
            limit = child.attempt.timeout
            return Result(
                cause=Cause.TIMEOUT, message=f"not done after {limit:g} s, and killed", seconds=seconds
            )
        how = f"was killed by {processes.signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        message = f"the process of the stage {how}; see {WORKER_LOG_FILE} in its folder"
        if code == -signal.SIGKILL:
            message += " (out of memory?)"
        return Result(cause=Cause.WORKER_DIED, message=message, seconds=seconds)

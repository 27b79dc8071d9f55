"""The local engine: a process for each attempt, on this machine."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from stagebook.events import Cause, CellStatus
from stagebook.execution.engine import crash
from stagebook.execution.attempt import (
    ATTEMPT_FILE,
    MARKER,
    NOTEBOOK_FILE,
    RESULT_FILE,
    WORKER_LOG_FILE,
    Attempt,
    Result,
)
from stagebook.execution.engine.protocol import Ended, Progress, Report
from stagebook.execution.fork.client import ADDRESS, SOCKETS, Forked, ForkRefused, ForkServer, ask
from stagebook.system import processes
from stagebook.system.files import make_private, private_name, write_whole

_ORDERLY = {0, 1, 75}  # exit codes of a worker that cleared away itself
ANSWER = 60.0  # seconds for the fork server to answer; then the stage starts the ordinary way
BACKSTOP = 15.0  # seconds after a worker's own timeout until it is ended from outside


@dataclasses.dataclass(slots=True, kw_only=True)
class _Child:
    attempt: Attempt
    output: int  # where its events are read from
    written: int | None  # the other end, until it is sure which process has it
    log: IO[bytes]
    started: float
    environment: dict[str, str]
    sockets: str  # a folder for those of its kernel, if it makes one; removed here: a worker may be killed
    process: subprocess.Popen[bytes] | Forked | None = None
    lifeline: int | None = None  # as long as this is open, a forked worker lives
    rest: bytes = b""
    kill_at: float | None = None
    cause: Cause | None = None
    told: dict[str, Any] | None = None  # the result, as the worker told it
    statuses: dict[int, CellStatus] = dataclasses.field(default_factory=dict)  # of its code cells
    cells: int = 0

    @property
    def is_awaited(self) -> bool:
        """Whether the fork server has yet to answer."""
        return self.written is not None

    @property
    def arguments(self) -> list[str]:
        return [str(Path(self.attempt.folder) / ATTEMPT_FILE)]


class LocalEngine:
    """Runs `stagebook run-stage` for each attempt, in a session of its own, and listens to it.

    With a fork server the process is forked from it; where that is refused, or the server is gone,
    it is started the ordinary way, with the same result. The server is the engine's from then on; it
    imports `modules` ahead, and holds processes ready for the attempts that are `to_come`: executor →
    how many, of which `jobs` run at a time.
    """

    def __init__(
        self,
        *,
        server: ForkServer | None = None,
        modules: Sequence[str] = (),
        to_come: Mapping[str, int] | None = None,
        jobs: int = 1,
        clock: Callable[[], float] = time.time,
        keep_server: bool = False,
    ) -> None:
        self._clock = clock
        self._keep_server = keep_server
        self._to_come = collections.Counter(to_come or {})
        self._jobs = jobs
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._failed: list[Report] = []
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        if server is not None:
            server.tell(modules=list(modules), spares=self._spares())

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt in a new process, in its folder, which is made."""
        folder = Path(attempt.folder)
        environment = {**os.environ, **attempt.env, MARKER: attempt.marker}
        try:
            environment[SOCKETS] = sockets = private_name()
            make_private(folder)
            write_whole(folder / ATTEMPT_FILE, json.dumps(attempt.to_json(), indent=1).encode())
            log = (folder / WORKER_LOG_FILE).open("wb")
            output, written = os.pipe()
            child = _Child(
                attempt=attempt,
                output=output,
                written=written,
                log=log,
                started=time.monotonic(),
                environment=environment,
                sockets=sockets,
            )
            if not self._fork(child):
                self._spawn(child)
        except OSError as error:
            self._fail(attempt, error)
            return
        os.set_blocking(output, False)
        if attempt.timeout is not None:
            child.kill_at = child.started + attempt.timeout + attempt.grace + BACKSTOP
        self._children[attempt.stage] = child
        self._selector.register(output, selectors.EVENT_READ, child)

    def _fail(self, attempt: Attempt, error: OSError) -> None:
        self._children.pop(attempt.stage, None)
        result = Result(cause=Cause.DISK, message=f"the stage could not be started: {error}")
        self._failed.append(Ended(stage=attempt.stage, attempt=attempt.number, result=result))
        self.wake()

    # -- processes ------------------------------------------------------------------------------

    def _fork(self, child: _Child) -> bool:
        """Ask the fork server; whether it was asked. It answers later."""
        if self._server is None or not self._server.is_alive:
            return False
        assert child.written is not None
        ends, child.lifeline = os.pipe()
        umask = os.umask(0o077)
        os.umask(umask)
        request = {
            "kind": "worker",
            "arguments": child.arguments,
            "cwd": child.attempt.root,
            "env": {**child.environment, ADDRESS: self._server.address},
            "umask": umask,
        }
        try:
            child.process = ask(self._server.address, request, [child.written, child.log.fileno(), ends])
        except ForkRefused:
            self._cut_lifeline(child)
            return False
        finally:
            os.close(ends)
        self._selector.register(child.process, selectors.EVENT_READ, child)
        before = self._spares()
        self._to_come[child.attempt.executor] -= 1
        if self._spares() != before:
            self._server.tell(spares=self._spares())
        return True

    def _spares(self) -> dict[str, int]:
        """How many processes of each kind are worth having ahead: as many as may start next."""
        kinds = {"worker": self._to_come.total(), "kernel": self._to_come["kernel"]}
        kinds["cells"] = self._to_come["inprocess"]
        return {kind: max(0, min(self._jobs, count)) for kind, count in kinds.items()}

    def _spawn(self, child: _Child) -> None:
        assert child.written is not None
        child.process = subprocess.Popen(  # the command is this very program
            [sys.executable, "-m", "stagebook", "run-stage", *child.arguments],
            stdin=subprocess.DEVNULL,
            stdout=child.written,
            stderr=child.log,
            cwd=child.attempt.root,
            env={**child.environment, "STAGEBOOK_PARENT": str(os.getpid())},
            start_new_session=True,
        )
        os.close(child.written)
        child.written = None

    def _hear_server(self, child: _Child) -> None:
        """The server forked the worker, or would not, or tells its end, or is gone."""
        forked = child.process
        assert isinstance(forked, Forked)
        try:
            forked.read()
        except ForkRefused:
            self._start_anew(child)
            return
        if forked.pid is not None and child.written is not None:
            os.close(child.written)
            child.written = None
        if forked.gone or forked.returncode is not None:
            self._selector.unregister(forked)

    def _start_anew(self, child: _Child) -> None:
        """The server would not, or does not answer: start the worker the ordinary way. Its output has
        a pipe of its own, in case that the server forks one after all."""
        self._let_go(child)
        self._selector.unregister(child.output)
        os.close(child.output)
        child.output, child.written = os.pipe()
        os.set_blocking(child.output, False)
        child.started = time.monotonic()
        try:
            self._spawn(child)
        except OSError as error:
            self._fail(child.attempt, error)
            return
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _let_go(self, child: _Child) -> None:
        """Of what the fork server was asked for."""
        if isinstance(child.process, Forked):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(child.process)
            child.process.close()
        child.process = None
        self._cut_lifeline(child)
        if child.written is not None:
            os.close(child.written)
            child.written = None

    def _cut_lifeline(self, child: _Child) -> None:
        if child.lifeline is not None:
            os.close(child.lifeline)
            child.lifeline = None

    def _signal(self, child: _Child, number: int) -> None:
        pid = child.process.pid if child.process is not None else None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)

    # -- the protocol of engines ----------------------------------------------------------------

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Reports of the children, as `engine.Engine.wait`."""
        reports = self._failed
        self._failed = []
        if reports:
            return reports
        for key, _ in self._selector.select(self._until(timeout)):
            child: _Child | None = key.data
            if child is None:
                with contextlib.suppress(BlockingIOError):
                    while self._wake_in.recv(4096):
                        pass
            elif self._children.get(child.attempt.stage) is not child:
                continue  # it was collected a moment ago
            elif key.fd == child.output:
                reports += self._read(child)
            elif key.fileobj is child.process:
                self._hear_server(child)
        self._end_overdue()
        return reports

    def cancel(self, stage: str, *, now: bool = False) -> None:
        """Ask with SIGTERM; force with SIGKILL at once, or after the attempt's grace."""
        child = self._children.get(stage)
        if child is None:
            return
        child.cause = Cause.CANCELLED
        if child.is_awaited:
            self._drop(child, Result(cause=Cause.CANCELLED, message="cancelled before it began"))
        elif now:
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
        """End all children by force, and the fork server unless it is to be kept."""
        for child in list(self._children.values()):
            if child.process is not None and child.process.pid is not None:
                self._signal(child, signal.SIGKILL)
                self._collect(child)
            else:
                self._let_go(child)  # if it is forked yet, it ends at once
                shutil.rmtree(child.sockets, ignore_errors=True)
        if self._server is not None and not self._keep_server:
            self._server.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    # -- inside ---------------------------------------------------------------------------------

    def _until(self, timeout: float | None) -> float | None:
        limits = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        limits += [child.started + ANSWER for child in self._children.values() if child.is_awaited]
        if not limits:
            return timeout
        left = max(0.0, min(limits) - time.monotonic())
        return left if timeout is None else min(left, timeout)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.is_awaited and now >= child.started + ANSWER:
                self._start_anew(child)
            elif child.kill_at is not None and now >= child.kill_at:
                child.kill_at = None
                child.cause = child.cause or Cause.TIMEOUT
                self._signal(child, signal.SIGKILL)

    def _drop(self, child: _Child, result: Result) -> None:
        """Give up a worker that the fork server has not forked: if it still does, it ends at once."""
        self._let_go(child)
        self._selector.unregister(child.output)
        os.close(child.output)
        child.log.close()
        shutil.rmtree(child.sockets, ignore_errors=True)
        attempt = child.attempt
        self._children.pop(attempt.stage, None)
        self._failed.append(Ended(stage=attempt.stage, attempt=attempt.number, result=result))
        self.wake()

    def _read(self, child: _Child) -> list[Report]:
        try:
            data = os.read(child.output, 1 << 20)
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
        with contextlib.suppress(KeyError, ValueError, TypeError):
            if data["kind"] in {"cell_started", "cell_ended"}:
                status = CellStatus(data.get("status", CellStatus.RUNNING))
                child.statuses[int(data["cell"])], child.cells = status, int(data["cells"])
        return Progress(stage=child.attempt.stage, attempt=child.attempt.number, at=at, data=data)

    def _collect(self, child: _Child) -> Ended:
        """The worker closed its end: reap it, end what it left behind, read what it says."""
        attempt = child.attempt
        assert child.process is not None
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.output)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.process)  # type: ignore[arg-type]
        try:
            code = child.process.wait(timeout=attempt.grace)
        except subprocess.TimeoutExpired:
            self._signal(child, signal.SIGKILL)
            code = child.process.wait()
        if isinstance(child.process, Forked):
            child.process.close()
        self._cut_lifeline(child)
        os.close(child.output)
        child.log.close()
        self._children.pop(attempt.stage, None)
        result = self._result(child, code)
        if result.kernel is None:
            shutil.rmtree(child.sockets, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # a kernel that was kept may use it
                os.rmdir(child.sockets)
        if code not in _ORDERLY and result.kernel is None:
            processes.end_marked(MARKER, attempt.marker)
        return Ended(stage=attempt.stage, attempt=attempt.number, result=result)

    def _result(self, child: _Child, code: int) -> Result:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            # By the channel, which a full disk does not hold up; else by the manifest.
            manifest = Path(child.attempt.folder) / RESULT_FILE
            return Result.from_json(child.told or json.loads(manifest.read_bytes()))
        seconds = time.monotonic() - child.started
        result = crash.explain(code, child.cause, child.attempt.timeout, seconds)
        assert result.cause is not None
        notebook = Path(child.attempt.folder) / NOTEBOOK_FILE
        crash.settle(notebook, child.statuses, result.cause, result.message)
        running = [cell for cell, status in child.statuses.items() if status is not CellStatus.COMPLETED]
        return dataclasses.replace(result, cell=max(running, default=None), cells=child.cells)

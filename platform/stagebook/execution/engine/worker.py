"""One worker process, as the local engine sees it: how it is started, what it says, what has to be freed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from stagebook.errors import SecretUnavailable
from stagebook.events import AttemptEvent, Cause, CellEnded, CellStarted, CellStatus
from stagebook.execution import messages
from stagebook.execution.attempt import (
    ATTEMPT_FILE,
    MARKER,
    NOTEBOOK_FILE,
    RESULT_FILE,
    WORKER_LOG_FILE,
    Attempt,
    AttemptResult,
)
from stagebook.execution.engine import crash
from stagebook.execution.engine.protocol import Ended, Progress, Report
from stagebook.execution.fork.client import ADDRESS, SOCKETS, Forked, ask, request_of
from stagebook.execution.worker.masking import mask_files
from stagebook.system import processes
from stagebook.system.files import make_private, private_name, write_whole
from stagebook.system.logins import Redaction, shown
from stagebook.system.secret_sources import PREFIX, read_all, variables_of, without_secrets

_ORDERLY = {0, 1, 75}  # exit codes of a worker that ended all of its processes itself


class Output:
    """The pipe that a worker tells its course through, and what it told so far. Our copy of its end stays
    open until it is sure which process has it."""

    def __init__(self) -> None:
        self.fd, self.its_end = os.pipe()
        os.set_blocking(self.fd, False)
        self.is_assigned = False
        self.result: AttemptResult | None = None
        self.statuses: dict[int, CellStatus] = {}  # by code cell
        self.cells = 0
        self._rest = bytearray()

    def assign(self) -> None:
        """Close our copy of its end: a process has it now."""
        if not self.is_assigned:
            os.close(self.its_end)
            self.is_assigned = True

    def close(self) -> None:
        """Close both ends."""
        self.assign()
        os.close(self.fd)

    def read(self) -> list[Report] | None:
        """The events since the last time; `None` once the worker has closed its end."""
        try:
            data = os.read(self.fd, 1 << 20)
        except BlockingIOError:
            return []
        if not data:
            return None
        self._rest += data
        if b"\n" not in data:
            return []
        *lines, self._rest = self._rest.split(b"\n")
        return [Progress(event=event) for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: bytearray) -> AttemptEvent | None:
        message = messages.from_line(line)
        match message:
            case AttemptResult():
                self.result = message
                return None
            case CellStarted(cell=cell, cells=cells):
                self.statuses[cell], self.cells = CellStatus.RUNNING, cells
            case CellEnded(cell=cell, cells=cells, status=status):
                self.statuses[cell], self.cells = status, cells
        return message


def _inherited(attempt: Attempt) -> dict[str, str]:
    """Of the secrets in the environment the worker gets those that it has to resolve."""
    needed = variables_of(attempt.secrets.values()) | {f"{PREFIX}{name}" for name in attempt.secrets}
    return without_secrets(os.environ, attempt.hidden, kept=needed)


class Worker:
    """The process of one attempt. `started` and `kill_at` are monotonic times; `cause` is why the engine
    ends it, if it does."""

    def __init__(self, attempt: Attempt) -> None:
        """Make the attempt's folder and the files in it. Raises `OSError`."""
        folder = Path(attempt.folder)
        self.attempt = attempt
        self.started = time.monotonic()
        self.kill_at: float | None = None
        self.cause: Cause | None = None
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self._attempt_file = str(folder / ATTEMPT_FILE)
        self._lifeline: int | None = None  # a forked worker ends when this is closed
        # For the sockets of its kernel. It is removed here, since a worker may be killed.
        self._sockets = private_name()
        own = {MARKER: attempt.marker, SOCKETS: self._sockets}
        self._environment = {**_inherited(attempt), **attempt.env, **own}
        make_private(folder)
        # A login is handed over by the environment alone.
        shown_env = {name: value for name, value in attempt.env.items() if shown(value) == value}
        described = {**attempt.to_json(), "env": shown_env}
        write_whole(folder / ATTEMPT_FILE, json.dumps(described, indent=1).encode())
        self._log = (folder / WORKER_LOG_FILE).open("wb")
        self.output = Output()

    @property
    def is_awaited(self) -> bool:
        """Whether the fork server has yet to say if it forks it."""
        return not self.output.is_assigned

    # -- its start ------------------------------------------------------------------------------

    def fork(self, address: str) -> Forked:
        """Ask the fork server at an address for the process. Raises `ForkRefused`; then `spawn` can be used."""
        ends, self._lifeline = os.pipe()
        env = {**self._environment, ADDRESS: address}
        request = request_of("worker", cwd=self.attempt.root, env=env, attempt=self._attempt_file)
        try:
            forked = ask(address, request, [self.output.its_end, self._log.fileno(), ends])
        finally:
            os.close(ends)
        self.process = forked
        return forked

    def spawn(self) -> None:
        """Start the process the ordinary way. Raises `OSError`."""
        environment = {**self._environment, "STAGEBOOK_PARENT": str(os.getpid())}
        environment.pop("PYTHONINSPECT", None)  # with it the interpreter takes each exit for an error
        self.process = subprocess.Popen(  # the command is this very program
            [sys.executable, "-m", "stagebook.execution.worker", self._attempt_file],
            stdin=subprocess.DEVNULL,
            stdout=self.output.its_end,
            stderr=self._log,
            cwd=self.attempt.root,
            env=environment,
            start_new_session=True,
        )
        self.output.assign()

    def renew(self) -> None:
        """Forget that the fork server was asked, so that `spawn` can be used. The output gets a new pipe, in
        case that the server forks a worker after all."""
        self._let_go()
        self.output = Output()
        self.started = time.monotonic()

    def hear_server(self) -> bool:
        """Read what the fork server says of the process; whether it will say more. Raises `ForkRefused`."""
        assert isinstance(self.process, Forked)
        self.process.read()
        if self.process.pid is not None:
            self.output.assign()
        return not self.process.gone and self.process.returncode is None

    # -- its end --------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to its process group, if there is one."""
        if self.process is not None and self.process.pid is not None:
            processes.signal_group(self.process.pid, number)

    def collect(self) -> Ended:
        """Wait for the end of the process, by force after its grace, and end what it left behind."""
        assert self.process is not None
        try:
            code = self.process.wait(timeout=self.attempt.grace)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            code = self.process.wait()
        result = self._result_of(code)
        self.release(sockets=result.kernel is None)
        if code not in _ORDERLY and result.kernel is None:
            processes.end_marked(MARKER, self.attempt.marker)
        return self.ended(result)

    def ended(self, result: AttemptResult) -> Ended:
        """The report that the attempt is over."""
        return Ended(stage=self.attempt.stage, attempt=self.attempt.number, result=result)

    def release(self, *, sockets: bool = True) -> None:
        """Close what is open for it. A worker that the fork server has not forked yet ends at once if it still
        is. Without `sockets` their folder stays if there is anything in it: a kept kernel uses it."""
        self._let_go()
        self._log.close()
        if sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.rmdir(self._sockets)

    def _let_go(self) -> None:
        if isinstance(self.process, Forked):
            self.process.close()
        self.process = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        self.output.close()

    def _mask_files(self) -> None:
        """Do what the worker would have done: overwrite secrets in its files. A command is not waited for."""
        sources = {name: one for name, one in self.attempt.secrets.items() if one.kind in {"env", "file"}}
        with contextlib.suppress(SecretUnavailable):
            secrets = read_all(sources, self._environment, Path(self.attempt.root))
            mask_files(Path(self.attempt.folder), Redaction(self._environment, secrets.values()))

    def _result_of(self, code: int) -> AttemptResult:
        """What became of the attempt: as it said, which a full disk does not hold up; else as its result file
        says; else what its exit `code` tells."""
        folder = Path(self.attempt.folder)
        if self.output.result is not None:
            return self.output.result
        with contextlib.suppress(
            OSError, ValueError, TypeError, KeyError, AttributeError
        ):  # killed before it was written
            return AttemptResult.from_json(json.loads((folder / RESULT_FILE).read_bytes()))
        self._mask_files()
        result = crash.explain(code, self.cause, self.attempt.timeout, time.monotonic() - self.started)
        assert result.cause is not None
        crash.settle(folder / NOTEBOOK_FILE, self.output.statuses, result.cause, result.message)
        running = [
            cell for cell, status in self.output.statuses.items() if status is not CellStatus.COMPLETED
        ]
        return dataclasses.replace(result, cell=max(running, default=None), cells=self.output.cells)

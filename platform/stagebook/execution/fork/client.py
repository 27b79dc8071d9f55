"""Asking the fork server for processes: its address, its messages, and a handle for what it forked.

One connection stands for one process. A request is a line of JSON together with the file
descriptors that the process gets; answers are lines of JSON: `{"pid": 7, …}` or
`{"error": "why"}`, and at the end `{"exit": code}`, negative for a signal as in `subprocess`.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.system import processes
from stagebook.system.files import private_folder, private_name, umask
from stagebook.system.secret_sources import without_secrets

ADDRESS = "STAGEBOOK_FORKSERVER"  # in a worker's environment: the path of the server's socket
LIFELINE = "STAGEBOOK_LIFELINE"  # a descriptor that ends with the process which runs the pipeline

SOCKETS = "STAGEBOOK_SOCKETS"  # a private folder for the sockets of a worker's kernel

KEPT_FOR = 24 * 3600.0  # seconds that a kernel which was kept stays when nobody ends it

_MAX_MESSAGE = 8_000_000  # bytes; environments are the largest part
_MAX_DESCRIPTORS = 8
_TIMEOUT = 30.0  # seconds for one message to pass

# What the interpreter and its libraries read only once, when they are loaded.
_FIXED = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "MALLOC_", "ARROW_", "MPLBACKEND")
_NOT_FIXED = {"PYTHONPATH"}


class ForkRefused(Exception):
    """The server cannot, or must not, fork what was asked for. It has to be started the ordinary way."""


def is_possible() -> bool:
    """Whether this machine forks safely. macOS does not, since its frameworks do not survive it."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def fits(wanted: Mapping[str, str], base: Mapping[str, str]) -> bool:
    """Whether a process forked from one with the environment `base` can take on `wanted`."""
    return all(
        wanted.get(name) == base.get(name)
        for name in {*wanted, *base}
        if name.startswith(_FIXED) and name not in _NOT_FIXED
    )


# -- messages -----------------------------------------------------------------------------------


def send(link: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one line, with descriptors. Raises `OSError`."""
    data = json.dumps(message).encode() + b"\n"
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sent = link.sendmsg([data], rights)
    if sent < len(data):  # sending nothing would fail if the other end has read all and closed
        link.sendall(data[sent:])


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for one line and its descriptors. Raises `OSError`, and `EOFError` at the end."""
    data = b""
    descriptors: list[int] = []
    while not data.endswith(b"\n"):
        space = socket.CMSG_LEN(_MAX_DESCRIPTORS * 4)
        more, rights, _, _ = link.recvmsg(1 << 16, space, socket.MSG_CMSG_CLOEXEC)
        for level, kind, numbers in rights:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors += array.array("i", numbers[: len(numbers) - len(numbers) % 4])
        if not more:
            for number in descriptors:
                os.close(number)
            raise EOFError
        data += more
        if len(data) > _MAX_MESSAGE:
            raise OSError("a message is too long")
    message = json.loads(data)
    return message, descriptors


# -- one process --------------------------------------------------------------------------------


class Forked:
    """A process that the server forked, or is about to."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.pid: int | None = None
        self.returncode: int | None = None
        self.gone = False  # the other end went without telling the exit code
        self._rest = b""

    def fileno(self) -> int:
        """The descriptor of the connection, to wait for messages."""
        return self.link.fileno()

    def read(self) -> list[dict[str, Any]]:
        """All messages that have arrived; does not wait. Raises `ForkRefused`."""
        self.link.setblocking(False)
        while True:
            try:
                data = self.link.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.gone = True
                break
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self.pid = message.get("pid", self.pid)
            self.returncode = message.get("exit", self.returncode)
            if "error" in message:
                raise ForkRefused(message["error"])
        if self.gone and self.pid is None:
            raise ForkRefused("the fork server is gone")
        return messages

    async def told(self, key: str, seconds: float) -> dict[str, Any]:
        """Wait for the message that holds a key. Raises `ForkRefused` where it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            for message in self.read():
                if key in message:
                    return message
            if self.gone or time.monotonic() > deadline:
                raise ForkRefused("the fork server does not answer")
            await self.has_news(1.0)

    async def has_news(self, seconds: float) -> None:
        """Wait until there is something to `read`, or its other end is gone; at most so many seconds."""
        import asyncio  # noqa: PLC0415 - the worker, which asks this, has it; the command does without

        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self.link.fileno(), arrived.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(arrived.wait(), seconds)
        finally:
            loop.remove_reader(self.link.fileno())

    def poll(self) -> int | None:
        """The exit code, as `Popen.poll`: `-SIGKILL` where its supervisor, which would tell it, is gone."""
        if self.returncode is None and not self.gone:
            self.read()
        return -int(signal.SIGKILL) if self.returncode is None and self.gone else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code; `-SIGKILL` where nobody is left to tell it. Raises
        `subprocess.TimeoutExpired`, as `Popen.wait`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            if self.gone:
                if not self._is_there():
                    return -int(signal.SIGKILL)
                time.sleep(0.02)  # nobody tells its end, so look again
                continue
            select.select([self.link], [], [], left)
            with contextlib.suppress(ForkRefused):
                self.read()
        return self.returncode

    def _is_there(self) -> bool:
        if self.pid is None:
            return False
        with contextlib.suppress(ChildProcessError):  # ours, where this process is the first of a container
            os.waitpid(self.pid, os.WNOHANG)
        return processes.started_at(self.pid) is not None

    def say(self, **message: Any) -> None:
        """Tell the supervisor of the process something, if it is still there."""
        with contextlib.suppress(OSError):
            self.link.setblocking(True)
            send(self.link, message)

    def close(self) -> None:
        """Close the connection; what it stands for ends with it."""
        self.link.close()


def request_of(kind: str, *, cwd: str, env: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """A request for a process of a `kind` (`worker`, `kernel` or `cells`) with this folder and environment,
    and with the umask of this process."""
    return {"kind": kind, "cwd": cwd, "env": dict(env), "umask": umask(), **more}


def ask(address: str, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Forked:
    """Ask the server at an address for a process that gets these descriptors. Raises `ForkRefused`."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(_TIMEOUT)
    try:
        link.connect(address)
        send(link, request, descriptors)
    except OSError as error:
        link.close()
        raise ForkRefused(f"the fork server cannot be reached: {error.strerror or error}") from error
    return Forked(link)


# -- the server's owner -------------------------------------------------------------------------


def _server_environment(path: str, hidden: Collection[str]) -> dict[str, str]:
    # With pytest's variable ipykernel would not read what child processes print. Of what is forked the system shows the
    # server's environment: no secret is to be in it.
    kept = without_secrets(os.environ, {*hidden, "PYTEST_CURRENT_TEST"})
    kept["TMPDIR"] = os.path.abspath(tempfile.gettempdir())  # which may be relative to this folder
    return {**kept, "PYTHONPATH": path} if path else kept


_early: list[ForkServer] = []  # a server that was started before it is known whether there will be a run


def start_early() -> None:
    """Start a server now, for the first run of this process: its imports take longer than all that comes before a run.
    It ends with this process if there is none."""
    if is_possible():
        with contextlib.suppress(OSError):  # it is started with the run then
            _early.append(ForkServer())
            atexit.register(discard_early)


def take_server(hidden: Collection[str] = ()) -> ForkServer:
    """The server that was started early, or a new one, without the `hidden` variables. Raises `OSError`."""
    if any(name in os.environ for name in hidden):
        discard_early()
    return _early.pop() if _early else ForkServer(hidden)


def discard_early() -> None:
    """End the server that was started early, if no run took it."""
    while _early:
        _early.pop().close()


class ForkServer:
    """The server process of one run, started and ended by the runner.

    Its socket can be used at once; requests wait until the imports are done. The server removes the socket's
    folder at its end, so the folder is made once the server runs: it goes whenever the runner is killed.
    """

    def __init__(self, hidden: Collection[str] = ()) -> None:
        """`hidden`: variables of the environment that it does not get."""
        self._folder = private_name()
        self.keep_log: Path | None = None  # where its messages are kept, if there are any
        self._holds_spares = False
        self.address = f"{self._folder}/fork"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            # Python looks for modules where it is started, and in the root there are none.
            added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            path = os.pathsep.join(os.path.abspath(entry) for entry in added if entry)
            module = [sys.executable, "-m", "stagebook.execution.fork_server"]
            self.process = subprocess.Popen(  # this very program
                [*module, str(listener.fileno()), self._folder],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[listener.fileno()],
                cwd="/",
                env=_server_environment(path, hidden),
                start_new_session=True,
            )
            try:
                private_folder(self._folder)
                listener.bind(self.address)
                listener.listen(256)
            except OSError:
                self.close()
                raise

    def tell(self, **message: Any) -> None:
        """Send an order. `modules`: what to import, once before it serves; `spares`: how many processes of each
        kind to hold ready."""
        assert self.process.stdin is not None
        self._holds_spares = self._holds_spares or any(message.get("spares", {}).values())
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def close(self) -> None:
        """End it, and its processes."""
        if self._log.closed:
            return
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # before it could be killed
        if not self._holds_spares:  # it has no processes to end in order
            processes.signal_group(self.process.pid, signal.SIGKILL)
        try:
            self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            processes.signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait()
        with self._log, contextlib.suppress(OSError):
            self._log.seek(0)
            if self.keep_log is not None and (said := self._log.read()):
                self.keep_log.write_bytes(said)


def tie_to_lifeline() -> bool:
    """End this process with the one that holds the other end of its lifeline, if it has one."""
    number = os.environ.pop(LIFELINE, "")
    if not number:
        return False
    processes.signal_at_end(int(number), signal.SIGTERM)
    return True

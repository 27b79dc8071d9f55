"""The supervisor of the process that runs a notebook's cells, a kernel or not: its parent, which ends it
together with its owner and clears away after it. `ps` shows it as `sb-supervisor`.

A supervisor is forked from the fork server, forks that process, and holds it ready until an owner (a
stage's worker) is assigned. It adopts what the process leaves behind, so that nothing started by
a notebook outlives it, whatever it did to get away.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from stagebook.execution.fork import client
from stagebook.execution.fork_server import child_setup
from stagebook.execution.kernels import cells, stage_kernel
from stagebook.execution.kernels.channel import Channel
from stagebook.execution.kernels.leaving import leave
from stagebook.system import processes
from stagebook.system.files import private_folder

READY = 50.0  # seconds for a process to be ready, fewer than its owner waits


def supervise(server: socket.socket, kind: str) -> int:
    """Be the supervisor of a new `kernel`, or of the process of `cells`; the exit code. `server` brings the
    owner's request, once there is one."""
    os.setsid()
    processes.set_name("sb-supervisor")
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = ""
    if kind == "kernel":
        folder = private_folder()
    mine, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        server.close()
        mine.close()
        _run_child(_kernel if kind == "kernel" else _cells, folder, its)
    its.close()
    try:
        return _Supervisor(pid, folder, mine).run(server)
    finally:
        processes.end_descendants()
        _remove(folder)


class _Supervisor:
    def __init__(self, pid: int, folder: str, kernel: socket.socket) -> None:
        self._pid = pid
        self._folder = folder
        self._kernel = kernel
        self._watch = os.pidfd_open(pid)
        self._kept_until: float | None = None

    def run(self, server: socket.socket) -> int:
        """Wait for an owner, then for the end."""
        request, owner, descriptors = self._assigned(server)
        if owner is None:
            return 0
        with owner:
            client.send(self._kernel, request, descriptors)
            for number in descriptors:
                os.close(number)
            if not self._is_ready(owner):
                self._refuse(owner)
                return 1
            told = {"pid": self._pid, **self._connection()}
            with contextlib.suppress(OSError):
                client.send(owner, told)
            self._watch_over(owner)
            code = self._reap()
            processes.end_descendants()
            _remove(self._folder)
            with contextlib.suppress(OSError):
                owner.setblocking(True)
                client.send(owner, {"exit": code})
        return 0

    def _connection(self) -> dict[str, Any]:
        if not self._folder:
            return {}
        file = f"{self._folder}/k.json"
        with open(file, encoding="utf-8") as stream:
            return {"connection": json.load(stream), "file": file}

    def _assigned(self, server: socket.socket) -> tuple[dict[str, Any], socket.socket | None, list[int]]:
        """The request, its owner and its descriptors; no owner if the server goes, or the kernel dies meanwhile."""
        _wait([server, self._watch])
        try:
            request, descriptors = client.receive(server)
        except (OSError, EOFError):
            return {}, None, []
        finally:
            server.close()
        owner, *descriptors = descriptors
        return request, socket.socket(fileno=owner), descriptors

    def _is_ready(self, owner: socket.socket) -> bool:
        """Wait until it is; it is not where it has ended, its owner has gone, or it takes too long."""
        ready = _wait([self._kernel, self._watch, owner], READY)
        try:
            return self._kernel in ready and bool(self._kernel.recv(1))
        except OSError:
            return False

    def _refuse(self, owner: socket.socket) -> None:
        """Tell why it did not get ready. It is ended first, since it may hang."""
        has_ended = self._watch in _wait([self._watch], 0.0)
        self._signal(signal.SIGKILL)
        how = _how(self._reap())
        reason = f"the forked process ended {how}" if has_ended else "the forked process did not get ready"
        with contextlib.suppress(OSError):  # the owner has gone
            client.send(owner, {"error": reason})

    def _watch_over(self, owner: socket.socket) -> None:
        """Pass signals on until the kernel ends, and end it when its owner goes."""
        there = True
        rest = b""
        while True:
            left = None if self._kept_until is None else max(0.0, self._kept_until - time.monotonic())
            waiting: list[Any] = [self._watch, owner] if there else [self._watch]
            ready = _wait(waiting, left)
            if self._watch in ready:
                return
            if not ready:
                self._signal(signal.SIGKILL)
                continue
            try:
                data = owner.recv(1 << 16)
            except OSError:
                data = b""
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._obey(json.loads(line))
            if not data:
                there = False
                if self._kept_until is None:
                    self._signal(signal.SIGKILL)

    def _obey(self, order: dict[str, Any]) -> None:
        if "signal" in order:
            self._signal(order["signal"])
        if order.get("keep"):
            self._kept_until = time.monotonic() + client.KEPT_FOR

    def _signal(self, number: int) -> None:
        processes.signal_group(self._pid, number)

    def _reap(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)


def _wait(what: Sequence[socket.socket | int], timeout: float | None = None) -> list[Any]:
    waiting: list[Any] = list(what)
    return select.select(waiting, [], [], timeout)[0]


def _how(code: int) -> str:
    return f"by {processes.signal_name(-code)}" if code < 0 else f"with exit code {code}"


def _remove(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _run_child(run: Callable[[str, socket.socket], None], folder: str, parent: socket.socket) -> NoReturn:
    """In the supervised process: run, and end as an interpreter does."""
    code = 70  # EX_SOFTWARE of sysexits.h
    try:
        os.setsid()
        processes.die_with_parent(os.getppid(), signal.SIGKILL)
        with contextlib.suppress(EOFError):
            run(folder, parent)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing of a child comes back into the supervisor
        traceback.print_exc()
    finally:
        leave(code)


def _await_owner(parent: socket.socket, name: str) -> list[int]:
    """Say that this process is ready, wait for the owner's request, and apply it; the descriptors that came
    along. Raises `EOFError` if none comes."""
    child_setup.warm_up(name)
    parent.send(b"r")
    request, descriptors = client.receive(parent)
    parent.close()
    child_setup.apply(request, name=name)
    child_setup.restore_libraries()
    return descriptors


def _kernel(folder: str, parent: socket.socket) -> None:
    def before_code() -> None:
        (errors,) = _await_owner(parent, "sb-kernel")
        stage_kernel.redirect(errors)
        os.close(errors)

    stage_kernel.run(folder, before_code)


def _cells(_: str, parent: socket.socket) -> None:
    channel = Channel()
    with cells.Client(channel) as shell:
        shell.warm_up()
        asked, told, output, errors = _await_owner(parent, "sb-cells")
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.close(output)
        os.close(errors)
        channel.open(told)
        cells.serve(shell, channel, asked)

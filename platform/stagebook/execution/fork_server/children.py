"""The children of the fork server: workers and supervisors, those that wait for a request (spares) among them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from stagebook.execution.fork import client
from stagebook.execution.fork_server import child_setup, supervisor
from stagebook.execution.worker import main as worker
from stagebook.execution.worker import papermill_engine
from stagebook.system import processes

KINDS = ("worker", "kernel", "cells")
GRACE = 20.0  # seconds that workers have to end once the runner is gone


@dataclasses.dataclass(slots=True)
class _Child:
    pid: int
    link: socket.socket | None = None  # to tell the exit code of a worker


@dataclasses.dataclass(frozen=True, slots=True)
class Spare:
    """A process that waits for a request, which `link` brings."""

    pid: int
    link: socket.socket


class Children:
    """All children. `spares`: those that wait, by kind, the oldest first."""

    def __init__(self, listener: socket.socket) -> None:
        self.spares: dict[str, list[Spare]] = {kind: [] for kind in KINDS}
        self._listener = listener
        self._all: dict[int, _Child] = {}  # by a pidfd

    @property
    def watches(self) -> list[int]:
        """A descriptor of each that is ready to read once the child has ended."""
        return list(self._all)

    def add_spare(self, kind: str) -> None:
        """Fork one more spare. Raises `OSError`."""
        mine, its = socket.socketpair()
        pid = self._fork(lambda: _work(its) if kind == "worker" else supervisor.supervise(its, kind), its)
        its.close()
        self._all[os.pidfd_open(pid)] = _Child(pid)
        self.spares[kind].append(Spare(pid, mine))

    def take_spare(self, kind: str) -> Spare:
        """The oldest spare of a kind, or a new one. It may have died. Raises `OSError`."""
        if not self.spares[kind]:
            self.add_spare(kind)
        return self.spares[kind].pop(0)

    def tell_end(self, pid: int, link: socket.socket) -> None:
        """Tell the exit code of a worker on this connection, which is closed then."""
        (child,) = (child for child in self._all.values() if child.pid == pid)
        child.link = link

    def _fork(self, run: Callable[[], int], link: socket.socket) -> int:
        """A process that ends with what `run` returns; of our descriptors it keeps this one. Its id."""
        pid = os.fork()
        if pid:
            return pid
        code = 70  # EX_SOFTWARE of sysexits.h
        try:
            self._forget(link.fileno())
            code = run()
        except BaseException:  # noqa: BLE001 - nothing of a child comes back into the server's loop
            traceback.print_exc()
        finally:
            _leave(code)

    def _forget(self, kept: int) -> None:
        """In a child: let go of all that is the server's."""
        for link in (
            self._listener,
            *(child.link for child in self._all.values()),
            *(spare.link for spares in self.spares.values() for spare in spares),
        ):
            if link is not None:
                link.detach()  # closed below, and not a second time by the collector
        for number in map(int, os.listdir("/proc/self/fd")):
            if number not in {1, 2, kept}:
                with contextlib.suppress(OSError):
                    os.close(number)
        null = os.open(os.devnull, os.O_RDONLY)
        if null != 0:
            os.dup2(null, 0)
            os.close(null)

    def reap(self, watch: int) -> None:
        """Take note of the end of a child."""
        child = self._all.pop(watch)
        os.close(watch)
        _, status = os.waitpid(child.pid, 0)
        for kind, spares in self.spares.items():
            self.spares[kind] = [spare for spare in spares if spare.pid != child.pid]
        if child.link is not None:
            # A worker is gone: what it left behind has become ours.
            processes.end_descendants(spare={other.pid for other in self._all.values()})
            with contextlib.suppress(OSError):  # the runner is gone
                client.send(child.link, {"exit": os.waitstatus_to_exitcode(status)})
            child.link.close()

    def end(self) -> None:
        """The runner is gone: workers notice that themselves; what stays is killed."""
        for spares in self.spares.values():
            for spare in spares:
                spare.link.close()
        for watch, child in self._all.items():
            if child.link is not None:
                select.select([watch], [], [], GRACE)
        # A supervisor ends with its own process, or goes on because it was told to keep it.
        supervisors = {child.pid for child in self._all.values() if child.link is None}
        processes.end_descendants(spare=supervisors)


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or a full disk
            stream.flush()
    os._exit(code)


def _work(server: socket.socket) -> int:
    """In a child: become a worker once there is a request for one; its exit code."""
    os.setsid()
    child_setup.warm_up("sb-worker")
    papermill_engine.warm_up(papermill_engine.MINORS[0])
    try:
        request, (output, errors, lifeline) = client.receive(server)
    except (OSError, EOFError):
        return 0
    server.close()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    child_setup.apply(request, name="sb-worker")
    os.environ[client.LIFELINE] = str(lifeline)
    return worker.main(request["attempt"])

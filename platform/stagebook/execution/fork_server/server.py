"""The fork server: it forks processes on request.

It does nothing else: it holds no threads, runs no notebook and opens no network socket, so that a fork of
it is as good as a new interpreter, only some seconds younger. Each request comes on a connection of its
own (`fork.client` has the messages) and asks for one of three kinds of processes:

- a `worker` is a child of the server, which tells its exit code;
- a `kernel`, or the process of the `cells` that run without one, is a child of a supervisor (`supervisor`).
  It ends with the supervisor's connection, not with the server: a server that is killed takes no stage
  along.

Of each kind the runner can have some forked ahead: these spares come up as far as one can without
knowing for whom, and wait.

The server ends when its standard input does, which is when the runner is gone.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import struct
import traceback
from typing import Any

from stagebook.execution.fork import client
from stagebook.execution.fork_server import child_setup
from stagebook.execution.fork_server.children import KINDS, Children
from stagebook.execution.kernels import provisioner
from stagebook.execution.worker import papermill_engine
from stagebook.execution.worker.profile import Sampler
from stagebook.system import processes


class Server:
    """The loop. It forks only while it is the one thread of the process. `environment`: what a forked process
    has to have too (`client.fits`). `orders`: what was read already of the standard input. `wanted`: how many
    spares of each kind to hold ready."""

    def __init__(
        self, listener: socket.socket, environment: dict[str, str], orders: bytes, wanted: dict[str, int]
    ) -> None:
        self._listener = listener
        self._environment = environment
        self._orders = orders
        self._wanted = wanted
        self._children = Children(listener)
        _warm_up()
        gc.freeze()  # what is here stays: the collector of a child need not touch its pages
        gc.enable()

    def serve(self) -> None:
        """Fork on request until the runner is gone."""
        processes.adopt_orphans()
        while True:
            watches = self._children.watches
            poll = select.poll()
            for number in (0, self._listener.fileno(), *watches):
                poll.register(number, select.POLLIN)
            lacking = self._lacking()
            ready = {number for number, _ in poll.poll(0 if lacking else None)}
            if lacking and not ready:
                self._prepare_spare(lacking)
            for number in ready & set(watches):
                self._children.reap(number)
            if self._listener.fileno() in ready:
                self._answer()
            if 0 in ready and not self._take_orders():
                self._listener.close()  # who asked a moment ago need not wait for an answer
                self._children.end()
                return

    def _take_orders(self) -> bool:
        """Read how many spares are wanted; whether the runner is still there."""
        data = os.read(0, 1 << 16)
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._wanted = json.loads(line).get("spares", self._wanted)
        return bool(data)

    # -- spares ---------------------------------------------------------------------------------

    def _lacking(self) -> str:
        """A kind of which there are fewer spares than wanted; empty if there is none."""
        counts = {kind: len(spares) for kind, spares in self._children.spares.items()}
        return next((kind for kind in KINDS if counts[kind] < self._wanted.get(kind, 0)), "")

    def _prepare_spare(self, kind: str) -> None:
        """Add a spare while there is nothing else to do; none from now on where that is not safe, or
        the machine has no room for it."""
        try:
            if processes.count_threads() == 1:
                self._children.add_spare(kind)
                return
        except OSError:
            traceback.print_exc()
        self._wanted = {}

    # -- requests -------------------------------------------------------------------------------

    def _answer(self) -> None:
        link, _ = self._listener.accept()
        link.settimeout(5.0)
        descriptors: list[int] = []
        try:
            credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            if struct.unpack("3i", credentials)[1] != os.getuid():
                return
            request, descriptors = client.receive(link)
            reason = self._why_not(request)
            if reason:
                client.send(link, {"error": reason})
            else:
                link = self._assign(link, request, descriptors)
        except (OSError, EOFError, ValueError, KeyError):
            traceback.print_exc()
        finally:
            link.close()
            for number in descriptors:
                os.close(number)

    def _why_not(self, request: dict[str, Any]) -> str:
        """Why a request is refused; empty if it is not."""
        threads = processes.count_threads()
        if threads > 1:
            return f"the fork server has {threads} threads"
        if not client.fits(request["env"], self._environment):
            return "the environment has to be there from the start"
        return ""

    def _assign(self, link: socket.socket, request: dict[str, Any], descriptors: list[int]) -> socket.socket:
        """Give a request to a spare; the socket that is to be closed."""
        kind = request["kind"]
        # The end of a worker is told by the server, that of the other kinds by their supervisor.
        given = descriptors if kind == "worker" else [link.fileno(), *descriptors]
        while True:
            spare = self._children.take_spare(kind)
            try:
                client.send(spare.link, request, given)
            except OSError:
                continue  # it died while it waited
            finally:
                spare.link.close()
            if kind != "worker":
                return link
            client.send(link, {"pid": spare.pid})
            self._children.tell_end(spare.pid, link)
            return socket.socket(fileno=os.dup(link.fileno()))


def _warm_up() -> None:
    """Do once what a child would else do first: compiling the notebook format's schema and looking for
    libraries take a tenth of a second."""
    for minor in papermill_engine.MINORS:
        papermill_engine.warm_up(minor)
    provisioner.warm_up()
    Sampler(lambda: [os.getpid()]).look()
    child_setup.find_libraries()

"""The fork server: a process that has imported what stages need, and forks them on request.

It never does anything else: it holds no threads, runs no notebook and opens no network socket, so
that a fork of it is as good as a new interpreter, only some seconds younger. Each request comes on
a connection of its own (`forking` has the messages) and asks for one of three kinds of processes:

- a `worker` is a child of the server, which tells its exit code;
- a `kernel`, or the process of the `cells` that run without one, is a child of a keeper (`keeper`).
  Its life hangs on the keeper's connection, not on the server: a server that is killed takes no
  stage along.

Of each kind the runner can have some forked ahead: these spares come up as far as one can without
knowing for whom, and wait.

It ends when its standard input does, which is when the runner is gone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from stagebook.execution.fork import client
from stagebook.system import processes

# Without these the imports below would start threads. OpenBLAS gets its threads back in each child;
# pyarrow's allocator does without its one, which only returns memory earlier.
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
# What ipykernel says to matplotlib, which reads it when it is imported; a user's own choice stays.
_USUAL = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's advice is not for here
}

_BASE = (
    "stagebook.execution.worker.main",
    "stagebook.execution.kernels.kernel",
    "stagebook.execution.kernels.stage_kernel",
    "stagebook.execution.kernels.cells",
    "stagebook.execution.fork_server.supervisor",
)
# What a kernel imports while it comes up.
_KERNEL = (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect", "IPython.extensions.storemagic",
    "sqlite3", "pdb", "faulthandler", "tornado.platform.asyncio", "asyncio", "ipykernel.debugger", "comm",
    "threadpoolctl", "pygments.lexers.python", "pygments.formatters.terminal256",
    "executing", "stack_data", "pure_eval",
)  # fmt: skip
_ORDERS = "STAGEBOOK_FORKSERVER_ORDERS"  # what was read of the orders before it began anew
KINDS = ("worker", "kernel", "cells")
GRACE = 20.0  # seconds that workers have to end once the runner is gone


@dataclasses.dataclass(slots=True)
class _Child:
    pid: int
    watch: int  # a pidfd
    link: socket.socket | None  # to tell the exit code; a keeper tells its own


@dataclasses.dataclass(slots=True)
class _Spare:
    pid: int
    link: socket.socket  # brings it the request


class Server:
    """The loop. It forks only while it is the one thread of the process."""

    def __init__(self, listener: socket.socket, environment: dict[str, str], refused: Iterable[str]) -> None:
        self._listener = listener
        self._environment = environment  # as it was before `_QUIET`
        self._refused = set(refused)
        self._children: dict[int, _Child] = {}  # by pidfd
        self._spares: dict[str, list[_Spare]] = {kind: [] for kind in KINDS}
        self._wanted: dict[str, int] = {}  # spares
        self._orders = environment.pop(_ORDERS, "").encode()

    # -- what is imported -----------------------------------------------------------------------

    def prepare(self) -> bool:
        """Import the base at once and the rest when it is told; whether there is anything to serve."""
        self._import([*_BASE, *_KERNEL])
        while b"\n" not in self._orders:
            data = os.read(0, 1 << 16)
            if not data:
                return False
            self._orders += data
        line, _, self._orders = self._orders.partition(b"\n")
        told = json.loads(line)
        self._wanted = told.get("spares", {})
        self._import(told.get("modules", []), told=line)
        # It ties itself to the shell that is there when it is imported, and here is none.
        for name in [name for name in sys.modules if name.startswith("matplotlib_inline")]:
            del sys.modules[name]
        os.environ.clear()
        os.environ.update(self._environment)
        self._warm_up()
        gc.freeze()  # what is here stays: the collector of a child need not touch its pages
        gc.enable()
        return True

    def _import(self, modules: Iterable[str], told: bytes = b"") -> None:
        for name in modules:
            if name in self._refused:
                continue
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001, S112 - the notebook that needs it says so better
                continue
            if processes.count_threads() > 1:
                self._begin_anew_without(name, told)

    def _warm_up(self) -> None:
        """Do once what a child would else do first: compiling the notebook format's schema and
        looking for libraries take a tenth of a second."""
        from stagebook.execution.fork_server import child_setup  # noqa: PLC0415 - see `_BASE`
        from stagebook.execution.kernels import provisioner  # noqa: PLC0415
        from stagebook.execution.worker import papermill_engine  # noqa: PLC0415
        from stagebook.execution.worker.profile import Sampler  # noqa: PLC0415

        for minor in papermill_engine.MINORS:
            papermill_engine.rehearse(minor)
        provisioner.warm_up()
        Sampler(lambda: [os.getpid()]).look()
        child_setup.find_libraries()

    def _begin_anew_without(self, name: str, told: bytes) -> NoReturn:
        """A module started a thread, which no fork can copy: start over and leave it to the stages."""
        sys.stderr.write(f"not imported ahead, because it starts threads: {name}\n")
        sys.stderr.flush()
        orders = (told + b"\n" if told else b"") + self._orders
        os.set_inheritable(self._listener.fileno(), True)
        module = [sys.executable, "-m", "stagebook.execution.fork_server.server"]
        command = [*module, str(self._listener.fileno()), sys.argv[2], *self._refused, name]
        os.execve(  # noqa: S606 - this very program
            sys.executable, command, {**self._environment, _ORDERS: orders.decode()}
        )

    # -- the loop -------------------------------------------------------------------------------

    def serve(self) -> None:
        """Fork on request until the runner is gone."""
        processes.adopt_orphans()
        while True:
            poll = select.poll()
            for number in (0, self._listener.fileno(), *self._children):
                poll.register(number, select.POLLIN)
            lacking = self._lacking()
            ready = {number for number, _ in poll.poll(0 if lacking else None)}
            if lacking and not ready:
                self._prepare_spare(lacking)
            for number in ready & set(self._children):
                self._reap(number)
            if self._listener.fileno() in ready:
                self._answer()
            if 0 in ready and not self._listen():
                self._end()
                return

    def _listen(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._wanted = json.loads(line).get("spares", self._wanted)
        return bool(data)

    def _prepare_spare(self, kind: str) -> None:
        """Add a spare while there is nothing else to do; none from now on where that is not safe, or
        the machine has no room for it."""
        try:
            if processes.count_threads() == 1:
                self._add_spare(kind)
                return
        except OSError:
            traceback.print_exc()
        self._wanted = {}

    def _lacking(self) -> str:
        """A kind of which there are fewer spares than wanted."""
        short = (kind for kind in KINDS if len(self._spares[kind]) < self._wanted.get(kind, 0))
        return next(short, "")

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
        threads = processes.count_threads()
        if threads > 1:
            return f"the fork server has {threads} threads"
        if not client.fits(request["env"], self._environment):
            return "the environment has to be there from the start"
        return ""

    def _assign(self, link: socket.socket, request: dict[str, Any], descriptors: list[int]) -> socket.socket:
        """Give a request to a spare; the socket that is to be closed."""
        kind = request["kind"]
        while True:
            if not self._spares[kind]:
                self._add_spare(kind)
            spare = self._spares[kind].pop(0)
            try:
                if kind == "worker":
                    client.send(spare.link, request, descriptors)
                else:
                    client.send(spare.link, request, [link.fileno(), *descriptors])
            except OSError:
                continue  # it died while it waited
            finally:
                spare.link.close()
            if kind == "worker":
                client.send(link, {"pid": spare.pid})
                (child,) = (child for child in self._children.values() if child.pid == spare.pid)
                child.link = link
                return socket.socket(fileno=os.dup(link.fileno()))
            return link

    def _add_spare(self, kind: str) -> None:
        from stagebook.execution.fork_server import supervisor  # noqa: PLC0415 - imported after `_QUIET` is set

        mine, its = socket.socketpair()

        def run() -> int:
            return _work(its) if kind == "worker" else supervisor.keep(its, kind)

        pid = self._fork(run, keep=[its.fileno()])
        its.close()
        watch = os.pidfd_open(pid)
        self._children[watch] = _Child(pid, watch, None)
        self._spares[kind].append(_Spare(pid, mine))

    def _fork(self, run: Callable[[], int], keep: list[int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 70  # EX_SOFTWARE of sysexits.h
        try:
            self._forget(keep)
            code = run()
        except BaseException:  # noqa: BLE001 - nothing of a child comes back into the server's loop
            traceback.print_exc()
        finally:
            _leave(code)

    def _forget(self, keep: list[int]) -> None:
        """In a child: let go of all that is the server's."""
        for link in (
            self._listener,
            *(c.link for c in self._children.values()),
            *(spare.link for kind in self._spares.values() for spare in kind),
        ):
            if link is not None:
                link.detach()  # closed below, and not a second time by the collector
        kept = {1, 2, *keep}
        for number in map(int, os.listdir("/proc/self/fd")):
            if number not in kept:
                with contextlib.suppress(OSError):
                    os.close(number)
        null = os.open(os.devnull, os.O_RDONLY)
        if null != 0:
            os.dup2(null, 0)
            os.close(null)

    def _reap(self, watch: int) -> None:
        child = self._children.pop(watch)
        os.close(watch)
        _, status = os.waitpid(child.pid, 0)
        for kind, spares in self._spares.items():
            self._spares[kind] = [spare for spare in spares if spare.pid != child.pid]
        if child.link is not None:
            # A worker is gone: what it left behind has become ours.
            processes.end_descendants(spare={other.pid for other in self._children.values()})
            with contextlib.suppress(OSError):
                client.send(child.link, {"exit": os.waitstatus_to_exitcode(status)})
            child.link.close()

    def _end(self) -> None:
        """The runner is gone: workers notice that themselves; what stays is killed."""
        self._listener.close()  # who asked a moment ago need not wait for an answer
        for spares in self._spares.values():
            for spare in spares:
                spare.link.close()
        workers = [child for child in self._children.values() if child.link is not None]
        for child in workers:
            select.select([child.watch], [], [], GRACE)
        # A keeper ends with its own kernel, or goes on because it was told to keep it.
        keepers = {child.pid for child in self._children.values() if child.link is None}
        processes.end_descendants(spare=keepers)


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _work(server: socket.socket) -> int:
    """In a child: become a worker once there is a request for one."""
    from stagebook.execution.fork_server import child_setup  # noqa: PLC0415
    from stagebook.execution.worker import main as worker  # noqa: PLC0415
    from stagebook.execution.worker import papermill_engine  # noqa: PLC0415

    os.setsid()
    child_setup.rehearse("sb-worker")
    papermill_engine.rehearse(papermill_engine.MINORS[0])
    try:
        request, (output, errors, lifeline) = client.receive(server)
    except (OSError, EOFError):
        return 0
    server.close()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    child_setup.take_on(request, name="sb-worker")
    os.environ[client.LIFELINE] = str(lifeline)
    return worker.command(request["arguments"])


def main() -> int:
    """The process: the descriptor of the socket, its folder, and the modules that it must not import. The
    runner binds the socket before it tells what to import."""
    if sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]
    listener = socket.socket(fileno=int(sys.argv[1]))
    environment = dict(os.environ)
    os.environ.pop(_ORDERS, None)
    os.environ.update({**_USUAL, **environment, **_QUIET})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the runner
    processes.set_name("sb-forkserver")
    gc.disable()  # until all is imported: nearly all of it stays
    server = Server(listener, environment, sys.argv[3:])
    if server.prepare():
        server.serve()
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The start of the fork server: importing what stages need, and then serving (`server`).

It is started with the descriptor of its socket, the folder of that, and the modules that it must not
import. The first line on its standard input says what to import beside the base; until then requests wait.

A process with threads cannot be forked. Where a module starts one, the server begins anew without it, and without those
that import it. It does so once: where there is a thread again, stages start the ordinary way.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import NoReturn

from stagebook.execution.fork_server.importing import Refused, Watch, count_threads
from stagebook.execution.kernels.guise import looking_like_a_kernel
from stagebook.system import processes

# Without these the imports below would start threads. OpenBLAS and numexpr get theirs back in each child;
# pyarrow's allocator does without its one, which only returns memory earlier.
_QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# What libraries read when they are imported; a user's own choice stays.
_USUAL = {
    # Threads of OpenBLAS that have nothing to do look for work during 2^20 ticks, not 2^26: each process starts them, and
    # with two cores those that look for 25 ms hold up the others.
    "OPENBLAS_THREAD_TIMEOUT": "20",
    # As ipykernel says to matplotlib.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's advice is not for here
}

_BASE = (
    "stagebook.execution.worker.main",
    "stagebook.execution.kernels.kernel",
    "stagebook.execution.kernels.stage_kernel",
    "stagebook.execution.kernels.cells",
    "stagebook.execution.fork_server.server",
)
# What a kernel imports while it comes up.
_KERNEL = (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect", "IPython.extensions.storemagic",
    "sqlite3", "pdb", "faulthandler", "tornado.platform.asyncio", "asyncio", "ipykernel.debugger", "comm",
    "threadpoolctl", "pygments.lexers.python", "pygments.formatters.terminal256",
    "executing", "stack_data", "pure_eval",
)  # fmt: skip
_ORDERS = "STAGEBOOK_FORKSERVER_ORDERS"  # what was read of the orders before it began anew


class Preloader:
    """Imports modules ahead, but for those in `refused`, because of which this process began anew.
    `environment` is the one without `_QUIET` and `_USUAL`. `orders`: what was read of the standard input and
    is not used yet."""

    def __init__(self, listener: socket.socket, environment: dict[str, str], refused: list[str]) -> None:
        self._listener = listener
        self._environment = environment
        self._refused = refused
        self.orders = environment.pop(_ORDERS, "").encode()
        self.spares: dict[str, int] = {}  # how many processes to hold ready, by their kind

    def run(self) -> bool:
        """Import the base, wait for the first order, and import the rest; whether there was one."""
        with looking_like_a_kernel():
            shown = warnings.showwarning
            warnings.showwarning = lambda *_args, **_kwargs: (
                None
            )  # of what Stagebook needs: nobody can act on them
            self._import([*_BASE, *_KERNEL])
            warnings.showwarning = shown
            while b"\n" not in self.orders:
                data = os.read(0, 1 << 16)
                if not data:
                    return False
                self.orders += data
            line, _, self.orders = self.orders.partition(b"\n")
            order = json.loads(line)
            self.spares = order.get("spares", {})
            self._import(order.get("modules", []), order=line + b"\n")
        # It ties itself to the shell that is there when it is imported, and here is none.
        for name in [name for name in sys.modules if name.startswith("matplotlib_inline")]:
            del sys.modules[name]
        os.environ.clear()
        os.environ.update(self._environment)
        return True

    def _import(self, modules: Iterable[str], order: bytes = b"") -> None:
        watch = Watch(self._refused)
        sys.meta_path.insert(0, watch)
        try:
            for name in modules:
                try:
                    importlib.import_module(name)
                except Refused as refused:
                    _log(f"not imported ahead, because it imports {refused}: {name}")
                except Exception:  # noqa: BLE001, S112 - whatever a module raises: the notebook that needs it says so better
                    continue
                if count_threads() > 1:
                    culprit = watch.culprit or (name,)
                    _log(f"not imported ahead, because it starts threads: {culprit[-1]}")
                    if self._refused:
                        _log("stages start the ordinary way: there is a thread again")
                        return
                    self._begin_anew_without(culprit, order)
        finally:
            sys.meta_path.remove(watch)

    def _begin_anew_without(self, modules: Sequence[str], order: bytes) -> NoReturn:
        """A module started a thread: start this process over, and leave it, and those that imported it, to the
        stages."""
        os.set_inheritable(self._listener.fileno(), True)
        module = [sys.executable, "-m", "stagebook.execution.fork_server"]
        command = [*module, str(self._listener.fileno()), sys.argv[2], *modules]
        environment = {**self._environment, _ORDERS: (order + self.orders).decode()}
        os.execve(sys.executable, command, environment)  # noqa: S606 - this very program


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """The process."""
    if sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]
    listener = socket.socket(fileno=int(sys.argv[1]))
    environment = dict(os.environ)
    os.environ.pop(_ORDERS, None)
    os.environ.update({**_USUAL, **environment, **_QUIET})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the runner
    processes.set_name("sb-forkserver")
    gc.disable()  # until all is imported: nearly all of it stays
    preloader = Preloader(listener, environment, sys.argv[3:])
    if preloader.run():
        from stagebook.execution.fork_server.server import Server  # noqa: PLC0415 - libraries read `_QUIET` when they are imported

        Server(listener, environment, preloader.orders, preloader.spares).serve()
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    return 0


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError, ValueError):  # closed, or a full disk
        sys.stderr.flush()
    os._exit(code)  # the runner waits for this end, and to take down all that was imported takes 0.1 s

"""What a forked process does first, so that it is like a new interpreter."""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.execution.fork.client import request_of
from stagebook.system import processes

_BASE_PATH = [
    entry
    for entry in sys.path
    if entry
    and os.path.realpath(entry)
    not in {os.path.realpath(item) for item in os.environ.get("PYTHONPATH", "").split(os.pathsep) if item}
]


def apply(request: Mapping[str, Any], *, name: str) -> None:
    """Apply the working folder, environment and umask of a request (`fork.client.request_of`), and a name.
    What an interpreter reads of them when it starts is done again: the import path, the time zone, the random
    generators."""
    processes.set_name(name)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    time.tzset()
    tempfile.tempdir = None
    added = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*added, *(entry for entry in _BASE_PATH if entry not in added)]
    importlib.invalidate_caches()
    reseed()


def warm_up(name: str) -> None:
    """`apply` what this process has already. A fork copies a page of memory when it is first written to; a
    process that waits does so while it has the time."""
    apply(request_of("", cwd=os.getcwd(), env=os.environ), name=name)


def restore_libraries() -> None:
    """Take back what Stagebook changed in libraries that a notebook may use itself."""
    if sys.modules.get("rfc3987_syntax", sys) is None:  # see `stagebook.execution`
        del sys.modules["rfc3987_syntax"]
    free_threads()


def reseed() -> None:
    """New seeds for the generators that a fork would copy; Python's own is among them."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


_libraries: Any = None  # what `find_libraries` found


def find_libraries() -> None:
    """Look for the libraries of linear algebra that are loaded; it takes a while, so the fork server
    does it once for all its children."""
    global _libraries  # noqa: PLW0603 - inherited by the children
    if "numpy" in sys.modules:
        import threadpoolctl  # noqa: PLC0415 - only where there is anything to find

        _libraries = threadpoolctl.ThreadpoolController().select(internal_api="openblas")


def free_threads() -> None:
    """Give OpenBLAS and numexpr, which were told to start none, the threads that their environment, or else the
    machine, allows."""
    if _libraries is not None:
        names = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
        _libraries.limit(limits=_allowed(names, len(os.sched_getaffinity(0))))
    numexpr: Any = sys.modules.get("numexpr")
    if numexpr is not None:
        # As it does when it is imported (`numexpr.utils`).
        most = _allowed(("NUMEXPR_MAX_THREADS",), 16)
        count = _allowed(("NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS"), min(most, os.cpu_count() or 1))
        numexpr.set_num_threads(count)
        numexpr.nthreads = count


def _allowed(names: Sequence[str], otherwise: int) -> int:
    """The first number that one of these variables has."""
    given = next((value for name in names if (value := os.environ.get(name))), "").partition(",")[0]
    return max(1, int(given)) if given.isdigit() else otherwise

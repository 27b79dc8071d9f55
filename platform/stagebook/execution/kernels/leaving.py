"""What a process that runs a notebook's cells does in either executor: its end, and input that nobody gives.

A kernel under another interpreter loads this module by its file, so it imports nothing of Stagebook.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

from IPython.core.error import StdinNotImplementedError

_KEPT = "STAGEBOOK_KEPT"  # `stagebook.system.processes.KEPT`
_PATIENCE = 0.5  # seconds


def end_children_soon() -> None:
    """Send SIGTERM to all that descends from this process, unless the process has ended within half a second: an
    exit function or a thread waits for it then. Not before, since those that end their processes in order, such as
    a pool, may wait for ever where somebody else ended them. A kernel that is to outlive its stage stays."""
    threading.Thread(target=_end_children, name="stagebook-end", daemon=True).start()


def _end_children() -> None:
    import psutil  # noqa: PLC0415 - kernels of very old versions of ipykernel are without it

    time.sleep(_PATIENCE)
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.environ().get(_KEPT) != "1":
                    child.terminate()


def flush_c_streams() -> None:
    """Have the C library write what its standard output and error hold back, as it does at the end of a program."""
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):  # it may name them otherwise
        library = ctypes.CDLL(None)
        for name in ("stdout", "stderr"):
            library.fflush(ctypes.c_void_p.in_dll(library, name))


def no_input(*_: Any, **__: Any) -> NoReturn:
    """In place of `input` and `getpass`. Raises `StdinNotImplementedError`."""
    raise StdinNotImplementedError("input was asked for, but nobody can answer in a pipeline.")


def leave(code: int) -> NoReturn:
    """End as an interpreter does, but for tearing down its modules: threads, `atexit`, streams. What
    these wait for is told to end."""
    # What an exit of the interpreter begins with; the functions of the notebook may raise anything.
    for step in (end_children_soon, threading._shutdown, atexit._run_exitfuncs, flush_c_streams):  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            step()
        except BaseException:  # noqa: BLE001 - told, as the interpreter does, and the end goes on
            with contextlib.suppress(OSError, ValueError):
                traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the notebook may have put anything in their place
            stream.flush()
    os._exit(code)

"""The end of a process that runs a notebook's cells."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End as an interpreter does, but for tearing down its modules: threads, `atexit`, streams."""
    # What an exit of the interpreter begins with; the functions of the notebook may raise anything.
    for step in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            step()
        except BaseException:  # noqa: BLE001 - told, as the interpreter does, and the end goes on
            with contextlib.suppress(OSError, ValueError):
                traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the notebook may have put anything in their place
            stream.flush()
    os._exit(code)

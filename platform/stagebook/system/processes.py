"""Processes: tying a child to its parent's life, and ending all processes of an attempt.

Every process of an attempt inherits a marker in its environment. That finds kernels, which
jupyter_client starts in a session of their own, and grandchildren that left their parents, which
neither a process group nor a walk down the process tree does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable

import psutil

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal once its parent is gone (Linux; elsewhere nothing).

    `parent` is the expected parent: if it went before this call, the signal is sent at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def marked(variable: str, value: str) -> list[psutil.Process]:
    """The processes of this user, other than this one, whose environment has `variable=value`."""
    found = []
    here = os.getpid()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != here and process.environ().get(variable) == value:
                found.append(process)
    return found


def end_marked(variable: str, value: str, *, grace: float = 0.0) -> int:
    """End every process so marked; the number of them. Repeats until none is left, since one that
    is being ended may still start another."""
    ended = 0
    deadline = time.monotonic() + 10.0
    while (found := marked(variable, value)) and time.monotonic() < deadline:
        ended += len(found)
        if grace > 0:
            _signal(found, signal.SIGTERM)
            _, found = psutil.wait_procs(found, timeout=grace)
        _signal(found, signal.SIGKILL)
        psutil.wait_procs(found, timeout=2.0)
    return ended


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

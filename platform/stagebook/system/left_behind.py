"""Processes that go on by themselves when this one ends."""

from __future__ import annotations

import atexit
import subprocess

_left_behind: list[subprocess.Popen[bytes]] = []  # nobody waits for them


def leave_behind(process: subprocess.Popen[bytes]) -> None:
    """Let a process go on by itself; those that have ended meanwhile are looked after."""
    _left_behind[:] = [other for other in _left_behind if other.poll() is None]
    _left_behind.append(process)


@atexit.register
def _forget() -> None:
    for process in _left_behind:
        if process.poll() is None:
            process.returncode = 0  # else Python complains that it goes on

"""One process tree, measured: wall time, CPU seconds, and the memory of its processes by their roles."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import resource
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

LIMIT = 1200.0  # seconds; what takes longer is killed and counts as failed
SETTLE = 10.0  # seconds that what outlives the measured process has to end by itself
SAMPLE_EVERY = 0.05  # seconds between two looks at memory

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)

# Stagebook names its processes; the name shows in /proc/PID/comm.
_ROLES_BY_NAME = {
    "sb-worker": "worker",
    "sb-kernel": "kernel",
    "sb-cells": "cells",
    "sb-forkserver": "server",
}
# For processes that have no such name: a word of the command line.
_ROLES_BY_WORD = {
    "drive_papermill.py": "worker",
    "stagebook.execution.worker": "worker",
    "ipykernel_launcher": "kernel",
    "stagebook.tracking.deliver": "delivery",
}


class MeasuredProcessFailed(Exception):
    """The measured process did not end well. `tail` is the end of what it printed."""

    def __init__(self, message: str, tail: str) -> None:
        super().__init__(message)
        self.tail = tail


class MeasuredProcessTooSlow(MeasuredProcessFailed):
    """The measured process was killed because it took too long."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a process tree took. `wall` and `cpu` (user and system, all processes) are seconds; `peaks`
    has for each role the highest resident set of one process in bytes, if it was asked for."""

    wall: float
    cpu: float
    peaks: Mapping[str, int]


def role_of(process: psutil.Process) -> str:
    """What a process is there for: `worker` executes a notebook, `kernel` and `cells` run its code."""
    name = process.name()
    if name in _ROLES_BY_NAME:
        return _ROLES_BY_NAME[name]
    words = [Path(word).name for word in process.cmdline()]
    return next((role for word, role in _ROLES_BY_WORD.items() if word in words), "other")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux), so that their CPU time counts."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(  # noqa: PLR0913 - each is a condition of the measurement
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    watch_memory: bool = False,
    limit: float = LIMIT,
    terminal: bool = False,
) -> Measured:
    """Run a command to its end and measure its process tree: its output goes to a file, or, on a `terminal`, to
    one that is read as it comes. Raises `MeasuredProcessFailed`, and `MeasuredProcessTooSlow` after `limit` seconds.

    Nothing else may have children of this process while it runs: all children's CPU time is taken.
    """
    before = _children_cpu()
    with _terminal(log) if terminal else log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        overdue = threading.Timer(limit, _kill_tree, [process.pid])
        overdue.start()
        watch = _MemoryWatch(process.pid) if watch_memory else None
        try:
            code = process.wait()  # without a timeout: with one, Python looks only every 50 ms
            wall = time.perf_counter() - began
        except BaseException:
            _kill_tree(process.pid)
            process.wait()
            raise
        finally:
            overdue.cancel()
            peaks = watch.stop() if watch else {}
            _reap_orphans()
    if code < 0 and wall >= limit:
        raise MeasuredProcessTooSlow(f"not done after {limit:g} s", _tail(log))
    if code != 0:
        what = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        raise MeasuredProcessFailed(what, _tail(log))
    return Measured(wall=wall, cpu=_children_cpu() - before, peaks=peaks)


class _MemoryWatch:
    """Looks at the resident sets of a process tree until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: dict[int, tuple[str, int]] = {}  # pid → its last role, its peak
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> Mapping[str, int]:
        """The highest peak of each role."""
        self._done.set()
        self._thread.join()
        peaks: dict[str, int] = {}
        for role, peak in self._seen.values():
            peaks[role] = max(peak, peaks.get(role, 0))
        return peaks

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY):
            for process in _tree(self._root):
                with contextlib.suppress(psutil.Error, OSError, ValueError):
                    # The role is taken anew each time: a forked process gets its name after a moment.
                    before = self._seen.get(process.pid, ("", 0))[1]
                    self._seen[process.pid] = (role_of(process), max(before, _peak(process)))


def _peak(process: psutil.Process) -> int:
    """The highest resident set so far in bytes, as the kernel keeps it; elsewhere that of now."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)


def _tree(root: psutil.Process) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        yield root
        yield from root.children(recursive=True)


def _kill_tree(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        for process in list(_tree(psutil.Process(pid))):
            with contextlib.suppress(psutil.Error):
                process.kill()


@contextlib.contextmanager
def _terminal(log: Path) -> Iterator[int]:
    """A terminal of 100 columns, what it shows kept in a file."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))

    def read() -> None:
        with log.open("wb") as kept, contextlib.suppress(OSError):  # nobody has it open any more
            while piece := os.read(ours, 65_536):
                kept.write(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def _reap_orphans() -> None:
    """Wait for what outlived the measured process; kill what does not end."""
    deadline = time.monotonic() + SETTLE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            continue
        if time.monotonic() > deadline:
            for child in psutil.Process().children():
                _kill_tree(child.pid)
        time.sleep(0.01)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tail(log: Path, size: int = 2000) -> str:
    return log.read_bytes()[-size:].decode(errors="replace")

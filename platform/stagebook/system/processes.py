"""Processes: tying a child to its parent's life, and ending all processes of an attempt.

Every process of an attempt inherits a marker in its environment. That finds kernels, which
jupyter_client starts in a session of their own, and grandchildren that left their parents, which
neither a process group nor a walk down the process tree does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Container, Iterable
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

import psutil

_GRACE = 3.0  # seconds
_LAST_WORDS = 0.5  # seconds that descendants have to end by themselves
KEPT = "STAGEBOOK_KEPT"  # in the environment of a kernel that may outlive its stage

# Numbers of prctl(2) and of fcntl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_F_SETSIG = 10


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal once its parent is gone (Linux; elsewhere nothing). `parent`
    is the expected parent: if it went before this call, the signal is sent at once."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def marked(variable: str, value: str) -> list[psutil.Process]:
    """The processes of this user, other than this one, whose environment has `variable=value`."""
    found = []
    here = os.getpid()
    if os.path.isdir("/proc/self"):
        wanted = f"{variable}={value}".encode()
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError, psutil.Error), open(f"/proc/{pid}/environ", "rb") as file:
                if pid != here and wanted in file.read().split(b"\0"):
                    found.append(psutil.Process(pid))
        return found
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != here and process.environ().get(variable) == value:
                found.append(process)
    return found


def end_marked(variable: str, value: str) -> int:
    """End every process so marked; the number of them. Repeats until none is left, since one that
    is being ended may still start another."""
    ended = 0
    deadline = time.monotonic() + 10.0
    while (found := marked(variable, value)) and time.monotonic() < deadline:
        ended += len(found)
        _signal(found, signal.SIGKILL)
        psutil.wait_procs(found, timeout=2.0)
    return ended


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process group that `pid` leads, if it is there and may be signalled."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_group(process: subprocess.Popen[bytes], *, grace: float = 2.0) -> int:
    """End the process group that a child of ours leads; the child's exit code.

    SIGTERM asks. SIGKILL follows at once when the child has ended, since others of its group may outlive
    it, and else after `grace` seconds.
    """
    if process.poll() is None:
        signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace)
    signal_group(process.pid, signal.SIGKILL)
    return process.wait()


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def set_name(name: str) -> None:
    """What `ps` and `/proc/PID/comm` call this process: up to 15 characters (Linux)."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux), in place of process 1."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: object) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """The ids of all processes below one; those that ended meanwhile are left out."""
    found: list[int] = []
    open_ = [pid]
    try:
        while open_:
            children = _children(open_.pop())
            found += children
            open_ += children
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # No such file on this machine, or a process went meanwhile: psutil looks at all processes.
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return found


def end_descendants(*, spare: Container[int] = ()) -> None:
    """End and reap all that descends from this process, but the children in `spare`: by SIGTERM, and what is left
    half a second later by SIGKILL. So a helper of multiprocessing, which ignores the first and ends once all that
    use it have ended, has the time to remove the shared memory that they left.

    Together with `adopt_orphans` nothing gets away: who loses its parent becomes our child. Those
    that were started to be kept (`KEPT`) stay.
    """
    began = time.monotonic()
    asked: set[int] = set()
    while (now := time.monotonic()) < began + 10.0:
        try:
            below = _own_children()
            children = [psutil.Process(pid) for pid in below if pid not in spare and not _is_kept(pid)]
        except psutil.Error:
            continue
        if not children:
            return
        is_asking = now < began + _LAST_WORDS
        for child in children:
            with contextlib.suppress(psutil.Error):
                family = [child, *child.children(recursive=True)]
                if is_asking:
                    family = [process for process in family if process.pid not in asked]
                    asked.update(process.pid for process in family)
                _signal(family, signal.SIGTERM if is_asking else signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ChildProcessError, psutil.Error):
                os.waitpid(child.pid, os.WNOHANG if is_asking else 0)
        if is_asking:
            time.sleep(0.005)


def _is_kept(pid: int) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return psutil.Process(pid).environ().get(KEPT) == "1"
    return False


def _own_children() -> list[int]:
    with contextlib.suppress(OSError):
        return _children("self")
    return [child.pid for child in psutil.Process().children()]


def _children(pid: int | str) -> list[int]:
    """From `/proc`. Raises `OSError`, also where a process went meanwhile."""
    tasks = (Path(f"/proc/{pid}/task/{task}/children") for task in os.listdir(f"/proc/{pid}/task"))
    return [int(word) for task in tasks for word in task.read_bytes().split()]


def signal_at_end(descriptor: int, number: int) -> None:
    """Have the kernel send this process a signal once the other end of a pipe is closed (Linux). That ties a
    process to another one which is not its parent."""
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, _F_SETSIG, number)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(0):  # it was closed before
        os.kill(os.getpid(), number)


def count_threads() -> int:
    """The threads of this process, those of C libraries included."""
    return psutil.Process().num_threads()


def cpu_seconds(pid: int) -> float | None:
    """The CPU time that a process has used, in seconds; `None` while it waits to run, or is gone."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_SLEEPING:
            times = process.cpu_times()
            return float(times.user + times.system)
    return None


def started_at(pid: int) -> float | None:
    """When a process was started, in seconds since the epoch; None if there is none."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    return None


def end(pid: int) -> None:
    """End a process: with SIGTERM, and with SIGKILL where that does not help."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(timeout=_GRACE)
            return
        process.kill()
        process.wait(timeout=_GRACE)

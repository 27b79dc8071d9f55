"""The scheduler: a process that looks at the schedules of a project until it is ended. One at a time leads."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from stagebook.errors import StagebookError, UsageError
from stagebook.scheduling.dispatcher import LOOK, Dispatcher
from stagebook.scheduling.expecting import Missed
from stagebook.scheduling.news import News
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.places import Place, Places
from stagebook.scheduling.starting import Processes
from stagebook.scheduling.telling import Say, Telling
from stagebook.system.files import make_private, write_whole
from stagebook.workspace.paths import STATE_FOLDER

_LOCK = "scheduler.lock"  # held by the one that leads; the system frees it when that ends, however it does
_EXPECT = 30.0  # seconds between looks at what is expected
_WHO = "scheduler.json"  # says who that is
_MOMENT = 0.5  # seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The scheduler that leads. `since` is in seconds since the epoch."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def leader_of(root: Path) -> Leader | None:
    """The scheduler that leads in the project at `root`; `None` where none does."""
    lock = filelock.FileLock(root / STATE_FOLDER / _LOCK)
    if not (root / STATE_FOLDER / _LOCK).exists():
        return None
    try:
        with lock.acquire(timeout=0):
            return None
    except filelock.Timeout:
        return _who(root) or Leader(pid=0, host="?", since=0.0)
    except OSError:  # nobody may write here, so nobody can tell
        return None


def _who(root: Path) -> Leader | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Leader(**json.loads((root / STATE_FOLDER / _WHO).read_bytes()))
    return None


class Scheduler:
    """Runs the schedules of the project at `root`. `jobs`: stages at a time, in all runs together; `say` takes lines."""

    def __init__(self, root: Path, *, jobs: int, say: Say) -> None:
        self._root = root
        self._say = say
        self._wake = threading.Event()
        self._ends = False
        self._places = Places(root)
        self._expects_at = 0.0
        self._missed: dict[str, Missed] = {}
        self._noting = Noting(root)
        self._telling = Telling(say)
        self._dispatcher = Dispatcher(
            Processes(root, self._wake.set),
            clock=time.time,
            steady=time.monotonic,
            mark=News(root, time.monotonic).mark,
            jobs=jobs,
            say=say,
        )

    def run(self) -> None:
        """Lead until SIGINT or SIGTERM comes; where another one leads, wait for its end. Runs that go on then go on by
        themselves, and a later scheduler takes them up."""
        with self._signals():
            lock = self._lead(wait=True)
            if lock is None:
                return
            with lock:
                while not self._ends:
                    seconds = self._look()
                    self._wake.wait(seconds)
                    self._wake.clear()
        left = self._dispatcher.going_on
        self._dispatcher.close()
        self._say(f"ended{f'; {left} of its runs go on by themselves' if left else ''}")

    def once(self) -> None:
        """Start what is due now, and wait until it is over.

        Raises:
            UsageError: another scheduler leads.
        """
        with self._signals():
            lock = self._lead(wait=False)
            if lock is None:
                msg = f"a scheduler leads in this project: {_who(self._root) or 'another process'}"
                raise UsageError(msg, hint="it does what is due")
            with lock:
                self._look()
                while self._dispatcher.going_on and not self._ends:
                    self._wake.wait(LOOK)
                    self._wake.clear()
                    self._look(settles=False)
        self._dispatcher.close()

    def end(self) -> None:
        """Have it end, from a signal or from another thread."""
        self._ends = True
        self._wake.set()

    def _look(self, *, settles: bool = True) -> float:
        try:
            places = self._places.all()
            seconds = self._dispatcher.look(places, settles=settles)
            if settles and time.monotonic() >= self._expects_at:
                self._expects_at = time.monotonic() + _EXPECT
                self._expect(places)
        except StagebookError as error:  # what is wrong is told, and may be mended while this goes on
            self._say(f"! {error}")
            return LOOK
        return seconds

    def _expect(self, places: Sequence[Place]) -> None:
        """Note what is not as it is expected, and tell it, once each, and that it is again."""
        found: dict[str, Missed] = {}
        for place in places:
            try:
                found |= {str(one): one for one in self._noting.look(place)}
            except StagebookError as error:  # of one place: the others are looked at all the same
                name = (place.environment, "expected")
                self._telling.once(name, f"! {place.environment}: {error.message}")
                found |= {
                    text: one
                    for text, one in self._missed.items()
                    if one.one.environment == place.environment
                }
        for text in found:
            if text not in self._missed:
                self._say(f"! {text}")
        for text, one in self._missed.items():
            if text not in found:
                self._say(f"as expected again: {one.one} ({one.kind})")
        self._missed = found

    def _lead(self, *, wait: bool) -> filelock.BaseFileLock | None:
        """The lock of the one that leads, held; `None` where it is another's, or where this one ends first."""
        make_private(self._root / STATE_FOLDER)
        lock = filelock.FileLock(self._root / STATE_FOLDER / _LOCK)
        told = ""
        while not self._ends:
            with contextlib.suppress(filelock.Timeout):
                # Who looks whether there is a leader holds it for a moment, too.
                lock.acquire(timeout=_MOMENT)
                one = Leader(pid=os.getpid(), host=socket.gethostname(), since=time.time())
                data = json.dumps(dataclasses.asdict(one)).encode()
                write_whole(self._root / STATE_FOLDER / _WHO, data, mode=0o600)
                return lock
            if not wait:
                return None
            other = str(_who(self._root) or "another process")
            if other != told:
                self._say(f"{other} leads; waiting for its end")
            told = other
            self._wake.wait(1.0 - _MOMENT)
        return None

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(_number: int, _frame: object) -> None:
            self.end()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Callable[..., object] | int | None] = {
            number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

"""Who runs a pipeline: one process at a time, whatever happens to it.

The owner gives a sign of life in the journal (its beat). One that is gone is replaced at once; one
that is stopped, or on another machine, once its beat stood still for `LEASE` seconds. Whatever a run
writes, it writes in a transaction that first looks whether it is still the owner: a process that was
stopped, and comes back after another one took over, changes nothing any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from stagebook.errors import JournalUnreadable, PipelineBusy
from stagebook.events import RunStarted
from stagebook.record.journal import Journal, Life, Owner

BEAT = 1.0  # seconds
LEASE = 8.0  # seconds without a beat, after which an owner of which nothing else is known is replaced
_POLL = 0.25  # seconds


def this_process() -> Owner:
    """This process, as the owner of a run."""
    return Owner(pid=os.getpid(), started=psutil.Process().create_time(), host=socket.gethostname())


def life_of(owner: Owner) -> Life:
    """What is known of an owner without waiting."""
    if owner.host != socket.gethostname():
        return Life.UNSURE
    try:
        process = psutil.Process(owner.pid)
        status = process.status()
        if abs(process.create_time() - owner.started) >= 1.0 or status == psutil.STATUS_ZOMBIE:
            return Life.DEAD
    except psutil.NoSuchProcess:
        return Life.DEAD
    except psutil.Error:
        return Life.UNSURE
    return Life.UNSURE if status == psutil.STATUS_STOPPED else Life.ALIVE


def take_ownership(
    journal: Journal,
    event: RunStarted,
    *,
    clock: Callable[[], float],
    wait: bool = False,
    waiting: Callable[[PipelineBusy], None] = lambda _busy: None,
) -> RunStarted:
    """Begin a run as the owner of its pipeline; its event, with the time at which it began.

    With `wait` this goes on until the pipeline is free, and `waiting` is told once for each run that is
    waited for.

    Raises:
        PipelineBusy: another process owns it, and `wait` was not asked for.
    """
    told: set[str] = set()
    seen: dict[tuple[str, int], float] = {}
    presumed_dead: tuple[str, int] | None = None
    while True:
        event = dataclasses.replace(event, at=clock())
        try:
            journal.begin(event, this_process(), life_of, presumed_dead=presumed_dead)
        except PipelineBusy as busy:
            if busy.run not in told and (wait or busy.unsure):
                told.add(busy.run)
                waiting(busy)
            now = time.monotonic()
            since = seen.setdefault((busy.run, busy.beat), now)
            still = sum(1 for run, _ in seen if run == busy.run) == 1
            if busy.unsure and now - since >= LEASE:
                presumed_dead = (busy.run, busy.beat)
            elif not wait and not (busy.unsure and still):
                raise
            time.sleep(_POLL)
        else:
            return event


@contextlib.contextmanager
def heartbeat(path: Path, run: str) -> Iterator[None]:
    """Give signs of life of a run, from a thread and through a connection of its own."""
    done = threading.Event()

    def beat() -> None:
        with contextlib.suppress(JournalUnreadable):
            journal = Journal(path)
            try:
                while not done.wait(BEAT):
                    with contextlib.suppress(JournalUnreadable):  # busy: the next beat tells
                        journal.beat(run)
            finally:
                journal.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

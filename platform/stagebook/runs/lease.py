"""Who runs a pipeline: one process at a time, whatever happens to it.

The owner gives a sign of life in the journal (its beat). One that is gone is replaced at once; one
that is stopped, or out of sight, once its beat stood still for `LEASE` seconds. Whatever a run
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stagebook.errors import JournalUnreadable, PipelineBusy
from stagebook.events import Event, RunStarted
from stagebook.journal.journal import Journal, Liveness, Owner

BEAT = 1.0  # seconds
LEASE = 8.0  # seconds without a beat, after which an owner of which nothing else is known is replaced
_POLL = 0.25  # seconds


# -- who is there -------------------------------------------------------------------------------


def this_process() -> Owner:
    """This process, as the owner of a run."""
    import psutil  # noqa: PLC0415 - start-up cost: commands that only look come here for no run

    pid = os.getpid()
    return Owner(
        pid=pid,
        started=psutil.Process().create_time(),
        host=socket.gethostname(),
        mark=" ".join([*_place(), _look(pid)[1]]) if _place() else "",
    )


def liveness_of(owner: Owner) -> Liveness:
    """What is known of an owner without waiting."""
    here, there = _place(), owner.mark.split(" ")
    if not here or len(there) != 3:
        return _life_by_time(owner)
    if there[0] != here[0]:  # the machine was started anew, or it is another one
        return Liveness.DEAD if owner.host == socket.gethostname() else Liveness.UNSURE
    if there[1] != here[1]:
        return Liveness.UNSURE
    try:
        state, start = _look(owner.pid)
    except (FileNotFoundError, ProcessLookupError):
        return Liveness.UNSURE if _is_hidden(owner.pid) else Liveness.DEAD
    except (OSError, IndexError):
        return Liveness.UNSURE
    if start != there[2] or state in "ZX":
        return Liveness.DEAD
    return Liveness.UNSURE if state in "Tt" else Liveness.ALIVE


def _place() -> tuple[str, ...]:
    """What tells where a process id means the same (Linux): the boot of the machine, and the name space.
    Unlike the time at which a process was started, it does not change when the clock is set."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return (boot, os.readlink("/proc/self/ns/pid"))
    except OSError:
        return ()


def _look(pid: int) -> tuple[str, str]:
    """The state of a process, and its start in ticks since the boot: fields 3 and 22 of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    return fields[0].decode(), fields[19].decode()


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of another user that /proc does not show (its option `hidepid`)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _life_by_time(owner: Owner) -> Liveness:
    """What is known of an owner where there is no mark to compare."""
    if owner.host != socket.gethostname():
        return Liveness.UNSURE
    import psutil  # noqa: PLC0415 - as in `this_process`

    try:
        process = psutil.Process(owner.pid)
        status = process.status()
        if abs(process.create_time() - owner.started) >= 1.0 or status == psutil.STATUS_ZOMBIE:
            return Liveness.DEAD
    except psutil.NoSuchProcess:
        return Liveness.DEAD
    except psutil.Error:
        return Liveness.UNSURE
    return Liveness.UNSURE if status == psutil.STATUS_STOPPED else Liveness.ALIVE


# -- to become the owner, and to stay it --------------------------------------------------------


def take_ownership(
    journal: Journal,
    event: RunStarted,
    *,
    clock: Callable[[], float],
    wait: bool = False,
    waiting: Callable[[PipelineBusy], None] = lambda _busy: None,
    then: Sequence[Event] = (),
) -> RunStarted:
    """Begin a run as the owner of its pipeline; its event, with the time at which it began. `then`: events of the run
    that are written with it, all or none.

    With `wait` this goes on until the pipeline is free, and `waiting` is told once for each run that is
    waited for.

    Raises:
        PipelineBusy: another process owns it, and `wait` was not asked for.
        JournalUnreadable: another process holds the journal for longer than anything takes.
    """
    told: set[str] = set()
    seen: dict[tuple[str, int], float] = {}
    presumed_dead: tuple[str, int] | None = None
    while True:
        event = dataclasses.replace(event, at=clock())
        try:
            journal.begin(event, this_process(), liveness_of, presumed_dead=presumed_dead, then=then)
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
        except JournalUnreadable as error:
            raise _say_who_holds(journal, error) from error
        else:
            return event


def _say_who_holds(journal: Journal, error: JournalUnreadable) -> JournalUnreadable:
    """The same error; where a process holds the journal that is stopped, with its name."""
    with contextlib.suppress(JournalUnreadable):
        for lease in journal.leases.all() if error.locked else ():
            if lease.owner is not None and lease.liveness(liveness_of) is Liveness.UNSURE:
                pid, host = lease.owner.pid, lease.owner.host
                msg = f"the process {pid} on {host} holds the journal; it is stopped, or out of sight"
                return JournalUnreadable(
                    msg, hint=f"let it go on: kill -CONT {pid}; or end it: kill -9 {pid}"
                )
    return error


def outwait(
    journal: Journal, run: str, *, clock: Callable[[], float], waiting: Callable[[], None] = lambda: None
) -> None:
    """Where the owner of a run is stopped or out of sight, wait for a sign of life. If there is none for
    `LEASE` seconds, the run is marked as interrupted. Raises `JournalUnreadable`, as `take_ownership`."""
    first: int | None = None
    began = time.monotonic()
    while lease := next((lease for lease in journal.leases.all() if lease.run == run), None):
        if lease.liveness(liveness_of) is not Liveness.UNSURE or first not in {None, lease.beat}:
            return
        if first is None:
            first = lease.beat
            waiting()
        if time.monotonic() - began >= LEASE:
            try:
                journal.close_abandoned(liveness_of, clock(), presumed_dead=(run, lease.beat))
            except JournalUnreadable as error:
                raise _say_who_holds(journal, error) from error
            return
        time.sleep(_POLL)


@contextlib.contextmanager
def heartbeat(path: Path, run: str) -> Iterator[None]:
    """Give signs of life of a run, from a thread and through a connection of its own."""
    done = threading.Event()

    def beat() -> None:
        journal: Journal | None = None
        while not done.wait(BEAT):
            with contextlib.suppress(JournalUnreadable):  # busy: the next beat tells
                journal = journal or Journal(path)
                journal.leases.beat(run)
        if journal is not None:
            journal.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

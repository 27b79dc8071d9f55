"""Stopping a run that another process goes on with, on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from stagebook.errors import RunNotFound, UsageError
from stagebook.journal.journal import Liveness, Owner, RunRecord
from stagebook.runs.history import History
from stagebook.runs.lease import liveness_of
from stagebook.system.files import make_private, write_whole
from stagebook.system.processes import signal_name
from stagebook.workspace.paths import STATE_FOLDER

_ASKED = "cancelled-by"  # in the folder of a run: who asked it to end, which its signal does not say


def going_on(history: History, name: str | None = None) -> RunRecord:
    """The run with this id, or the one of this pipeline that goes on; without a name, the only one of all.
    A point of a sweep stands for the sweep, whose process it is.

    Raises:
        RunNotFound: none goes on.
        UsageError: more than one does, and none was named.
    """
    holds = {run for run, _ in history.journal.leases.owners()} if history.has_journal else set()
    runs = [history.find(run) for run in sorted(holds)]
    found = [run for run in runs if name is None or name in {run.id, run.pipeline}]
    if not found and name is not None:
        try:
            run = history.find(name)
        except RunNotFound as error:
            msg = f"no run '{name}' goes on, and none of a pipeline of that name"
            raise RunNotFound(msg, hint="see: stagebook runs") from error
        return history.find(run.parent) if run.parent and run.ended is None else run
    if not found:
        raise RunNotFound("no run goes on", hint="see: stagebook runs")
    if len(found) > 1:
        msg = f"{len(found)} runs go on: {', '.join(run.id for run in found)}"
        raise UsageError(msg, hint="name one of them")
    return found[0]


def cancel(history: History, run: RunRecord, by: str = "") -> Owner:
    """Ask the process of a run to stop, in the name of a person; which one that was. Asked again, it ends at once, without
    letting stages come to an end.

    Raises:
        UsageError: the run is over, its process is gone, or it is on another machine.
    """
    if run.ended is not None:
        raise UsageError(f"the run {run.id} is over: {run.status}")
    if not run.origin.signals:
        msg = f"the run {run.id} goes on within another program, process {run.origin.pid}"
        raise UsageError(msg, hint="stop it there: a signal would end the whole program")
    owner = dict(history.journal.leases.owners()).get(run.parent or run.id)
    gone = UsageError(f"the process of the run {run.id} is gone", hint="see: stagebook doctor")
    if owner is None:
        raise gone
    if owner.host != socket.gethostname():
        msg = f"the run {run.id} goes on on another machine, {owner.host}"
        raise UsageError(msg, hint=f"there: kill {owner.pid}")
    try:
        # What it stands for stays the same process, also if that ends and another one gets its id.
        handle = os.pidfd_open(owner.pid) if hasattr(os, "pidfd_open") else None
    except OSError as error:
        raise gone from error
    try:
        life = liveness_of(owner)
        if life is Liveness.DEAD:
            raise gone
        _note(history.root, run.parent or run.id, by)
        _send(owner.pid, handle, signal.SIGTERM)
        if life is Liveness.UNSURE:
            _send(owner.pid, handle, signal.SIGCONT)  # a process that is stopped can not end
    except OSError as error:
        raise gone from error
    finally:
        if handle is not None:
            os.close(handle)
    return owner


def who_cancelled(root: Path, runs: Sequence[str]) -> str:
    """Who asked one of these runs to end; empty where nobody said so."""
    for run in filter(None, runs):
        with contextlib.suppress(OSError):
            return (_folder(root, run) / _ASKED).read_text(encoding="utf-8", errors="replace").strip()
    return ""


def why_cancelled(root: Path, runs: Sequence[str], number: int) -> str:
    """Why one of these runs ends that a signal asked to: by whom, where somebody said so."""
    by = who_cancelled(root, runs)
    if by:
        return f"cancelled by {by}"
    return (
        "interrupted from the keyboard"
        if number == signal.SIGINT
        else f"asked to end by {signal_name(number)}"
    )


def _note(root: Path, run: str, by: str) -> None:
    if by:
        with contextlib.suppress(OSError):  # a full disk keeps nobody from cancelling
            make_private(_folder(root, run))
            write_whole(_folder(root, run) / _ASKED, by.encode())


def _folder(root: Path, run: str) -> Path:
    return root / STATE_FOLDER / "runs" / run


def _send(pid: int, handle: int | None, number: signal.Signals) -> None:
    if handle is not None:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(pid, number)

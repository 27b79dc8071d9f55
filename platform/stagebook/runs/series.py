"""Several runs of a pipeline under one that owns it: a sweep, a backfill."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator

from stagebook.events import RunEnded, RunStarted, Status
from stagebook.runs.cancel import why_cancelled
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.launcher import Launcher
from stagebook.runs.lease import heartbeat, take_ownership
from stagebook.runs.run import let_go
from stagebook.tracking.delivery import Delivery


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What several runs came to: `reason` says why not all were run; `undelivered` records MLflow has yet to be told."""

    status: Status
    reason: str = ""
    undelivered: int = 0


def run_series(
    launcher: Launcher,
    started: RunStarted,
    hooks: LaunchHooks,
    each: Callable[[Delivery | None], tuple[Status, str]],
    *,
    wait: bool = False,
) -> Series:
    """Own the pipeline as the run that `started`, while `each` runs what belongs to it; that tells the status and why.

    Raises:
        PipelineBusy: the pipeline is being run, and `wait` was not asked for.
    """
    journal, run = launcher.journal, started.run
    take_ownership(journal, started, clock=launcher.now, wait=wait, waiting=hooks.waiting)
    delivery = launcher.delivery()
    status, reason = Status.FAILED, ""
    undelivered = 0
    asked = [int(signal.SIGINT)]
    try:
        with heartbeat(journal.path, run), _interrupted_by_signals(asked):
            if delivery is not None:
                delivery.start(run)
            status, reason = each(delivery)
    except KeyboardInterrupt:
        status, reason = Status.CANCELLED, why_cancelled(launcher.root, (run,), asked[-1])
    finally:
        journal.append([RunEnded(run=run, at=launcher.now(), status=status, reason=reason)], owner=run)
        launcher.cool_down()
        if delivery is not None:
            undelivered = let_go(delivery, behind=hooks.behind)
    return Series(status=status, reason=reason, undelivered=undelivered)


@contextlib.contextmanager
def _interrupted_by_signals(asked: list[int]) -> Iterator[None]:
    """What asks this process to end interrupts it, as Ctrl-C does, so that it can end what it started, and say why. The signals are
    added to `asked`. A run within has handlers of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [
        number for name in names if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

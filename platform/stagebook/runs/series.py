"""Several runs of a pipeline under one that owns it: a sweep, a backfill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from stagebook.events import RunEnded, RunStarted, Status
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
    try:
        with heartbeat(journal.path, run):
            if delivery is not None:
                delivery.start(run)
            status, reason = each(delivery)
    except KeyboardInterrupt:
        status, reason = Status.CANCELLED, "interrupted from the keyboard"
    finally:
        journal.append([RunEnded(run=run, at=launcher.now(), status=status, reason=reason)], owner=run)
        launcher.cool_down()
        if delivery is not None:
            undelivered = let_go(delivery, behind=hooks.behind)
    return Series(status=status, reason=reason, undelivered=undelivered)

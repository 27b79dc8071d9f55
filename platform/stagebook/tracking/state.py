"""How far MLflow has been told."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from stagebook.journal.journal import MLFLOW
from stagebook.journal.outbox import Outbox


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrackingState:
    """How far MLflow has been told, of a run or of the project.

    Args:
        left: how many records it has yet to get.
        reason: why it did not take them, in one line; empty where nothing is known.
        passed_over: what it does not take, however often it is told, and why.
        behind: a process goes on to deliver what is left.
    """

    left: int = 0
    reason: str = ""
    passed_over: Sequence[str] = ()
    behind: bool = False


def state_of_runs(outbox: Outbox, runs: Collection[str]) -> TrackingState:
    """What MLflow did not take of these runs. Records that it is about to get are not told, only those that it refused."""
    left = outbox.count_pending(MLFLOW) if outbox.trouble(MLFLOW) else 0
    known = outbox.passed_over(MLFLOW)
    passed_over = tuple(f"{of}: {what}" for of, what in known if of in runs)
    return TrackingState(left=left, reason=outbox.trouble(MLFLOW) if left else "", passed_over=passed_over)


def state_of(outbox: Outbox, left: int, *, run: str | None = None, behind: bool = False) -> TrackingState:
    """The state of a run, or of all, of which `left` records are left."""
    passed_over = outbox.passed_over(MLFLOW, run)
    return TrackingState(
        left=left,
        reason=outbox.trouble(MLFLOW) if left else "",
        passed_over=tuple(what if run else f"{of}: {what}" for of, what in passed_over),
        behind=behind,
    )

"""Which ends of the stages before it let a stage start. Pure.

The words are those of Airflow's trigger rules
(https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html#trigger-rules).
"""

from __future__ import annotations

import dataclasses
import enum

from stagebook.pipeline.model import Trigger


class Readiness(enum.Enum):
    """Whether a stage may start, by its trigger."""

    GO = "go"
    WAIT = "wait"
    SKIP = "skip"
    BLOCK = "block"


@dataclasses.dataclass(slots=True)
class Upstream:
    """How many of the stages before one are still open, and how the others ended. `skipped` counts
    those that a condition left out; what was not selected counts as good (see `events.Status`)."""

    waiting: int = 0
    good: int = 0
    skipped: int = 0
    failed: int = 0


# Triggers that ask how other stages ended: these stages start after a failure too, when no other does.
AFTERMATH: frozenset[Trigger] = frozenset({"all_done", "one_failed", "all_failed"})

SKIPPED_BECAUSE: dict[Trigger, str] = {
    "one_failed": "nothing before it failed",
    "all_failed": "not everything before it failed",
    "one_success": "nothing before it ran",
}


def readiness(trigger: Trigger, ends: Upstream) -> Readiness:
    """Whether a stage may start, as soon as the stages that are still open cannot change that."""
    match trigger:
        case "all_success":
            if ends.failed:
                return Readiness.BLOCK
            return Readiness.WAIT if ends.waiting else (Readiness.SKIP if ends.skipped else Readiness.GO)
        case "none_failed":
            return Readiness.BLOCK if ends.failed else (Readiness.WAIT if ends.waiting else Readiness.GO)
        case "all_done":
            return Readiness.WAIT if ends.waiting else Readiness.GO
        case "one_failed":
            return Readiness.GO if ends.failed else (Readiness.WAIT if ends.waiting else Readiness.SKIP)
        case "all_failed":
            if ends.good or ends.skipped:
                return Readiness.SKIP
            return Readiness.WAIT if ends.waiting else Readiness.GO
        case "one_success":
            if ends.good:
                return Readiness.GO
            return Readiness.WAIT if ends.waiting else (Readiness.BLOCK if ends.failed else Readiness.SKIP)

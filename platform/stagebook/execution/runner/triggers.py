"""Which ends of the stages before it let a stage start. Pure.

The words are those of Airflow's trigger rules
(https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html#trigger-rules).
"""

from __future__ import annotations

import dataclasses
import enum

from stagebook.pipeline.model import Trigger


class Says(enum.Enum):
    """What a trigger says of a stage."""

    GO = "go"
    WAIT = "wait"
    SKIP = "skip"
    BLOCK = "block"


@dataclasses.dataclass(slots=True)
class Ends:
    """How many of the stages before one are still open, and how the others ended. `skipped` counts
    those that a condition left out; what was not selected counts as good."""

    waiting: int = 0
    good: int = 0
    skipped: int = 0
    failed: int = 0


# These are there for what others came to: they start after a failure too, when nothing else does.
AFTERMATH: frozenset[Trigger] = frozenset({"all_done", "one_failed", "all_failed"})

SKIPPED_BECAUSE: dict[Trigger, str] = {
    "one_failed": "nothing before it failed",
    "all_failed": "not everything before it failed",
    "one_success": "nothing before it ran",
}


def says(trigger: Trigger, ends: Ends) -> Says:
    """What a trigger says, as soon as nothing that is still open can change it."""
    match trigger:
        case "all_success":
            if ends.failed:
                return Says.BLOCK
            return Says.WAIT if ends.waiting else (Says.SKIP if ends.skipped else Says.GO)
        case "none_failed":
            return Says.BLOCK if ends.failed else (Says.WAIT if ends.waiting else Says.GO)
        case "all_done":
            return Says.WAIT if ends.waiting else Says.GO
        case "one_failed":
            return Says.GO if ends.failed else (Says.WAIT if ends.waiting else Says.SKIP)
        case "all_failed":
            if ends.good or ends.skipped:
                return Says.SKIP
            return Says.WAIT if ends.waiting else Says.GO
        case "one_success":
            if ends.good:
                return Says.GO
            return Says.WAIT if ends.waiting else (Says.BLOCK if ends.failed else Says.SKIP)

"""What can become of a run, a stage, an attempt and a cell."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """The state of a stage instance, or of a run. Those from COMPLETED on are final."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"  # a further attempt follows after a delay
    COMPLETED = "completed"
    REUSED = "reused"
    FAILED = "failed"
    BLOCKED = "blocked"  # could not start, because of another stage or a stop
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process vanished; found out afterwards

    @property
    def is_final(self) -> bool:
        """Whether the status cannot change any more."""
        return self not in {Status.PENDING, Status.RUNNING, Status.RETRYING}

    @property
    def is_good(self) -> bool:
        """Whether the stages after it may use its outputs."""
        return self in {Status.COMPLETED, Status.REUSED, Status.SKIPPED}


class Cause(enum.StrEnum):
    """Why an attempt did not complete."""

    EXCEPTION = "exception"  # a cell raised
    KERNEL_DIED = "kernel_died"
    KERNEL_START = "kernel_start"  # the kernel did not come up
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    PARAMS = "params"  # a value that is known only now does not fit
    NOTEBOOK = "notebook"  # the notebook cannot be read
    SECRET = "secret"  # noqa: S105 - a secret that the stage asks for is not there
    OUTPUT_MISSING = "output_missing"
    CONTRACT = "contract"  # an output does not fulfil its contract
    BOOKMARK = "bookmark"  # nobody can say how far the stage has read
    TABLE = "table"  # what was written does not go into its Delta table
    UNDECLARED = "undeclared"  # a strict stage read files that are not declared as its inputs
    PUBLICATION = "publication"  # outputs could not be moved to their places
    DISK = "disk"  # the executed notebook could not be saved
    WORKER_DIED = "worker_died"
    INTERNAL = "internal"  # a fault of the platform


class CellStatus(enum.StrEnum):
    """What became of a cell; the words are papermill's where it has one."""

    PENDING = "pending"  # never ran
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

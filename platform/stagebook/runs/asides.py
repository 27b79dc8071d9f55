"""Outputs that a run was writing in their places when it was killed: what was there before is put back."""

from __future__ import annotations

from pathlib import Path

from stagebook.events import AttemptEnded, AttemptStarted
from stagebook.execution.runner import asides
from stagebook.journal.journal import Journal


def put_back(root: Path, journal: Journal) -> list[str]:
    """Put back what runs that are over had moved aside; the paths of the outputs."""

    def outcome(run: str, stage: str, number: int) -> bool | None:
        record = journal.runs.find(run)
        if record is not None and record.ended is None:
            return None
        return not is_unfinished(journal, run, stage, number, unknown=True)

    return asides.recover(root, outcome)


def is_unfinished(journal: Journal, run: str, stage: str, number: int, *, unknown: bool = False) -> bool:
    """Whether an attempt began and the journal does not have that it completed: the runner was killed, or something else
    that the attempt wrote could not be published. `unknown`: the answer where the journal does not have that it began."""
    own = [
        event
        for _, event in journal.events.of(run)
        if isinstance(event, AttemptStarted | AttemptEnded)
        and (event.stage, event.attempt) == (stage, number)
    ]
    completed = any(isinstance(event, AttemptEnded) and event.cause is None for event in own)
    return not completed if own else unknown

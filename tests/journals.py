"""Owners of runs, events of runs and damage, for tests of what is in a journal."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from stagebook import events
from stagebook.artifact import Artifact
from stagebook.events import RunStarted
from stagebook.journal.journal import Liveness, Owner

HERE = Owner(pid=1, started=1.0, host="here")
OTHER = Owner(pid=2, started=2.0, host="here", mark="boot 1 2")


def alive(_owner: Owner) -> Liveness:
    return Liveness.ALIVE


def dead(_owner: Owner) -> Liveness:
    return Liveness.DEAD


def unsure(_owner: Owner) -> Liveness:
    return Liveness.UNSURE


def started(name: str = "r", pipeline: str = "p", at: float = 10.0) -> RunStarted:
    return RunStarted(run=name, at=at, pipeline=pipeline, plan={"params": {"x": 1}, "stages": []})


def ended(stage_name: str, fingerprint: str, run_name: str = "r", at: float = 11.0) -> events.AttemptEnded:
    outputs = {"out": Artifact(path=f"{stage_name}.txt", sha256="0" * 64, size=1, kept=True)}
    return events.AttemptEnded(
        run=run_name, at=at, stage=stage_name, attempt=1, seconds=1.0, outputs=outputs,
        fingerprint=fingerprint, head=f"head of {fingerprint}", parts={"params": {"x": 1}},
    )  # fmt: skip


def alter(path: Path, statement: str) -> None:
    """Change a journal behind its back."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)

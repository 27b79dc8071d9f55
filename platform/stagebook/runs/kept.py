"""What failed stages left for a look afterwards: dumps for a debugger, and kernels that are alive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import RunNotFound
from stagebook.journal.history import StageRecord
from stagebook.journal.journal import RunRecord
from stagebook.runs.history import History
from stagebook.system.processes import end, started_at


def dump_of(history: History, run: RunRecord, stage: str) -> Path:
    """The dump that a failed stage left for a debugger. Raises `RunNotFound`."""
    record = history.stage(run, stage)
    path = history.root / record.folder / record.dump
    if not record.dump or not path.is_file():
        what = "did not fail" if record.cause is None else "left no dump"
        msg = f"the stage '{stage}' of the run {run.id} {what}"
        raise RunNotFound(msg, hint="run it with: stagebook run --debug-on-failure")
    return path


def kept_kernels(history: History) -> list[tuple[RunRecord, StageRecord]]:
    """The kernels that failed stages left alive, the latest runs first."""
    if not history.has_journal:
        return []
    found = []
    for name in history.journal.events.runs_with_kernels():
        run = history.find(name)
        stages = history.of(run).stages.values()
        found += [(run, stage) for stage in stages if stage.kernel and _is_alive(stage.kernel)]
    return found


def end_kernel(history: History, run: RunRecord, stage: str) -> bool:
    """End a kernel that was kept; whether there was one."""
    kernel = history.stage(run, stage).kernel
    if kernel is None or not _is_alive(kernel):
        return False
    end(kernel["pid"])
    shutil.rmtree(Path(kernel["connection_file"]).parent, ignore_errors=True)  # made for it alone
    return True


def _is_alive(kernel: Mapping[str, Any]) -> bool:
    """Whether a kept kernel is still there: a process of that id may be another one by now."""
    at = started_at(kernel["pid"])
    return at is not None and abs(at - kernel["started"]) < 1.0

"""After a worker was killed: the result of its attempt, and the statuses in its notebook."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.events import Cause, CellStatus
from stagebook.execution.attempt import WORKER_LOG_FILE, AttemptResult
from stagebook.system import processes
from stagebook.system.files import write_whole


def explain(code: int, asked: Cause | None, timeout: float | None, seconds: float) -> AttemptResult:
    """The result of an attempt whose worker ended with `code` without sending one. `asked`: why it was asked to
    end, if it was. Times are in seconds."""
    if asked is Cause.CANCELLED:
        return AttemptResult(cause=asked, message="cancelled; it had to be killed", seconds=seconds)
    if asked is Cause.TIMEOUT:
        return AttemptResult(
            cause=asked, message=f"not done after {timeout:g} s, and killed", seconds=seconds
        )
    how = f"was killed by {processes.signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
    message = f"the process of the stage {how}; see {WORKER_LOG_FILE} in its folder"
    if code == -signal.SIGKILL:
        message += " (out of memory?)"
    return AttemptResult(cause=Cause.WORKER_DIED, message=message, seconds=seconds)


def settle(path: Path, statuses: Mapping[int, CellStatus], cause: Cause, message: str) -> None:
    """Write into a notebook what its worker sent of its cells before it ended.

    `statuses` are by code cell, counted from 1; one that was running has failed. The last save may be older:
    outputs after it are in the log alone. A file that is missing, or cannot be written, stays as it is.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        notebook: dict[str, Any] = json.loads(path.read_bytes())
        number = 0
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
                continue
            number += 1
            status = statuses.get(number, CellStatus.PENDING)
            if status is CellStatus.RUNNING:
                status = CellStatus.FAILED
            meta = cell["metadata"].setdefault("papermill", {})
            meta["status"] = str(status)
            if status is not CellStatus.PENDING:
                meta["exception"] = status is CellStatus.FAILED
        notebook["metadata"].setdefault("papermill", {})["exception"] = True
        notebook["metadata"]["stagebook"] = {"cause": str(cause), "message": message}
        write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False).encode(), durable=True)

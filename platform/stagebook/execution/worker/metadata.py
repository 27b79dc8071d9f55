"""The metadata of an executed notebook: papermill's keys, and what Stagebook adds."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from stagebook.events import CellStatus
from stagebook.execution.attempt import Attempt
from stagebook.execution.worker.profile import Usage

_MAX_TRACEBACK = 20_000  # characters


def new_node(**values: Any) -> NotebookNode:
    """A mapping as notebooks have it."""
    return NotebookNode(values)  # type: ignore[no-untyped-call]


def now() -> datetime.datetime:
    """The time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def executes(cell: NotebookNode) -> bool:
    """Whether there is code to run in a cell."""
    return bool(cell.cell_type == "code" and cell.source.strip())


def reset(notebook: NotebookNode, attempt: Attempt, *, kernel: str, started: datetime.datetime) -> None:
    """Before the first cell: all cells are pending and without outputs."""
    meta = notebook.metadata.setdefault("papermill", new_node())
    meta.update(
        input_path=attempt.notebook,
        output_path=None,
        start_time=started.isoformat(),
        end_time=None,
        duration=None,
        exception=None,
    )
    meta["parameters"] = json.loads(json.dumps(attempt.values))
    spec = notebook.metadata.kernelspec
    if kernel != spec.name:
        spec.update(name=kernel, display_name=kernel)
    for cell in notebook.cells:
        cell.metadata["papermill"] = new_node(
            exception=None, start_time=None, end_time=None, duration=None, status=str(CellStatus.PENDING)
        )
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None


def begin_cell(cell: NotebookNode) -> None:
    """A cell starts to run."""
    status = str(CellStatus.RUNNING)
    cell.metadata.papermill.update(status=status, start_time=now().isoformat(), exception=False)


def end_cell(cell: NotebookNode, status: CellStatus, seconds: float, used: Usage) -> None:
    """A cell ended."""
    cell.metadata.papermill.update(
        status=str(status),
        end_time=now().isoformat(),
        duration=seconds,
        exception=status is CellStatus.FAILED,
    )
    cell.metadata.papermill["profile"] = used.to_json()


def settle(notebook: NotebookNode, about: Mapping[str, Any], *, started: datetime.datetime) -> None:
    """After the last cell: what became of the notebook as a whole."""
    ended = now()
    notebook.metadata.papermill.update(
        end_time=ended.isoformat(),
        duration=max(0.0, (ended - started).total_seconds()),  # the clock may have been set back
        exception=about["cause"] is not None,
    )
    notebook.metadata["stagebook"] = about


def traceback_of(cell: NotebookNode) -> str:
    """The traceback of a failed cell, empty where there is none. Of a long one there are the beginning, with the line
    of the cell, and the end: 20,000 characters together."""
    for output in reversed(cell.get("outputs", [])):
        if output.get("output_type") == "error":
            text = "\n".join(output.get("traceback", ()))
            if len(text) <= _MAX_TRACEBACK:
                return text
            half = _MAX_TRACEBACK // 2
            return f"{text[:half]}\x1b[0m\n   …\n{text[-half:]}"
    return ""

"""What a stage came to in a test: outputs, scraps, cells, and why it failed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.audits import Audits, CheckResult, Severity
from stagebook.comparing.notebooks import code_cells
from stagebook.events import AttemptEnded, Cause, CellStatus
from stagebook.execution.attempt import LOG_FILE, NOTEBOOK_FILE
from stagebook.scraps import file_of
from stagebook.testing import frames
from stagebook.views.formatting import plain

SCRAPS_FOLDER = "scraps"  # in that of an attempt
_LAST_LINES = 15  # of the log, in the message of a failure
_TRACEBACK_LINES = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A code cell that was executed, or not. `number` counts the code cells of the notebook from 1, without the one that
    values are passed in. `text`: what it printed and showed, as text. `status` is one of `CellStatus`."""

    number: int
    source: str
    text: str
    status: str
    seconds: float

    @property
    def is_executed(self) -> bool:
        """Whether it began."""
        return self.status in {CellStatus.COMPLETED, CellStatus.FAILED}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageError:
    """Why a stage failed. `cause` is a word of `events.Cause`; `cell` is the number of the failing `CellResult`; `ename` and
    `evalue` are the name and the text of the exception, both empty where no cell raised."""

    cause: str
    message: str
    cell: int | None = None
    ename: str = ""
    evalue: str = ""
    traceback: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a stage came to.

    Args:
        stage: its id, such as `train@forest-8`.
        status: `completed` or `failed`.
        outputs: where each output is, by name; of one outside of the project its text. Empty where the stage failed.
        scraps: values by name: a DataFrame of a table, of a display the path of its file.
        notebook: the executed notebook, as nbformat has it.
        cells: its code cells.
        text: all that it printed.
        params: what the notebook was given.
        audits: what the contracts of the outputs came to, by output.
        error: why it failed; `None` where it completed.
        seconds: how long the attempt took.
        folder: the folder of the attempt.
    """

    stage: str
    status: str
    outputs: Mapping[str, Path | str]
    scraps: Mapping[str, Any]
    notebook: Mapping[str, Any]
    cells: Sequence[CellResult]
    text: str
    params: Mapping[str, Any]
    audits: Audits
    error: StageError | None
    seconds: float
    folder: Path

    def frame(self, output: str, **options: Any) -> Any:
        """An output that is a table, as a pandas DataFrame; `options` go to the function of pandas that reads it. Raises
        `UsageError`."""
        return frames.read(Path(self.outputs[output]), **options)

    @property
    def broken(self) -> list[CheckResult]:
        """The checks of contracts that do not hold, the gravest first."""
        return [
            check
            for severity in reversed(Severity)
            for audit in self.audits.values()
            for check in audit.broken(severity)
        ]


class StageFailed(AssertionError):
    """A stage failed in a test; `result` has all that is known of it."""

    def __init__(self, result: StageResult) -> None:
        super().__init__("\n".join(_lines(result)))
        self.result = result


def result_of(
    stage: str,
    ended: AttemptEnded,
    params: Mapping[str, Any],
    folder: Path,
    outputs: Mapping[str, Path | str],
) -> StageResult:
    """What became of an attempt, by its end and by the files in its `folder`. `outputs` are those that it published."""
    notebook = _read(folder / NOTEBOOK_FILE)
    cells = tuple(cells_of(notebook))
    return StageResult(
        stage=stage,
        status="completed" if ended.cause is None else "failed",
        outputs=outputs if ended.cause is None else {},
        scraps={name: _scrap(one, folder) for name, one in ended.scraps.items()},
        notebook=notebook,
        cells=cells,
        text=_text(folder / LOG_FILE),
        params=params,
        audits=ended.audits,
        error=_error(ended, cells, notebook) if ended.cause is not None else None,
        seconds=ended.seconds,
        folder=folder,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # the attempt never began
        return {"cells": [], "metadata": {}}
    return dict(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _scrap(scrap: Mapping[str, Any], folder: Path) -> Any:
    """The value of a scrap: a frame for a table, the path of the file for a display."""
    if not (name := file_of(scrap)):
        return scrap.get("value")
    path = folder / SCRAPS_FOLDER / name
    match scrap.get("kind"):
        case "pandas":
            return frames.read(path)
        case "display":
            return path
    return json.loads(path.read_bytes())


def cells_of(notebook: Mapping[str, Any]) -> Iterator[CellResult]:
    """The code cells of an executed notebook."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        told = cell["metadata"].get("papermill", {})
        yield CellResult(
            number=number,
            source="".join(cell["source"]),
            text="".join(map(_shown, cell.get("outputs", []))),
            status=str(told.get("status") or CellStatus.PENDING),
            seconds=float(told.get("duration") or 0.0),
        )


def _shown(output: Mapping[str, Any]) -> str:
    """An output of a cell as text."""
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return plain("\n".join(output.get("traceback", ()))) + "\n"
    text = "".join(output.get("data", {}).get("text/plain", ""))
    return f"{text}\n" if text else ""


def _error(ended: AttemptEnded, cells: Sequence[CellResult], notebook: Mapping[str, Any]) -> StageError:
    failed = next((cell for cell in cells if cell.status == CellStatus.FAILED), None)
    raised: Mapping[str, Any] = next(
        (
            output
            for cell in notebook["cells"]
            for output in cell.get("outputs", ())
            if output["output_type"] == "error" and ended.cause is Cause.EXCEPTION
        ),
        {},
    )
    return StageError(
        cause=str(ended.cause),
        message=plain(ended.message),
        cell=failed.number if failed is not None else None,
        ename=str(raised.get("ename", "")),
        evalue=plain(str(raised.get("evalue", ""))),
        traceback=plain(ended.traceback),
    )


# -- the message of a failure ----------------------------------------------------------------------


def _lines(result: StageResult) -> Iterator[str]:
    error = result.error
    assert error is not None
    notebook = result.notebook["metadata"].get("papermill", {}).get("input_path", "its notebook")
    where = f", cell {error.cell}" if error.cell else ""
    yield f"{result.stage} failed ({error.cause}) in {notebook}{where}: {error.message}"
    if error.cell:
        source = next(cell.source for cell in result.cells if cell.number == error.cell)
        yield from ("", *(f"    {line}" for line in source.splitlines()))
    if error.traceback:
        lines = error.traceback.splitlines()
        yield from ("", *lines[-_TRACEBACK_LINES:])
    for check in result.broken:
        yield f"  contract, {check.severity}: {check.rule}: {check.message or check.text}"
        yield from (f"      {dict(row)}" for row in check.sample[:3])
    printed = [line for line in result.text.splitlines() if line.strip()]
    if printed and not error.traceback:
        yield from (
            "",
            "the last lines that it printed:",
            *(f"    {line}" for line in printed[-_LAST_LINES:]),
        )
    yield from ("", f"the executed notebook is {result.folder / NOTEBOOK_FILE}")

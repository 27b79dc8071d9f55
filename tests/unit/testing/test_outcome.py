from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.events import AttemptEnded, Cause
from stagebook.testing.outcome import StageFailed, StageResult, result_of

RAISED = {
    "output_type": "error",
    "ename": "ValueError",
    "evalue": "\x1b[31mbad\x1b[0m",
    "traceback": ["\x1b[31mline\x1b[0m"],
}


def code(source: str, status: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    meta = {"tags": list(tags), "papermill": {"status": status, "duration": 0.5}}
    return {"cell_type": "code", "source": source, "metadata": meta, "outputs": list(outputs)}


def executed(folder: Path, *cells: dict[str, Any]) -> Path:
    notebook = {"cells": list(cells), "metadata": {"papermill": {"input_path": "notebooks/n.ipynb"}}}
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    (folder / "log.txt").write_text("hello\n")
    return folder


def ended(**more: Any) -> AttemptEnded:
    return AttemptEnded(**{"run": "r", "at": 0.0, "stage": "s", "attempt": 1, "seconds": 1.5, **more})


def outcome(folder: Path, end: AttemptEnded) -> StageResult:
    return result_of("s", end, {"x": 1}, folder, {"out": folder / "out.csv"})


def test_the_cells_are_those_of_the_notebook_itself(tmp_path: Path) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]}
    shown = {"output_type": "execute_result", "data": {"text/plain": "3"}}
    folder = executed(
        tmp_path,
        code("x = 1", "completed", tags=("parameters",)),
        code("x = 2", "completed", tags=("injected-parameters",)),
        {"cell_type": "markdown", "source": "# title", "metadata": {}},
        code("  ", "completed"),
        code("print(1, 2); 3", "completed", stream, shown),
        code("later()", "pending"),
    )
    done = outcome(folder, ended())
    assert [(cell.number, cell.source, cell.is_executed) for cell in done.cells] == [
        (1, "x = 1", True),
        (2, "print(1, 2); 3", True),
        (3, "later()", False),
    ]
    assert done.cells[1].text == "1\n2\n3\n"
    assert done.cells[1].seconds == 0.5
    assert (done.status, done.error, done.text, done.params) == ("completed", None, "hello\n", {"x": 1})
    assert done.outputs == {"out": tmp_path / "out.csv"}


def test_scraps_are_values(tmp_path: Path) -> None:
    (tmp_path / "scraps").mkdir()
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "scraps/t.parquet")
    (tmp_path / "scraps/long.json").write_text("[1, 2]")
    scraps = {
        "rows": {"kind": "json", "value": 3},
        "table": {"kind": "pandas", "file": "t.parquet"},
        "long": {"kind": "json", "file": "long.json"},
        "plot": {"kind": "display", "file": "p.png"},
    }
    found = outcome(executed(tmp_path), ended(scraps=scraps)).scraps
    assert found["rows"] == 3
    assert found["table"]["x"].tolist() == [1]
    assert found["long"] == [1, 2]
    assert found["plot"] == tmp_path / "scraps/p.png"


def test_a_cell_that_raised(tmp_path: Path) -> None:
    folder = executed(
        tmp_path, code("x = 1", "completed"), code("f(\n  x)", "failed", RAISED), code("y", "pending")
    )
    failed = outcome(
        folder,
        ended(cause=Cause.EXCEPTION, message="ValueError: bad", cell=2, traceback="\x1b[31mline 1\x1b[0m"),
    )
    error = failed.error
    assert error is not None
    assert (error.cause, error.cell, error.ename, error.evalue) == ("exception", 2, "ValueError", "bad")
    assert failed.outputs == {}
    assert str(StageFailed(failed)).splitlines() == [
        "s failed (exception) in notebooks/n.ipynb, cell 2: ValueError: bad",
        "",
        "    f(",
        "      x)",
        "",
        "line 1",
        "",
        f"the executed notebook is {tmp_path / 'notebook.ipynb'}",
    ]


def test_what_is_no_fault_of_a_cell(tmp_path: Path) -> None:
    folder = executed(tmp_path, code("x = 1", "completed"))
    failed = outcome(folder, ended(cause=Cause.OUTPUT_MISSING, message="'out' was not written"))
    assert failed.error is not None
    assert failed.error.cell is None
    text = str(StageFailed(failed))
    assert "s failed (output_missing) in notebooks/n.ipynb: 'out' was not written" in text
    assert "the last lines that it printed:\n    hello" in text


def test_an_attempt_that_never_began(tmp_path: Path) -> None:
    failed = outcome(tmp_path, ended(cause=Cause.DISK, message="no room"))
    assert (failed.cells, failed.text) == ((), "")
    assert "s failed (disk) in its notebook: no room" in str(StageFailed(failed))


def check(rule: str, severity: Severity, outcome: Outcome = Outcome.BROKEN) -> CheckResult:
    return CheckResult(rule=rule, text=rule, severity=severity, outcome=outcome, sample=({"x": 1},))


def test_the_checks_that_do_not_hold_the_gravest_first(tmp_path: Path) -> None:
    checks = (check("a", Severity.WARN), check("b", Severity.FAIL), check("c", Severity.FAIL, Outcome.PASSED))
    audit = Audit(dataset="p.s.out", contract="c", version="1", digest="", rows=1, checks=checks)
    failed = outcome(executed(tmp_path), ended(cause=Cause.CONTRACT, message="b", audits={"out": audit}))
    assert [one.rule for one in failed.broken] == ["b", "a"]
    text = str(StageFailed(failed))
    assert "  contract, fail: b: b\n      {'x': 1}\n  contract, warn: a: a" in text


def test_an_output_is_read_as_a_frame(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("x\n1\n")
    done = outcome(executed(tmp_path), ended())
    assert done.frame("out")["x"].tolist() == [1]
    with pytest.raises(KeyError):
        done.frame("other")

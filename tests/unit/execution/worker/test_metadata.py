"""The metadata of an executed notebook: what papermill's readers look for, and what Stagebook adds."""

from __future__ import annotations

import datetime
import json
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from building import notebook_data
from stagebook.events import CellStatus
from stagebook.execution.attempt import Attempt
from stagebook.execution.worker import metadata
from stagebook.execution.worker.profile import Usage

START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def notebook(*cells: str) -> NotebookNode:
    made = nbformat.from_dict(notebook_data(*cells))  # type: ignore[no-untyped-call]
    assert isinstance(made, NotebookNode)
    return made


def attempt(**values: Any) -> Attempt:
    return Attempt(
        run="r",
        pipeline="p",
        stage="a",
        number=1,
        root="",
        folder="",
        notebook="notebooks/a.ipynb",
        executable="notebooks/a.ipynb",
        params=values,
    )


def begun(*cells: str, **values: Any) -> NotebookNode:
    made = notebook(*cells)
    metadata.reset(made, attempt(**values), kernel="python3", started=START)
    return made


def as_saved(made: NotebookNode) -> dict[str, Any]:
    nbformat.validate(made)
    data: dict[str, Any] = json.loads(nbformat.writes(made))  # type: ignore[no-untyped-call]
    return data


def test_a_notebook_begins_without_anything_of_an_earlier_run() -> None:
    made = notebook("x", "#md text")
    made.cells[0].outputs = [nbformat.v4.new_output("stream", text="old")]  # type: ignore[no-untyped-call]
    made.cells[0].execution_count = 7
    made.metadata["papermill"] = metadata.new_node(version="2.6", exception=True, duration=9.0)
    made.cells[0].metadata["papermill"] = metadata.new_node(status="failed", exception=True)
    metadata.reset(made, attempt(n=[1, {"k": None}]), kernel="other", started=START)
    saved = as_saved(made)
    assert saved["metadata"]["kernelspec"]["name"] == "other"
    assert saved["metadata"]["papermill"] == {
        "version": "2.6", "input_path": "notebooks/a.ipynb", "output_path": None, "start_time": "2026-01-02T03:04:05+00:00",
        "end_time": None, "duration": None, "exception": None, "parameters": {"n": [1, {"k": None}]},
    }  # fmt: skip
    code, text = saved["cells"]
    assert (code["outputs"], code["execution_count"]) == ([], None)
    for cell in (code, text):
        assert cell["metadata"]["papermill"]["status"] == "pending"
        assert cell["metadata"]["papermill"]["exception"] is None
    assert "outputs" not in text


def test_the_parameters_in_a_notebook_are_a_copy_of_those_of_the_run() -> None:
    values = {"n": [1]}
    made = begun("x", **values)
    made.metadata.papermill.parameters.n.append(2)
    assert values == {"n": [1]}


@pytest.mark.parametrize("status", [CellStatus.COMPLETED, CellStatus.FAILED])
def test_a_cell_is_running_until_its_end_says_what_became_of_it(status: CellStatus) -> None:
    made = begun("x", "y")
    metadata.begin_cell(made.cells[0])
    running = as_saved(made)["cells"][0]["metadata"]["papermill"]
    assert (running["status"], running["exception"], running["end_time"]) == ("running", False, None)
    metadata.end_cell(made.cells[0], status, 1.5, Usage(cpu=1.23456, memory=7))
    ended, untouched = (cell["metadata"]["papermill"] for cell in as_saved(made)["cells"])
    assert (ended["status"], ended["duration"], ended["exception"]) == (
        str(status),
        1.5,
        status is CellStatus.FAILED,
    )
    assert ended["profile"] == {"cpu_seconds": 1.235, "peak_memory": 7}
    first, last = (datetime.datetime.fromisoformat(ended[name]) for name in ("start_time", "end_time"))
    assert first <= last
    assert first.utcoffset() == datetime.timedelta(0)
    assert untouched["status"] == "pending"


@pytest.mark.parametrize("word", [None, "timeout"])
def test_the_end_says_what_became_of_the_notebook(word: str | None) -> None:
    made = begun("x")
    usage = Usage(cpu=2.0, memory=9)
    about = {"cause": word, "message": "why", "executor": "kernel", "profile": usage.to_json()}
    metadata.settle(made, about, started=START)
    meta = as_saved(made)["metadata"]
    assert meta["papermill"]["exception"] is (word is not None)
    ended = datetime.datetime.fromisoformat(meta["papermill"]["end_time"])
    assert meta["papermill"]["duration"] == (ended - START).total_seconds()
    assert meta["stagebook"] == {
        "cause": word, "message": "why", "executor": "kernel", "profile": {"cpu_seconds": 2.0, "peak_memory": 9},
    }  # fmt: skip


def test_only_code_is_executed() -> None:
    made = notebook("x = 1", " \n\t", "#md x = 1", "# a comment")
    assert [metadata.executes(cell) for cell in made.cells] == [True, False, False, True]


def test_the_traceback_of_a_cell_is_the_beginning_and_end_of_its_last_error() -> None:
    (cell,) = notebook("x").cells
    assert metadata.traceback_of(cell) == ""
    for lines in (["first"], ["begins", "a" * 30_000, "second"]):
        error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=lines)  # type: ignore[no-untyped-call]
        cell.outputs += [error, nbformat.v4.new_output("stream", text="after")]  # type: ignore[no-untyped-call]
    found = metadata.traceback_of(cell)
    assert (found[:8], found[-8:]) == ("begins\na", "a\nsecond")
    assert len(found) == 20_000 + len("\x1b[0m\n   …\n")
    assert metadata.traceback_of(notebook("#md x").cells[0]) == ""

"""Case executed-notebook-invalid: an executed notebook is valid, whatever the source lacks."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from building import ProjectBuilder, notebook_data
from stagebook.events import Status
from stagebook.pipeline.notebook_file import parse_notebook

SPEC = {"name": "python3", "display_name": "Python 3"}
CELL = {
    "cell_type": "code",
    "id": "a",
    "metadata": {},
    "source": "print(1)",
    "outputs": [],
    "execution_count": None,
}
OLD = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": ""},
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {"cell_type": "code", "collapsed": False, "input": "print(1)", "language": "python", "metadata": {}, "outputs": []}
            ],
        }
    ],
}  # fmt: skip


def notebook(about: dict[str, Any], cell: dict[str, Any] | None = None, minor: int = 5) -> dict[str, Any]:
    return {
        "nbformat": 4,
        "nbformat_minor": minor,
        "metadata": about,
        "cells": [CELL if cell is None else cell],
    }


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CELL.items() if name not in names}


SOURCES = {
    "without a kernel": notebook({}),
    "without the kernel's title": notebook({"kernelspec": {"name": "python3"}}),
    "with a kernel of nothing": notebook({"kernelspec": {}}),
    "with a language of nothing": notebook({"kernelspec": SPEC, "language_info": {}}),
    "without an id": notebook({"kernelspec": SPEC}, without("id")),
    "without a count": notebook({"kernelspec": SPEC}, without("execution_count")),
    "of an older format": notebook({"kernelspec": SPEC}, without("id"), minor=0),
    "of an older format, with an id": notebook({"kernelspec": SPEC}, minor=4),
}


@pytest.mark.kernel
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_an_executed_notebook_is_valid(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    stages = ["stages:"]
    for at, source in enumerate(SOURCES.values()):
        builder.file(f"notebooks/n{at}.ipynb", json.dumps(source))
        stages.append(f"  n{at}: {{notebook: notebooks/n{at}.ipynb, executor: {executor}}}")
    builder.pipeline("\n".join(stages))
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    for at, name in enumerate(SOURCES):
        executed = builder.executed(report.run, f"n{at}")
        nbformat.validate(executed)
        assert executed["metadata"]["kernelspec"]["display_name"], name
        outputs = executed["cells"][-1]["outputs"]
        assert [output["text"] for output in outputs] == [["1\n"]], name


def made_of(source: dict[str, Any]) -> Any:
    from stagebook.execution.worker.papermill_engine import to_node

    return to_node(parse_notebook(json.dumps(source).encode()), None)


def test_what_is_there_stays() -> None:
    sound = notebook_data("print(1)", "#md text", params="x = 1")
    sound["metadata"]["language_info"] = {"name": "python", "version": "3"}
    sound["metadata"]["kernelspec"]["language"] = "python"
    made = made_of(sound)
    assert json.loads(json.dumps(made)) == sound


@pytest.mark.parametrize(
    "source", [*SOURCES.values(), notebook({"kernelspec": None}), notebook({}, without("outputs")), OLD]
)
def test_what_the_format_demands_is_added(source: dict[str, Any]) -> None:
    made = made_of(source)
    nbformat.validate(made)
    spec = made.metadata.kernelspec
    assert spec == {**SPEC, "display_name": spec.display_name, "language": "python"}
    assert made.cells[0].source == "print(1)"
    assert made.cells[0].outputs == []

"""Notebooks as other tools write them: they run, or `check` says what is wrong with them (odd-notebooks-pass-check,
odd_metadata, executed-notebook-invalid, databricks_source, foreign_kernel_hint, cwd)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from building import ProjectBuilder, notebook_data
from commands import stagebook
from stagebook.events import Status
from stagebook.runs.run import RunReport

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])

Change = Callable[[dict[str, Any]], object]

ODD: dict[str, Change] = {
    "outputs and counts are missing": lambda nb: [
        nb["cells"][1].pop(key) for key in ("outputs", "execution_count")
    ],
    "outputs are null": lambda nb: nb["cells"][1].update(outputs=None, execution_count="3"),
    "no minor": lambda nb: nb.pop("nbformat_minor"),
    "a minor that is text": lambda nb: nb.update(nbformat_minor="5"),
    "a minor to come": lambda nb: nb.update(nbformat_minor=9),
    "cells without ids": lambda nb: [cell.pop("id") for cell in nb["cells"]],
    "ids twice": lambda nb: [cell.update(id="a b") for cell in nb["cells"]],
    "metadata is missing": lambda nb: nb.pop("metadata"),
    "metadata is null": lambda nb: nb.update(metadata=None),
    "kernelspec is null": lambda nb: nb["metadata"].update(kernelspec=None),
    "kernelspec is text": lambda nb: nb["metadata"].update(kernelspec="python3"),
    "kernelspec is a list": lambda nb: nb["metadata"].update(kernelspec=["python3"]),
    "a kernel without a display name": lambda nb: nb["metadata"].update(kernelspec={"name": "python3"}),
    "a kernel without a name": lambda nb: nb["metadata"].update(kernelspec={"name": None, "display_name": 3}),
    "language_info is null": lambda nb: nb["metadata"].update(language_info=None),
    "language_info without a name": lambda nb: nb["metadata"].update(language_info={"version": "3"}),
    "tags are null": lambda nb: nb["cells"][1]["metadata"].update(tags=None),
    "tags are text": lambda nb: nb["cells"][0]["metadata"].update(tags="parameters"),
    "tags of all kinds": lambda nb: nb["cells"][1]["metadata"].update(tags=[1, None, "a", "a"]),
    "a cell without metadata": lambda nb: nb["cells"][1].pop("metadata"),
    "metadata of a cell is a list": lambda nb: nb["cells"][1].update(metadata=[]),
    "papermill's metadata is null": lambda nb: [
        holder["metadata"].update(papermill=None) for holder in (nb, nb["cells"][1])
    ],
    "a source of lines": lambda nb: nb["cells"][1].update(source=["import json\n", "print('n is', n)"]),
    "keys of Colab": lambda nb: (
        nb["metadata"].update(colab={"provenance": []}, accelerator="GPU"),
        nb["cells"][1].update(metadata={"id": "aB3", "colab": {"base_uri": "x"}}, colab_type="code"),
    ),
    "text with the tag": lambda nb: nb["cells"].insert(
        0,
        {"cell_type": "markdown", "metadata": {"tags": ["parameters"]}, "source": "# Parameters", "id": "t"},
    ),
}


def _write(builder: ProjectBuilder, executor: str, content: bytes) -> None:
    builder.without_tracking()
    builder.file("notebooks/a.ipynb", content)
    builder.pipeline(
        f"stages: {{a: {{notebook: notebooks/a.ipynb, executor: {executor}, params: {{n: 7}}}}}}"
    )


def _printed(builder: ProjectBuilder, report: RunReport) -> str:
    """What the stage printed; its executed notebook is one."""
    stage = report.history.stages["a"]
    assert report.status is Status.COMPLETED, stage.message
    file = builder.root / stage.folder / "notebook.ipynb"
    nbformat.validate(nbformat.read(file, nbformat.NO_CONVERT))
    return (builder.root / stage.folder / "log.txt").read_text()


@EXECUTORS
@pytest.mark.parametrize("name", ODD)
def test_an_odd_notebook_runs(builder: ProjectBuilder, name: str, executor: str) -> None:
    data = copy.deepcopy(notebook_data("print('n is', n)", params="n = 1"))
    ODD[name](data)
    _write(builder, executor, json.dumps(data).encode())
    assert _printed(builder, builder.project.run("p")) == "n is 7\n"


OLD = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["Old"]},
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": "n = 1",
                    "language": "python",
                    "metadata": {"tags": ["parameters"]},
                    "outputs": [],
                    "prompt_number": 1,
                },
                {"cell_type": "markdown", "metadata": {}, "source": "text"},
            ],
        },
        {
            "cells": [
                {
                    "cell_type": "code",
                    "input": ["print('n is', n)"],
                    "language": "python",
                    "outputs": [{"output_type": "stream", "stream": "stdout", "text": "x"}],
                }
            ]
        },
    ],
}


@EXECUTORS
@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + json.dumps(OLD).encode(), json.dumps(OLD).encode()])
def test_a_notebook_of_nbformat_3_is_upgraded(builder: ProjectBuilder, executor: str, content: bytes) -> None:
    _write(builder, executor, content)
    report = builder.project.run("p")
    assert _printed(builder, report) == "n is 7\n"
    cells = builder.executed(report.run, "a")["cells"]
    assert "".join(cells[0]["source"]) == "## Old"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(notebook_data("1")).encode("utf-16"), "is UTF-16 and not UTF-8 text"),
        (
            json.dumps(notebook_data("1", "print('\ud83d')")).encode(),
            r"holds half a character (\ud83d) in cell 2",
        ),
        (json.dumps(notebook_data("#md \udc00", "1")).encode(), "in the markdown cell at place 1"),
        (
            json.dumps({"nbformat": 4, "cells": [{"source": "1"}]}).encode(),
            "the cell at place 1 has no type",
        ),
        (json.dumps({"nbformat": 4, "cells": [[]]}).encode(), "the cell at place 1 has no type"),
        (json.dumps({"nbformat": 4, "cells": []}).encode(), "has no code to run"),
        (json.dumps(notebook_data("# only\n\n# this", "#md text", "")).encode(), "has no code to run"),
    ],
)
def test_what_cannot_run_is_a_mistake(builder: ProjectBuilder, content: bytes, said: str) -> None:
    builder.without_tracking()
    builder.file("notebooks/a.ipynb", content)
    screen = builder.screen("stages: {a: {notebook: notebooks/a.ipynb}}")
    assert screen.startswith("pipelines/p.yaml:1:14: 'notebooks/a.ipynb' ")
    assert said in screen
    assert len(screen.splitlines()) == 2, "it says what to do"


def test_metadata_of_half_a_character_holds_nothing_up(builder: ProjectBuilder) -> None:
    data = notebook_data("print('n is', n)", params="n = 1")
    data["metadata"]["title"] = "\ud83d"
    data["cells"][1]["metadata"]["name \udc00"] = ["\ud83d"]
    _write(builder, "kernel", json.dumps(data).encode())
    assert _printed(builder, builder.project.run("p")) == "n is 7\n"


SCRIPTS = {
    "a.py": "\ufeff# %% tags=['parameters']\nn = 1\n\n# %%\nprint('n is', n)\n",
    "spyder.py": "#%% tags=['parameters']\nn = 1\n#%%\nprint('n is', n)\n",
    "light.py": '# + tags=["parameters"]\nn = 1\n\n# + [markdown]\n# Text\n\n# +\nprint("n is", n)\n# -\n',
    "header.py": (
        "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       extension: .py\n#       format_name: light\n"
        '# ---\n\n# + tags=["parameters"]\nn = 1\n# -\n\n# Text\n\nprint("n is", n)\n'
    ),
    "plain.md": '# T\n\n```python tags=["parameters"]\nn = 1\n```\n\n```python\nprint("n is", n)\n```\n',
    "myst.md": "# T\n\n```{code-cell} ipython3\n:tags: [parameters]\n\nn = 1\n```\n\n```{code-cell}\nprint('n is', n)\n```\n",
    "fabric.py": (
        "# Fabric notebook source\n\n# METADATA ********************\n\n# META {}\n\n# MARKDOWN ********************\n\n# # T\n\n"
        "# PARAMETERS CELL ********************\n\nn = 1\n\n# METADATA ********************\n\n# META {}\n\n"
        "# CELL ********************\n\nprint('n is', n)\n"
    ),
}


@EXECUTORS
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_in_another_format_runs(builder: ProjectBuilder, name: str, executor: str) -> None:
    builder.without_tracking()
    builder.file(f"notebooks/{name}", SCRIPTS[name])
    builder.pipeline(f"stages: {{a: {{notebook: notebooks/{name}, executor: {executor}, params: {{n: 7}}}}}}")
    assert _printed(builder, builder.project.run("p")) == "n is 7\n"


DATABRICKS = """\
# Databricks notebook source
# MAGIC %md
# MAGIC # Orders

# COMMAND ----------

print("one")

# COMMAND ----------

# MAGIC %sql select 1
# MAGIC from orders
"""


@EXECUTORS
@pytest.mark.long
def test_no_cell_of_a_databricks_source_is_skipped(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.file("notebooks/a.py", DATABRICKS)
    builder.pipeline(f"stages: {{a: {{notebook: notebooks/a.py, executor: {executor}}}}}")
    said = stagebook(builder.root, "check").stdout
    assert "'notebooks/a.py': cell 2 begins with %sql, which only Databricks knows" in said
    report = builder.project.run("p")
    assert (report.status, report.history.stages["a"].cell) == (Status.FAILED, 2)
    builder.file("notebooks/a.py", DATABRICKS[: DATABRICKS.rindex("# COMMAND")])
    assert "no problems" in stagebook(builder.root, "check").stdout
    report = builder.project.run("p")
    assert _printed(builder, report) == "one\n"
    kinds = [cell["cell_type"] for cell in builder.executed(report.run, "a")["cells"]]
    assert kinds == ["markdown", "code"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.md", "# Text\n\n```bash\n```\n\nno code\n", ("has no code to run", "code stands between")),
        ("a.md", "```{python}\nprint(1)\n```\n", ("has no code to run",)),
        ("a.py", "# %% [markdown]\n# Text\n", ("has no code to run", "start its cells with '# %%'")),
        ("a.py", "# only comments\n", ("has no code to run",)),
        (
            "a.py",
            "import marimo\n\napp = marimo.App()\n\n@app.cell\ndef _():\n    return\n\napp.run()\n",
            ("is a marimo notebook", "marimo export ipynb"),
        ),
    ],
)
def test_nothing_is_green_with_nothing_run(
    builder: ProjectBuilder, name: str, text: str, said: tuple[str, ...]
) -> None:
    builder.without_tracking()
    builder.file(name, text)
    screen = builder.screen(f"stages: {{a: {{notebook: {name}}}}}")
    assert all(part in screen for part in said), screen


def test_code_that_is_only_shown_is_told_of(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("a.md", "```python\nprint(1)\n```\n\n```py\nprint(2)\n```\n")
    builder.pipeline("stages: {a: {notebook: a.md}}")
    said = stagebook(builder.root, "check").stdout
    assert "'a.md': has code after ```py, which is shown and not run" in said


def test_a_notebook_of_another_language_gets_no_python(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.without_tracking()
    data = notebook_data("cat(1)", kernel="ir")
    data["metadata"]["kernelspec"]["language"] = "R"
    builder.file("r.ipynb", json.dumps(data))
    screen = builder.screen("stages: {a: {notebook: r.ipynb}}")
    assert "the kernel 'ir' is not installed here\n    install a kernel for r; those that" in screen
    assert "python3'" not in screen
    screen = builder.screen("stages: {a: {notebook: r.ipynb, kernel: python3}}")
    assert "'r.ipynb' is r, and the kernel 'python3' runs python" in screen
    screen = builder.screen("defaults: {kernel: python3}\nstages: {a: {notebook: r.ipynb}}")
    assert screen.startswith("pipelines/p.yaml:1:12: 'r.ipynb' is r, and the kernel")
    del data["metadata"]["kernelspec"]["name"]
    builder.file("r.ipynb", json.dumps(data))
    assert "'r.ipynb' is r, and names no kernel" in builder.screen("stages: {a: {notebook: r.ipynb}}")
    spec = {"argv": ["r"], "display_name": "R", "language": "R"}
    builder.file("share/kernels/ir32/kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(builder.root / "share"))
    screen = builder.screen("stages: {a: {notebook: r.ipynb}}")
    assert "known: ir32; 'kernel: ir32' in the stage overrides the notebook" in screen
    assert builder.screen("stages: {a: {notebook: r.ipynb, kernel: ir32}}") == ""
    builder.notebook("a", "1")
    screen = builder.screen("stages: {a: {notebook: notebooks/a.ipynb, kernel: ir32}}")
    assert "'notebooks/a.ipynb' is python, and the kernel 'ir32' runs r" in screen


def test_a_path_from_the_folder_of_the_notebook_is_told_of(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("data/x.txt", "1")
    builder.file("notebooks/beside.csv", "1")
    builder.file("notebooks/both.csv", "1")
    builder.file("both.csv", "1")
    builder.notebook(
        "a",
        "1",
        "print(open('../data/x.txt').read())",
        "open('beside.csv'); open('both.csv'); open('new.csv', 'w'); '../../elsewhere/x.csv'",
        params="raw = '../data/y.txt'\nout = '../data/out.txt'",
    )
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/out.txt}}}")
    told = [
        line for line in stagebook(builder.root, "check").stdout.splitlines() if "/a.ipynb' names " in line
    ]
    assert [line.partition(": ")[2] for line in told] == [
        "the default of 'raw' of 'notebooks/a.ipynb' names ../data/y.txt, which leads out of the project root",
        "cell 3 of 'notebooks/a.ipynb' names ../data/x.txt, which leads out of the project root",
        "cell 4 of 'notebooks/a.ipynb' names beside.csv, which is not there in the project folder, where its cells run",
    ]

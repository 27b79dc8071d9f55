"""The executed notebook as an output: what is in it, when it is made anew, and who gets its path."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.events import Status
from stagebook.planning.plan import NextRun

pytestmark = pytest.mark.kernel

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PARAMS = "n = 1\nout = ''"
CELLS = (
    "#md # The report\n\nWith a picture: ![a picture](beside.png)",
    "# a comment that only a document shows\nimport os, warnings\nwarnings.warn('careful')",
    "open(out, 'w').write(str(n))\nprint(os.getcwd(), 'and', out)",
    "from IPython.display import Image, display\ndisplay(Image(data=open('notebooks/beside.png', 'rb').read()))",
)
STAGES = """
defaults: {executor: EXECUTOR}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: 2}
    outputs:
      out: data/out.txt
      page: {path: reports/a.html, kind: notebook}
      plain: {path: reports/plain.html, kind: notebook, code: false}
      text: {path: reports/a.md, kind: notebook}
      bare: {path: reports/bare.md, kind: notebook, code: false}
      nb: {path: reports/a.ipynb, kind: notebook}
  b:
    notebook: notebooks/b.ipynb
    inputs: {page: a.page}
"""
DOCUMENTS = ("a.html", "plain.html", "a.md", "bare.md", "a.ipynb")


def lay_out(builder: ProjectBuilder, executor: str = "inprocess") -> None:
    """A project of a stage that publishes itself in each way, and one that reads the page."""
    builder.without_tracking()
    builder.file("notebooks/beside.png", PNG)
    builder.notebook("a", *CELLS, params=PARAMS)
    builder.notebook("b", "assert 'The report' in open(page).read()", params="page = ''")
    builder.pipeline(STAGES.replace("EXECUTOR", executor))


def run(builder: ProjectBuilder, **options: bool) -> None:
    """A run that completes."""
    report = builder.project.run("p", **options)
    assert report.status is Status.COMPLETED, report.history.stages["a"].message


def read(builder: ProjectBuilder) -> dict[str, str]:
    """The documents, by the names of their files."""
    return {name: (builder.root / "reports" / name).read_text() for name in DOCUMENTS}


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_each_form_has_what_was_executed_and_nothing_of_this_machine(
    builder: ProjectBuilder, executor: str
) -> None:
    lay_out(builder, executor)
    run(builder)
    found = read(builder)
    image = base64.b64encode(PNG).decode()
    for name, text in found.items():
        assert "The report" in text
        assert ". and data/out.txt" in text, name
        assert ("a comment that only" in text) is (name not in {"plain.html", "bare.md"}), name
        assert image in text.replace("\\n", ""), f"the picture is in {name} itself"
        for place in (
            str(builder.root),
            ".stagebook",
            str(Path.home()),
            "ipykernel_",
            "papermill",
            "start_time",
        ):
            assert place not in text, (name, place)
    for name in ("a.html", "plain.html"):
        assert 'src="beside.png"' not in found[name]
        assert "cell:3: UserWarning: careful" in found[name]
    data = json.loads(found["a.ipynb"])
    assert [cell["id"] for cell in data["cells"]] == [f"cell-{at}" for at in range(1, len(CELLS) + 3)]
    assert "out = 'data/out.txt'" in "".join(data["cells"][1]["source"])
    assert "In\xa0[" not in found["plain.html"]


def test_the_same_execution_is_the_same_document(builder: ProjectBuilder) -> None:
    lay_out(builder)
    run(builder)
    first = read(builder)
    run(builder, force=True)
    assert read(builder) == first
    assert {stage.next_run for stage in builder.plan().stages} == {NextRun.UP_TO_DATE}


def test_text_that_no_result_depends_on_makes_it_anew(builder: ProjectBuilder) -> None:
    lay_out(builder)
    run(builder)
    builder.edit("a", "# The report", "# The report of May")
    stage = builder.plan().stage("a")
    assert stage.reasons == ("the text of the notebook changed, which the output page shows",) or (
        stage.reasons[0].startswith("the text of the notebook changed, which the output ")
    )
    run(builder)
    assert "The report of May" in read(builder)["plain.html"]
    builder.pipeline(
        STAGES.replace("EXECUTOR", "inprocess").replace(
            "plain.html, kind: notebook, code: false", "plain.html, kind: notebook"
        )
    )
    assert builder.plan().stage("a").reasons[0] == "the output plain is with its code now"


def test_saving_it_in_the_editor_changes_nothing(builder: ProjectBuilder) -> None:
    lay_out(builder)
    run(builder)
    path = builder.root / "notebooks/a.ipynb"
    data = json.loads(path.read_text())
    data["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "by hand"}]
    data["metadata"]["by"] = "an editor"
    path.write_text(json.dumps(data))
    assert builder.plan().stage("a").next_run is NextRun.UP_TO_DATE


def test_a_stage_that_fails_leaves_the_last_one(builder: ProjectBuilder) -> None:
    lay_out(builder)
    run(builder)
    before = read(builder)
    builder.edit("a", "print(os.getcwd()", "1 / 0; print(os.getcwd()")
    assert builder.project.run("p").status is Status.FAILED
    assert read(builder) == before
    assert sorted(path.name for path in (builder.root / "reports").iterdir()) == sorted(DOCUMENTS)


def test_it_comes_out_of_the_store(builder: ProjectBuilder) -> None:
    lay_out(builder)
    run(builder)
    before = read(builder)
    for name in DOCUMENTS:
        (builder.root / "reports" / name).unlink()
    assert builder.plan().stage("a").next_run is NextRun.RESTORES
    run(builder)
    assert read(builder) == before


def test_its_path_is_passed_where_the_notebook_declares_it(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "import json\nprint(json.dumps([page, product]))", params="page = product = None")
    builder.notebook("b", "print(sorted(name for name in dir() if name in {'page', 'nb'}))")
    builder.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            outputs:
              page: {path: reports/a.html, kind: notebook}
              product: {nb: {path: reports/a.ipynb, kind: notebook}}
          b:
            notebook: notebooks/b.ipynb
            outputs: {page: {path: reports/b.html, kind: notebook}}
          c:
            notebook: notebooks/b.ipynb
            inject: first
            outputs: [{path: reports/c.md, kind: notebook}]
        """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    for stage in ("b", "c"):
        assert "[]" in json.dumps(builder.executed(report.run, stage)["cells"][-1]["outputs"])
    folder = f"{builder.root}/.stagebook/runs/{report.run}/a/1/outputs"
    (said,) = (
        cell["outputs"][0]["text"] for cell in builder.executed(report.run, "a")["cells"] if cell["outputs"]
    )
    assert json.loads("".join(said)) == [f"{folder}/page/a.html", {"nb": f"{folder}/nb/a.ipynb"}]
    assert (
        '["reports/a.html", {"nb": "reports/a.ipynb"}]'
        in json.loads((builder.root / "reports/a.ipynb").read_text())["cells"][-1]["outputs"][0]["text"][0]
    )


def test_secrets_are_not_in_it(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    builder.without_tracking()
    monkeypatch.setenv("STAGEBOOK_SECRET_DB", "open-sesame/42")
    builder.notebook("a", "import os\nprint('it is', os.environ['LOGIN'])\n{'x': os.environ['LOGIN']}")
    builder.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            env: {LOGIN: "${secret.DB}"}
            outputs:
              page: {path: a.html, kind: notebook}
              text: {path: a.md, kind: notebook}
              nb: {path: a.ipynb, kind: notebook}
        """)
    assert builder.project.run("p").status is Status.COMPLETED
    for name in ("a.html", "a.md", "a.ipynb"):
        text = (builder.root / name).read_text()
        assert "it is ***" in text
        assert "sesame" not in text


def test_a_notebook_without_ids_and_with_attachments(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    image = base64.b64encode(PNG).decode()
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": "![it](attachment:it.png)",
            "attachments": {"it.png": {"image/png": image}},
        },
        {"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": None},
    ]
    data = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    builder.file("a.ipynb", json.dumps(data))
    builder.pipeline("""
        stages:
          a:
            notebook: a.ipynb
            outputs: [{path: a.html, kind: notebook}, {path: a.md, kind: notebook}, {path: out.ipynb, kind: notebook}]
        """)
    assert builder.project.run("p").status is Status.COMPLETED
    first = {name: (builder.root / name).read_text() for name in ("a.html", "a.md", "out.ipynb")}
    assert all(image in text for text in first.values())
    assert f"![it](data:image/png;base64,{image})" in first["a.md"]
    assert builder.project.run("p", force=True).status is Status.COMPLETED
    assert {name: (builder.root / name).read_text() for name in first} == first


def test_what_is_no_notebook_has_none_and_no_contract_is_about_one(builder: ProjectBuilder) -> None:
    builder.file("data/x.csv", "1")
    (problem,) = builder.problems("""
        stages:
          a:
            command: [sort, data/x.csv]
            outputs: [{path: reports/a.html, kind: notebook}]
        """)
    assert (problem.line, problem.message) == (
        4,
        "'a' is the executed notebook, and the stage runs the command sort data/x.csv",
    )
    builder.notebook("a", "1")
    builder.file("contracts/p.a.report.yaml", "columns: {x: {type: int}}\n")
    (problem,) = builder.problems("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            outputs: {report: {path: reports/a.html, kind: notebook}}
        """)
    assert (problem.path, problem.message) == (
        "contracts/p.a.report.yaml",
        "'report' is the executed notebook, which has no rows that a contract could be about",
    )


@pytest.mark.long
def test_fifty_megabytes_of_outputs(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook(
        "a",
        "from IPython.display import HTML, display\nfor _ in range(5):\n    display(HTML('<p>' + 'word ' * 1_900_000 + '</p>'))",
    )
    builder.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            executor: inprocess
            outputs: [{path: a.html, kind: notebook}, {path: a.md, kind: notebook}, {path: b.ipynb, kind: notebook}]
        """)
    assert builder.project.run("p").status is Status.COMPLETED
    for name in ("a.html", "a.md", "b.ipynb"):
        assert (builder.root / name).stat().st_size > 47_000_000

"""`stagebook diff`: runs, environments and their versions, releases, the working tree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from commands import looked
from stagebook.comparing.compare import Comparer
from stagebook.comparing.difference import Difference
from stagebook.comparing.sides import Sides
from stagebook.deploying import carry_out, prepare, release_now
from stagebook.errors import RunNotFound, UsageError
from stagebook.project import Project

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

MAKE = """
import pandas as pd
frame = pd.DataFrame({"id": range(rows), "speed": [at % 7 for at in range(rows)]})
frame.to_csv(people, index=False)
open(note, "w").write(f"made {rows}\\nof people\\n")
print("made", rows)
"""
COUNT = """
import scrapbook as sb
sb.glue("rows", len(open(people).readlines()) - 1)
open(total, "w").write("done")
"""
PIPELINE = """
params: {rows: 10}
stages:
  make:
    notebook: notebooks/make.ipynb
    executor: inprocess
    params: {rows: "${params.rows}"}
    outputs: {people: data/people.csv, note: data/note.txt}
  count:
    notebook: notebooks/count.ipynb
    executor: inprocess
    inputs: {people: make.people}
    outputs: {total: data/total.bin}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project whose first run stands in prod, and of which the next run differs."""
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("make", MAKE, params="rows = 0\npeople = ''\nnote = ''")
    builder.notebook("count", COUNT, params="people = ''\ntotal = ''")
    builder.pipeline(PIPELINE)
    return builder


def compared(builder: ProjectBuilder, before: str, after: str = ".") -> Difference:
    project = Project.open(builder.root)
    try:
        sides = Sides(project)
        return Comparer(project.root, project.store).compare(sides.find(before), sides.find(after))
    finally:
        project.close()


def deploy(builder: ProjectBuilder) -> None:
    project = builder.project
    carry_out(prepare(project, "prod", release_now(project, allow_dirty=True)))


@pytest.mark.long
def test_each_side_can_be_compared_with_each(project: ProjectBuilder) -> None:
    first = project.project.run("p")
    deploy(project)
    assert compared(project, "prod").is_same, "what stands in prod is what the working tree holds"
    assert compared(project, first.run, "prod").is_same

    project.edit("make", "% 7", "% 5")
    before_run = compared(project, "prod").pipelines[0]
    assert {one.stage: one.reasons[0] for one in before_run.stages} == {
        "make": "would run: cell 2 changed",
        "count": "waits: data/people.csv changed (input people)",
    }
    assert before_run.datasets == ()

    second = project.project.run("p", {"rows": 8})
    found = compared(project, "prod", second.run).pipelines[0]
    assert [(one.name, one.before, one.after) for one in found.params] == [("rows", 10, 8)]
    assert [(one.name, one.before, one.after) for one in found.metrics] == [("count.rows", 10, 8)]
    assert {one.name: one.what for one in found.datasets} == {
        "make.people": "changed", "make.note": "changed", "count.total": "same",
    }  # fmt: skip
    people, note = found.datasets[:2]
    assert (people.counts, note.lines) == ((10, 8), ("-made 10", "+made 8"))
    cells = {one.stage: one.notebook for one in found.stages}
    assert cells["make"] is not None
    assert [(cell.number, cell.outputs) for cell in cells["make"].cells] == [(2, ("-made 10", "+made 8"))]

    deploy(project)
    versions = compared(project, "prod@1", "prod")
    assert {one.name: one.what for one in versions.pipelines[0].datasets}["make.people"] == "changed"
    release = compared(project, "prod").releases[0]
    assert compared(project, release[:8], "prod@2").is_same
    assert ran(second) == ["make", "count"]


@pytest.mark.long
def test_a_run_in_an_environment_has_its_notebooks_and_data(project: ProjectBuilder) -> None:
    project.project.run("p")
    inside = Project.open(project.root, environment="prod")
    report = inside.run("p", {"rows": 3})
    inside.close()
    found = compared(project, "latest", report.run)
    assert found.after == f"the run {report.run} in prod"
    people = found.pipelines[0].datasets[0]
    assert people.counts == (10, 3)
    notebook = found.pipelines[0].stages[0].notebook
    assert notebook is not None
    assert notebook.cells


@pytest.mark.long
def test_a_failed_run_and_what_is_not_kept_is_told(project: ProjectBuilder) -> None:
    first = project.project.run("p")
    project.edit("count", "sb.glue", "assert False; sb.glue")
    failed = project.project.run("p")
    found = compared(project, first.run, failed.run).pipelines[0]
    assert {one.stage: (one.what, one.reasons) for one in found.stages} == {
        "make": ("same", ()), "count": ("changed", ("now: failed",)),
    }  # fmt: skip
    assert {one.name: one.what for one in found.datasets}["count.total"] == "removed"
    second = project.project.run("p", {"rows": 9})
    for path in (project.root / ".stagebook/store").rglob("*"):
        if path.is_file():
            path.unlink()
    for path in (project.root / ".stagebook/runs").glob(f"{first.run}*/make"):
        shutil.rmtree(path)
    people = compared(project, first.run, second.run).pipelines[0]
    assert people.datasets[0].remark == "one of the two is not in the store any more"
    assert people.stages[0].notebook is not None
    assert people.stages[0].notebook.remark == "executed notebooks: one was not kept"


@pytest.mark.long
def test_what_names_nothing_is_told_with_what_was_meant(project: ProjectBuilder) -> None:
    report = project.project.run("p")
    assert compared(project, report.run[:2]).is_same, "the beginning of the id of the only run"
    for text, message in (
        ("prd", "there is no run, environment or release 'prd'"),
        ("prod", "nothing was published to prod yet"),
        ("prod@x", "'x' is no version"),
    ):
        with pytest.raises(UsageError) as found:
            compared(project, text)
        assert (found.value.message, bool(found.value.hint)) == (message, True)
    project.project.run("p", {"rows": 3})
    with pytest.raises(RunNotFound, match="fits several runs"):
        compared(project, report.run[:2])


@pytest.mark.long
def test_the_command_prints_text_markdown_json_and_a_page(project: ProjectBuilder, tmp_path: Path) -> None:
    first = project.project.run("p")
    second = project.project.run("p", {"rows": 8})
    two = (first.run, second.run)
    shown = looked(project.root, "diff", *two, "--key", "p.make.people=id").stdout
    assert "parameter  rows: 10 → 8 (-2)" in shown
    assert "10 → 8 rows: 2 removed by id" in shown
    assert "metric     count.rows: 10 → 8 (-2)" in shown
    assert "| parameter | rows | 10 → 8 (-2) |" in looked(project.root, "diff", *two, "--markdown").stdout
    data = json.loads(looked(project.root, "diff", *two, "--json").stdout)
    assert (data["same"], data["pipelines"][0]["datasets"][0]["counts"]) == (False, [10, 8])
    page = tmp_path / "page.html"
    assert looked(project.root, "diff", *two, "--html", str(page)).returncode == 0
    assert "<td>rows</td><td>10 → 8 (-2)</td>" in page.read_text()
    assert looked(project.root, "diff", *two, "--exit-code").returncode == 1
    assert looked(project.root, "diff", first.run, first.run, "--exit-code").returncode == 0
    bad = looked(project.root, "diff", *two, "--key", "people")
    assert (bad.returncode, "is no key" in bad.stderr) == (2, True)
    assert "neither side has a pipeline 'q'" in looked(project.root, "diff", *two, "--pipeline", "q").stderr

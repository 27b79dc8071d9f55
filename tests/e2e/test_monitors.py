"""Figures of stages and outputs are kept for each run, and those that are out of the usual are told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from building import ProjectBuilder
from commands import stagebook
from stagebook.events import Status
from stagebook.figures import TableFigures
from tracked import tracked_runs

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

MAKE = """
import csv, datetime
with open(people, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "speed", "day"])
    writer.writerows([f"n{i}", "" if i < empty else 10.0 + i, datetime.date(2026, 1, 1)] for i in range(rows))
"""
PIPELINE = """
params: {rows: 100, empty: 0}
stages:
  make:
    notebook: notebooks/make.ipynb
    executor: inprocess
    params: {rows: "${params.rows}", empty: "${params.empty}"}
    outputs: {people: data/people.csv, note: data/note.txt}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A pipeline whose rows are as many as its parameter says."""
    builder.without_tracking()
    source = MAKE + "open(note, 'w').write('a')\n"
    builder.notebook("make", source, params="rows: int = 0\nempty: int = 0\npeople: str = ''\nnote: str = ''")
    builder.pipeline(PIPELINE)
    return builder


def figures(project: ProjectBuilder, run: str) -> TableFigures:
    """The figures of the output that the journal has of a run."""
    found: TableFigures = project.project.history.stage(project.project.history.find(run), "make").figures[
        "people"
    ]
    return found


def cautions(text: str) -> list[str]:
    """The lines that warn."""
    return [line for line in text.splitlines() if line.startswith("!")]


def monitors(project: ProjectBuilder, *arguments: str) -> dict[str, Any]:
    """What `stagebook monitor --json` gives, by column and figure."""
    done = stagebook(project.root, "monitor", "p", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["monitors"]
    return {f"{one['output']}/{one['column']}/{one['figure']}": one for one in found}


@pytest.mark.long
def test_figures_of_outputs_are_kept_for_each_run(project: ProjectBuilder) -> None:
    report = project.project.run("p", {"empty": 10})
    assert report.status is Status.COMPLETED
    found = figures(project, report.run)
    assert found.rows == 100
    speed = found.columns["speed"]
    assert (speed.type, speed.nulls) == ("DOUBLE", 10)
    assert speed.quantiles[2] == pytest.approx(64.5, abs=1)
    assert (found.columns["day"].type, found.columns["day"].newest) == ("DATE", 1767225600)
    assert found.columns["name"].distinct == pytest.approx(100, rel=0.1)
    again = project.project.run("p", {"empty": 10})
    assert again.history.stages["make"].status is Status.REUSED
    shown = monitors(project)
    assert [point["value"] for point in shown["people//rows"]["points"]] == [100], "what is reused is not new"
    assert shown["note//bytes"]["points"][0]["value"] == 1
    assert set(shown) == {"//seconds", "people//bytes", "people//rows", "note//bytes"}
    columns = monitors(project, "make.people")
    assert columns["people/speed/share of nulls"]["points"][0]["value"] == pytest.approx(0.1)
    wrong = stagebook(project.root, "monitor", "p", "make.peple")
    assert (wrong.returncode, "make.people" in wrong.stderr) == (2, True)


@pytest.mark.long
def test_a_figure_that_is_out_of_the_usual_is_told_and_stops_nothing(project: ProjectBuilder) -> None:
    for rows in (100, 104, 98, 102, 97, 105, 101, 99):
        assert project.project.run("p", {"rows": rows}).status is Status.COMPLETED
    usual = stagebook(project.root, "run", "p", "-p", "rows=103")
    assert (usual.returncode, cautions(usual.stdout)) == (0, [])
    done = stagebook(project.root, "run", "p", "-p", "rows=12", "-p", "empty=5")
    assert done.returncode == 0
    assert "! make.people: rows 12, usually 91 to 111 (9 runs)" in done.stdout
    assert "speed: share of nulls 41.7 %, usually 0 %" in done.stdout
    status = stagebook(project.root, "status", "p")
    assert "! make.people: rows 12, usually" in status.stdout
    told = json.loads(stagebook(project.root, "status", "p", "--json").stdout)["unusual"]["p"]
    assert {(one["column"], one["figure"]) for one in told} >= {("", "rows"), ("speed", "share of nulls")}
    shown = stagebook(project.root, "monitor", "p").stdout
    assert "! 12" in shown
    assert "▁" in shown
    (project.root / "stagebook.toml").write_text("[tracking]\nenabled = false\n[monitors]\nfail = true\n")
    strict = stagebook(project.root, "run", "p", "-p", "rows=11", "--json")
    assert strict.returncode == 1
    last = json.loads(strict.stdout.splitlines()[-1])
    assert (last["status"], bool(last["unusual"])) == ("completed", True)
    (project.root / "stagebook.toml").write_text("[tracking]\nenabled = false\n[monitors]\nenabled = false\n")
    assert cautions(stagebook(project.root, "run", "p", "-p", "rows=9").stdout) == []
    assert project.project.history.stage(project.project.history.find(), "make").figures == {}


@pytest.mark.long
def test_a_distribution_that_moved_is_told_though_it_is_as_wide_as_ever(project: ProjectBuilder) -> None:
    """Every second value goes to the other end: rows, and the lowest and highest values, are as they always were."""
    project.edit("make", "10.0 + i, datetime", "10.0 + (i if i % 2 or not moved else 99 - i // 20), datetime")
    project.edit("make", "empty: int = 0", "empty: int = 0\nmoved: bool = False")
    pipeline = PIPELINE.replace("empty: 0}", "empty: 0, moved: false}").replace(
        'params: {rows: "${params.rows}"', 'params: {moved: "${params.moved}", rows: "${params.rows}"'
    )
    project.pipeline(pipeline)
    for rows in (100, 99, 98, 102, 97, 103, 101, 96, 104):
        report = project.project.run("p", {"rows": rows, "empty": 3})
        assert report.status is Status.COMPLETED
    usual = stagebook(project.root, "run", "p", "-p", "rows=101", "-p", "empty=2")
    assert "drift" not in usual.stdout
    done = stagebook(project.root, "run", "p", "-p", "moved=true", "-p", "empty=3")
    assert done.returncode == 0
    (line,) = [line for line in cautions(done.stdout) if "drift" in line]
    found = re.fullmatch(
        r"! make\.people: speed: drift ([\d.]+) %, usually 0 % to ([\d.]+) % \(9 runs\)", line
    )
    assert found, line
    assert float(found[1]) > 30
    assert float(found[2]) < 10
    shown = monitors(project, "make.people")["people/speed/drift"]
    assert (len(shown["points"]), shown["unusual"]) == (10, True), "the first run has none before it"
    assert "people/name/drift" not in shown


def test_nothing_of_a_personal_column_is_kept_but_how_many_values_there_are(project: ProjectBuilder) -> None:
    columns = "[{name: speed, logicalType: number, classification: personal}]"
    project.file(
        "contracts/p.make.people.yaml",
        "apiVersion: v3.2.0\nkind: DataContract\nid: p.make.people\nversion: 1.0.0\nstatus: active\n"
        f"schema: [{{name: people, properties: {columns}}}]\n",
    )
    report = project.project.run("p")
    speed = figures(project, report.run).columns["speed"]
    assert (speed.nulls, speed.quantiles, speed.newest) == (0, (), None)


def test_what_is_no_table_has_no_figures_and_the_run_goes_on(project: ProjectBuilder) -> None:
    project.edit(
        "make", "import csv, datetime", "import csv, datetime\nopen(people, 'wb').write(b'\\0\\xff' * 50)"
    )
    project.edit(
        "make", 'with open(people, "w", newline="") as file:', 'with open("x.csv", "w", newline="") as file:'
    )
    report = project.project.run("p")
    assert report.status is Status.COMPLETED
    shown = monitors(project)
    assert shown["people//bytes"]["points"][0]["value"] == 100
    assert not list((project.root / ".stagebook").glob("measure-*"))


@pytest.mark.filterwarnings("default")
@pytest.mark.long
def test_mlflow_gets_the_rows_of_outputs(project: ProjectBuilder) -> None:
    (project.root / "stagebook.toml").unlink()
    report = project.project.run("p", {"rows": 7})
    assert report.tracking.passed_over == ()
    (run,) = tracked_runs(project.root, f"tags.`stagebook.key` = '{report.run}/make/1'", "p")
    assert run.data.metrics["output.people.rows"] == 7
    (whole,) = tracked_runs(project.root, f"tags.`stagebook.key` = '{report.run}'", "p")
    assert whole.data.metrics["make.output.people.rows"] == 7

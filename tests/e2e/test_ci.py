"""`stagebook ci`: a change is checked, run, and compared with what an environment shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from building import ProjectBuilder
from commands import PLATFORM, looked
from stagebook.ci.report import CiReport
from stagebook.ci.running import CiRequest, run_ci
from stagebook.deploying import carry_out, prepare, release_now
from stagebook.errors import UsageError
from stagebook.project import Project

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

SETTINGS = """
[tracking]
enabled = false
[environments.prod]
"""
MAKE = """
import csv
with open(people, "w") as file:
    csv.writer(file).writerows([("id", "speed"), *((at, at % 7) for at in range(rows))])
"""
COUNT = "open(total, 'w').write(str(len(open(people).readlines()) - 1))"
PIPELINE = """
params: {rows: 10}
stages:
  make:
    notebook: notebooks/make.ipynb
    executor: inprocess
    params: {rows: "${params.rows}"}
    outputs: {people: data/people.csv}
  count:
    notebook: notebooks/count.ipynb
    executor: inprocess
    inputs: {people: make.people}
    outputs: {total: data/total.txt}
"""
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: p.make.people
version: 1.0.0
status: active
schema:
  - name: people
    physicalName: p.make.people
    properties:
      - name: id
        logicalType: integer
        unique: true
      - name: speed
        logicalType: integer
        logicalTypeOptions: {maximum: 5}
        customProperties: [{property: severity, value: warn}]
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project that stands in prod."""
    builder.file("stagebook.toml", SETTINGS)
    builder.notebook("make", MAKE, params="rows = 0\npeople = ''")
    builder.notebook("count", COUNT, params="people = ''\ntotal = ''")
    builder.pipeline(PIPELINE)
    home = builder.project
    carry_out(prepare(home, "prod", release_now(home, allow_dirty=True)))
    return builder


def asked(builder: ProjectBuilder, **options: Any) -> CiReport:
    home = Project.open(builder.root)
    try:
        return run_ci(home, CiRequest(**{"against": "prod", **options}))
    finally:
        home.close()


def outcomes(report: CiReport) -> dict[str, str]:
    return {check.name: check.outcome for check in report.checks}


def test_what_did_not_change_is_taken_and_nothing_differs(project: ProjectBuilder) -> None:
    report = asked(project)
    assert outcomes(report) == {"check": "passed", "make": "passed", "count": "passed"}
    assert all(check.message.startswith("taken: ") for check in report.checks if check.group == "stage")
    assert report.difference is not None
    assert report.difference.is_same
    prod = Project.open(project.root).environments
    assert prod.versions(prod.find("prod")).numbers() == [1], "nothing is published"


def test_a_change_is_run_and_its_data_are_compared(project: ProjectBuilder) -> None:
    project.edit("make", "% 7", "% 5")
    report = asked(project)
    assert report.passed
    assert report.difference is not None
    found = report.difference.pipelines[0]
    assert {one.name: one.what for one in found.datasets} == {"make.people": "changed", "count.total": "same"}
    assert {stage.stage: stage.reasons for stage in found.stages}["make"] == ("cell 2 changed",)


@pytest.mark.long
def test_with_parameters_of_ci_the_code_is_compared_and_not_the_parameters(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS + "[environments.ci]\nparams = { rows = 4 }\n")
    project.edit("make", "% 7", "% 2")
    report = asked(project)
    assert (report.environment, report.baseline) == ("ci", "prod, version 1, with the same parameters")
    assert report.difference is not None
    found = report.difference.pipelines[0]
    assert found.params == ()
    people = found.datasets[0]
    assert people.counts == (4, 4)
    assert people.rows is not None
    assert people.rows.added == 2
    again = asked(project)
    assert all(check.message.startswith("taken: ") for check in again.checks if check.group == "stage")
    assert again.difference is not None
    assert again.difference.pipelines == report.difference.pipelines


@pytest.mark.long
def test_a_failed_stage_fails_it_and_the_others_go_on(project: ProjectBuilder) -> None:
    project.edit("make", "import csv", "import csv; 1 / 0")
    project.notebook("other", "print(1)")
    project.pipeline("stages:\n  other: {notebook: notebooks/other.ipynb, executor: inprocess}", name="q")
    report = asked(project)
    assert outcomes(report) == {"check": "passed", "make": "failed", "count": "failed", "other": "passed"}
    failed = next(check for check in report.checks if check.name == "make")
    assert failed.message == "at cell 3 of 3: ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in failed.details
    done = looked(project.root, "ci", "--against", "prod", "--junit", "ci.xml")
    assert done.returncode == 1
    cases = {case.attrib["name"]: case for case in ET.parse(project.root / "ci.xml").iter("testcase")}
    assert cases["make"].find("failure") is not None


def test_a_mistake_in_one_pipeline_is_told_with_its_place(project: ProjectBuilder) -> None:
    project.pipeline("stages:\n  a: {notebook: notebooks/gone.ipynb}", name="q")
    report = asked(project)
    failed = [check for check in report.checks if check.outcome == "failed"]
    assert [(check.group, check.suite, check.name) for check in failed] == [
        ("check", "q", "pipelines/q.yaml:2:7")
    ]
    assert outcomes(report)["make"] == "passed"


@pytest.mark.long
def test_checks_of_contracts_are_among_them(project: ProjectBuilder) -> None:
    pytest.importorskip("duckdb")
    project.file("contracts/p.make.people.yaml", CONTRACT)
    report = asked(project)
    contracts = {check.name: check for check in report.checks if check.group == "contract"}
    assert {check.outcome for check in contracts.values()} == {"passed", "warned"}
    warned = next(check for check in contracts.values() if check.outcome == "warned")
    assert "speed=6" in warned.details
    assert report.passed


@pytest.mark.long
def test_breaking_changes_fail_it_where_that_is_asked_for(project: ProjectBuilder) -> None:
    pytest.importorskip("duckdb")
    project.edit("make", '("id", "speed"), ', '("id", "velocity"), ')
    done = looked(project.root, "ci", "--against", "prod", "--fail-on", "breaking", "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["passed"], data["difference"]["breaking"]) == (1, True, True)
    assert looked(project.root, "ci", "--against", "prod").returncode == 0
    assert looked(project.root, "ci", "--against", "prod", "--fail-on", "difference").returncode == 1


TESTS = """
import pytest


def test_it_makes_rows(run_stage):
    made = run_stage("make", params={"rows": 3})
    assert len(made.outputs["people"].read_text().splitlines()) == 4


def test_that_fails(run_stage):
    raise AssertionError("no such luck")


@pytest.mark.skip(reason="not today")
def test_later():
    pass
"""


@pytest.mark.long
def test_tests_of_notebooks_are_among_them(project: ProjectBuilder) -> None:
    project.file("tests/test_make.py", TESTS)
    done = looked(project.root, "ci", "--against", "prod", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"] if one["group"] == "test"}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "test_it_makes_rows": "passed", "test_that_fails": "failed", "test_later": "skipped",
    }  # fmt: skip
    assert "no such luck" in found["test_that_fails"]["details"]
    assert done.returncode == 1
    assert looked(project.root, "ci", "--against", "prod", "--no-tests").returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("test_make.py", "import nothing_such", "tests/test_make.py"),
        ("conftest.py", "1 / 0", "stagebook test"),
    ],
)
@pytest.mark.long
def test_tests_that_cannot_be_collected_fail_it(
    project: ProjectBuilder, name: str, text: str, where: str
) -> None:
    project.file("tests/test_more.py", "def test_it():\n    pass\n")
    project.file(f"tests/{name}", text)
    done = looked(project.root, "ci", "--against", "prod", "--json")
    failed = [one for one in json.loads(done.stdout)["checks"] if one["outcome"] == "failed"]
    assert (done.returncode, [one["name"] for one in failed]) == (1, [where])
    assert "Error" in failed[0]["details"]


def test_without_anything_to_compare_with_that_is_said(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS + "[environments.empty]\n")
    report = asked(project, against="empty")
    assert (report.passed, report.difference) == (True, None)
    assert report.remark == "empty shows nothing yet, so that there is nothing to compare with"
    with pytest.raises(UsageError, match="'prd'"):
        asked(project, against="prd")


@pytest.mark.long
def test_a_release_that_is_gone_is_told(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS + "[environments.ci]\nparams = { rows = 4 }\n")
    for path in (project.root / ".stagebook/releases").rglob("*"):
        if path.is_file():
            path.unlink()
    report = asked(project)
    assert "its release cannot be run here" in report.remark
    assert report.difference is not None


@pytest.mark.parametrize("service", ["github", "gitlab"])
@pytest.mark.long
def test_the_steps_of_a_written_workflow_run(project: ProjectBuilder, service: str, tmp_path: Path) -> None:
    assert looked(project.root, "ci", "init", service).returncode == 0
    path = {"github": ".github/workflows/stagebook.yml", "gitlab": ".gitlab-ci.yml"}[service]
    flow = yaml.safe_load((project.root / path).read_text())
    if service == "github":
        steps = [step["run"] for step in flow["jobs"]["ci"]["steps"] if "run" in step]
    else:
        steps = [*flow["stagebook"]["before_script"], *flow["stagebook"]["script"]]
    command = next(step for step in steps if step.startswith("stagebook ci"))
    assert any(step.startswith("pip install") for step in steps)
    project.edit("make", "% 7", "% 5")
    summary = tmp_path / "summary.md"
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": PLATFORM,
    }
    env["GITHUB_STEP_SUMMARY"] = str(summary)
    done = subprocess.run(
        ["bash", "-ec", command], cwd=project.root, env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "make.people" in (project.root / "stagebook-ci.md").read_text()
    assert "make.people" in summary.read_text()
    assert ET.parse(project.root / "stagebook-ci.xml").getroot().attrib["failures"] == "0"
    assert "make.people" in (project.root / "stagebook-ci.html").read_text()
    again = looked(project.root, "ci", "init", service)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

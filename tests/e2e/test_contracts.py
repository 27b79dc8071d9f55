"""Contracts in runs: what fails is not published, what is set apart is kept, and a changed contract runs no notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import looked, stagebook
from contracted import contract, journal_text, of_two_stages, people, ran
from stagebook.audits import Outcome, Severity
from stagebook.events import Cause, Status
from stagebook.planning.plan import Decision
from tracked import client, tracked_runs

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A pipeline of two stages; each notes in `ran.txt` that it ran."""
    return of_two_stages(builder)


def test_what_breaks_a_contract_is_not_published(project: ProjectBuilder) -> None:
    contract(project, most=2000)
    assert project.project.run("p").status is Status.COMPLETED
    assert ran(project) == ["make", "count"]
    contract(project)
    done = stagebook(project.root, "run", "p", "-p", "more=1")
    assert done.returncode == 1
    assert ran(project) == ["make"]
    assert people(project) == ["ann", "bob", "cyd"], "the last good version"
    said = done.stdout + done.stderr
    place = "contracts/p.make.people.yaml:18: data/people.csv: speed is at least 0 and at most 200"
    assert f"{place}: 1 of 4 rows break it" in said
    assert "speed=1048" in said
    assert "bob" not in said, "a personal value"
    report = project.project.history.find()
    record = project.project.history.stage(report, "make")
    assert (record.cause, record.status) == (Cause.CONTRACT, Status.FAILED)
    (check,) = record.audits["people"].broken(Severity.FAIL)
    assert (check.outcome, check.figure) == (Outcome.BROKEN, 1)
    assert "bob" not in journal_text(project)
    events = json.loads(stagebook(project.root, "logs", "--json").stdout)["events"]
    (ended,) = [event for event in events if event["type"] == "AttemptEnded" and event["stage"] == "make"]
    assert ended["audits"]["people"]["rows"] == 4


@pytest.mark.long
def test_a_changed_contract_audits_again_and_runs_no_notebook(project: ProjectBuilder) -> None:
    assert project.project.run("p").status is Status.COMPLETED
    ran(project)
    contract(project, "quarantine")
    plan = {stage.id: stage for stage in project.project.plan("p").stages}
    assert plan["make"].decision is Decision.AUDIT
    assert plan["make"].reasons == ("contracts/p.make.people.yaml is new; the notebook does not run",)
    said = looked(project.root, "why", "p", "make").stdout
    assert "contracts/p.make.people.yaml is new" in said
    report = project.project.run("p")
    assert ran(project) == ["count"], "make ran no notebook, and what follows it got other data"
    assert people(project) == ["ann", "cyd"]
    assert report.history.stages["make"].status is Status.COMPLETED
    executed = project.executed(report.run, "make")
    assert any("writerows" in "".join(cell["source"]) for cell in executed["cells"])
    assert {str(stage.decision) for stage in project.project.plan("p").stages} == {"REUSE"}
    text = (project.root / "contracts/p.make.people.yaml").read_text()
    project.file(
        "contracts/p.make.people.yaml", text.replace("version: 1.0.0", "version: 1.1.0 # only words")
    )
    assert {str(stage.decision) for stage in project.project.plan("p").stages} == {"REUSE"}
    contract(project, "fail")
    report = project.project.run("p")
    assert (report.status, ran(project)) == (Status.FAILED, [])
    assert report.history.stages["make"].attempt == 1, "the same data would come to the same"
    assert people(project) == ["ann", "cyd"]
    (project.root / "contracts/p.make.people.yaml").unlink()
    assert project.project.run("p").status is Status.COMPLETED
    assert ran(project) == []
    assert people(project) == ["ann", "bob", "cyd"], "all that the stage wrote"
    assert (project.root / "data/total.txt").read_text() == "3"


def test_rows_in_quarantine_are_listed_and_shown(project: ProjectBuilder) -> None:
    contract(project, "quarantine")
    done = stagebook(project.root, "run", "p")
    assert done.returncode == 0, done.stderr
    assert "1 of 3 rows break it, kept in quarantine" in done.stdout
    assert people(project) == ["ann", "cyd"]
    assert "1 row in quarantine" in looked(project.root, "status", "p").stdout
    listed = json.loads(looked(project.root, "quarantine", "list", "--json").stdout)["quarantined"]
    assert [(one["dataset"], one["rows"], one["rules"]) for one in listed] == [
        ("p.make.people", 1, ["speed.range"])
    ]
    shown: dict[str, Any] = json.loads(
        looked(project.root, "quarantine", "show", "p", "make.people", "--json").stdout
    )
    assert shown["rows"] == [
        {"row": 2, "breaks": "speed.range", "name": "•••", "number": "2", "speed": "1048.0"}
    ]
    assert "p.make.people" in looked(project.root, "quarantine", "list").stdout
    wrong = looked(project.root, "quarantine", "show", "p", "count.total")
    assert wrong.returncode == 2
    assert "nothing of 'count.total' is in quarantine" in wrong.stderr


@pytest.mark.long
def test_a_warning_is_shown_and_stops_nothing(project: ProjectBuilder) -> None:
    contract(project, "warn")
    done = stagebook(project.root, "run", "p")
    assert done.returncode == 0
    assert people(project) == ["ann", "bob", "cyd"]
    assert "! speed is at least 0 and at most 200: 1 of 3 rows break it" in done.stdout
    again = stagebook(project.root, "run", "p")
    assert "1 of 3 rows break it" in again.stdout, "also of a result that is reused"
    assert "1 warning" in looked(project.root, "status", "p").stdout


@pytest.mark.long
def test_a_contract_is_drafted_and_tried_on_earlier_versions(project: ProjectBuilder) -> None:
    assert project.project.run("p", {"more": 200}).status is Status.COMPLETED
    assert project.project.run("p", {"more": 300}).status is Status.COMPLETED
    ran(project)
    done = looked(project.root, "contract", "draft", "p", "make.people", "--write")
    assert done.returncode == 0, done.stderr
    text = (project.root / "contracts/p.make.people.yaml").read_text()
    assert "unique: true # 303 rows, and no value twice" in text
    assert looked(project.root, "contract", "draft", "p", "make.people", "--write").returncode == 2
    assert project.project.run("p", {"more": 300}).status is Status.COMPLETED
    assert ran(project) == []
    contract(project)
    tried = looked(project.root, "contract", "test", "p", "make.people", "--json")
    assert tried.returncode == 1
    versions = json.loads(tried.stdout)["versions"]
    assert [one["audit"]["rows"] for one in versions] == [303, 203]
    fired = [
        [check["figure"] for check in one["audit"]["checks"] if check["outcome"] != "passed"]
        for one in versions
    ]
    assert fired == [[110], [10]]
    assert "versions" not in looked(project.root, "contract", "test", "p", "make.people").stderr
    listed = json.loads(looked(project.root, "contract", "list", "--json").stdout)["outputs"]
    assert {one["dataset"]: one["contract"] for one in listed} == {
        "p.make.people": "contracts/p.make.people.yaml",
        "p.count.total": None,
    }


def test_what_cannot_be_audited_is_told(project: ProjectBuilder) -> None:
    contract(project)
    project.edit("make", 'writer.writerow(["name", "number", "speed"])', "pass")
    project.edit("make", "writer.writerows(rows)", "file.write('')")
    report = project.project.run("p")
    message = report.history.stages["make"].message
    where = "contracts/p.make.people.yaml: the output 'people' (data/people.csv) cannot be audited"
    assert message == f"{where}: the file is empty"
    project.edit("make", "file.write('')", "file.write('name,number\\nann,x\\n')")
    report = project.project.run("p")
    message = report.history.stages["make"].message
    assert "number is a whole number: 1 of 1 rows break it; and 2 more" in message
    wrong = project.file("contracts/p.make.people.yaml", "schema: []")
    assert wrong.exists()
    checked = looked(project.root, "check", "p")
    assert checked.returncode == 2
    assert "contracts/p.make.people.yaml:1" in checked.stdout + checked.stderr


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("with_store")
@pytest.mark.long
def test_mlflow_gets_what_a_contract_came_to(project: ProjectBuilder) -> None:
    (project.root / "stagebook.toml").unlink()
    contract(project, "quarantine")
    report = project.project.run("p")
    assert report.tracking.passed_over == ()
    (run,) = tracked_runs(project.root, f"tags.`stagebook.key` = '{report.run}/make/1'", "p")
    wanted = {"rows": 3, "rejected_rows": 1, "broken_checks": 1}
    assert {name: run.data.metrics[f"contract.people.{name}"] for name in wanted} == wanted
    tags = {name: run.data.tags[f"contract.people.{name}"] for name in ("version", "outcome")}
    assert tags == {"version": "1.0.0", "outcome": "quarantine"}
    (whole,) = tracked_runs(project.root, f"tags.`stagebook.key` = '{report.run}'", "p")
    assert whole.data.metrics["make.contract.people.rejected_rows"] == 1
    path = client(project.root).download_artifacts(run.info.run_id, "contracts/people.json")
    assert "bob" not in Path(path).read_text(), "a personal value"
    assert json.loads(Path(path).read_text())["rejected"] == 1


def test_a_secret_in_the_data_is_not_told(project: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_PASSWORD", "s3cr3t-w0rd-of-it")
    contract(project, "warn")
    project.edit("make", '("bob", 2, 1048.0)', '("bob", "s3cr3t-w0rd-of-it", 1048.0)')
    report = project.project.run("p")
    record = report.history.stages["make"]
    assert record.status is Status.FAILED, "the number is none"
    assert record.audits["people"].broken(Severity.FAIL)
    assert "s3cr3t" not in record.message + journal_text(project)


@pytest.mark.long
def test_versions_are_compared_by_their_columns(project: ProjectBuilder) -> None:
    assert project.project.run("p").status is Status.COMPLETED
    alone = looked(project.root, "contract", "diff", "p", "make.people")
    assert alone.returncode == 2
    assert "there is only one version of p.make.people" in alone.stderr
    project.edit("make", '["name", "number", "speed"]', '["name", "speed", "note"]')
    project.edit("make", "writer.writerows(rows)", "writer.writerows([('x', 'fast', '')])")
    assert project.project.run("p").status is Status.COMPLETED
    done = looked(project.root, "contract", "diff", "p", "make.people")
    assert done.returncode == 1, "number is gone"
    assert "✗ number is gone: it was BIGINT  (breaking)" in done.stdout
    assert "✗ speed is VARCHAR: it was DOUBLE  (breaking)" in done.stdout
    assert "+ note is new: VARCHAR" in done.stdout
    published = looked(project.root, "data", "diff", "p.make.people")
    assert published.returncode == 0
    assert "✗ number is gone: it was BIGINT  (breaking)" in published.stdout
    found = json.loads(looked(project.root, "contract", "diff", "p", "make.people", "--json").stdout)
    assert found["rows"] == [3, 1]
    back = looked(project.root, "contract", "diff", "p", "make.people", found["after"], found["before"])
    assert "note is gone" in back.stdout
    assert looked(project.root, "contract", "diff", "p", "make.people", "nothing").returncode == 2


@pytest.mark.long
def test_a_function_of_the_project_is_a_check_in_runs_and_left_out_of_tests_on_versions(
    project: ProjectBuilder,
) -> None:
    assert project.project.run("p").status is Status.COMPLETED
    project.file(
        "checks.py", "def few(frame):\n    return f'{len(frame)} are too many' if len(frame) > 2 else ''\n"
    )
    text = contract(project, most=2000).read_text()
    check = "{type: custom, engine: stagebook, implementation: 'checks.py:few'}"
    project.file("contracts/p.make.people.yaml", f"{text}    quality:\n      - {check}\n")
    report = project.project.run("p")
    assert report.history.stages["make"].cause == Cause.CONTRACT
    assert report.history.stages["make"].message.endswith("checks.py:few finds nothing: 3 are too many")
    tried = looked(project.root, "contract", "test", "p", "make.people")
    assert tried.returncode == 0, "nothing is said to have fired that was not tried"
    assert "not checked: checks.py:few finds nothing" in tried.stdout

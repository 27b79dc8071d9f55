"""Rows in quarantine: shown, released by a person, audited again; a row is admitted once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import looked, stagebook
from contracted import contract, of_two_stages, people, ran
from stagebook.events import Status
from stagebook.planning.plan import Decision

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

RELEASED = "contracts/released/p.make.people.jsonl"


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A pipeline with one of three rows in quarantine."""
    of_two_stages(builder)
    contract(builder, "quarantine")
    assert builder.project.run("p").status is Status.COMPLETED
    assert (ran(builder), people(builder)) == (["make", "count"], ["ann", "cyd"])
    return builder


def release(project: ProjectBuilder, *choice: str, because: str = "Bob is a falcon") -> Any:
    """`stagebook quarantine release` of rows of the output."""
    return looked(project.root, "quarantine", "release", "p", "make.people", *choice, "--because", because)


def decided(project: ProjectBuilder) -> tuple[Decision, str]:
    """What would become of the stage, and why."""
    stage = project.project.plan("p").stage("make")
    return stage.decision, stage.reasons[0]


def in_quarantine(project: ProjectBuilder) -> list[dict[str, Any]]:
    """What `stagebook quarantine list` gives."""
    found = json.loads(looked(project.root, "quarantine", "list", "--json").stdout)["quarantined"]
    assert isinstance(found, list)
    return found


@pytest.mark.long
def test_a_released_row_is_published_once_without_the_notebook(project: ProjectBuilder) -> None:
    done = release(project, "--row", "2")
    assert done.returncode == 0, done.stderr
    assert f"released 1 row in {RELEASED}; the next run publishes it" in done.stdout
    (line,) = (project.root / RELEASED).read_text().splitlines()
    noted = json.loads(line)
    assert (noted["breaks"], noted["because"]) == (["speed.range"], "Bob is a falcon")
    assert "bob" not in line, "a personal value"
    assert decided(project) == (
        Decision.AUDIT,
        "other rows of people are released; the notebook does not run",
    )
    assert [(one["rows"], one["passing"]) for one in in_quarantine(project)] == [(1, 1)]
    planned = looked(project.root, "plan", "p").stdout
    assert "! make.people: of 1 row in quarantine 1 now passes" in planned
    report = project.project.run("p")
    assert (ran(project), people(project)) == (["count"], ["ann", "bob", "cyd"])
    audit = report.history.stages["make"].audits["people"]
    assert (audit.rejected, audit.released) == (0, 1)
    again = release(project, "--all")
    assert (again.returncode, in_quarantine(project)) == (2, [])
    assert project.project.run("p").history.stages["make"].status is Status.REUSED
    assert people(project) == ["ann", "bob", "cyd"]
    (project.root / RELEASED).unlink()
    assert project.project.run("p").status is Status.COMPLETED
    assert (ran(project), people(project)) == ([], ["ann", "cyd"]), "both results are known"


@pytest.mark.long
def test_a_row_is_released_as_it_is_and_for_the_rules_that_it_broke(project: ProjectBuilder) -> None:
    assert release(project, "--rule", "speed.range").returncode == 0
    assert "released already" in release(project, "--rule", "speed.range").stdout
    project.edit("make", '("bob", 2, 1048.0)', '("bob", 2, 1049.0)')
    assert project.project.run("p").status is Status.COMPLETED
    assert people(project) == ["ann", "cyd"], "another row than that which was released"
    project.edit("make", '("bob", 2, 1049.0)', '("bob", 2, 1048.0)')
    assert project.project.run("p").status is Status.COMPLETED
    assert people(project) == ["ann", "bob", "cyd"]
    path = project.root / "contracts/p.make.people.yaml"
    severity = "customProperties: [{property: severity, value: quarantine}]"
    rule = f"logicalTypeOptions: {{maximum: 1}}\n        {severity}\n        unique: true"
    path.write_text(path.read_text().replace("unique: true", rule))
    assert project.project.run("p").status is Status.COMPLETED
    assert people(project) == ["ann"], "bob breaks a rule for which he was not released"


@pytest.mark.long
def test_what_passes_now_is_told_for_a_changed_rule_and_a_stage_that_runs(project: ProjectBuilder) -> None:
    assert [(one["rows"], one["passing"]) for one in in_quarantine(project)] == [(1, 0)]
    assert "now pass" not in looked(project.root, "plan", "p").stdout
    contract(project, "quarantine", most=1100)
    assert [(one["rows"], one["passing"]) for one in in_quarantine(project)] == [(1, 1)]
    contract(project, "quarantine", most=1000)
    assert [(one["rows"], one["passing"]) for one in in_quarantine(project)] == [(1, 0)]
    project.edit("make", '("bob", 2, 1048.0)', '("bob", 2, 48.0)')
    said = looked(project.root, "plan", "p").stdout
    assert "of 1 row in quarantine, nobody can say yet how many pass: the stage runs" in said
    replayed = stagebook(project.root, "quarantine", "replay", "p", "make.people")
    assert replayed.returncode == 0, replayed.stderr
    assert people(project) == ["ann", "bob", "cyd"]


@pytest.mark.long
def test_a_replay_audits_again_what_the_stage_wrote(project: ProjectBuilder) -> None:
    text = (project.root / "contracts/p.make.people.yaml").read_text()
    relationship = "    relationships:\n      - {from: name, to: q.known.names.name}\n"
    properties = "    customProperties: [{property: severity, value: quarantine}]\n"
    project.file("contracts/p.make.people.yaml", text + relationship + properties)
    project.notebook("known", "open(names, 'w').write('name\\nann\\n')", params="names: str = ''")
    stage = "known: {notebook: notebooks/known.ipynb, outputs: {names: data/names.csv}}"
    project.pipeline(f"stages: {{{stage}}}", "q")
    for name in ("q", "p"):
        assert project.project.run(name).status is Status.COMPLETED
    assert people(project) == ["ann"], "the others are not known"
    ran(project)
    project.edit("known", "ann\\n", "ann\\ncyd\\n")
    assert project.project.run("q").status is Status.COMPLETED
    why = "q.known.names changed, which contracts/p.make.people.yaml asks for; the notebook does not run"
    assert decided(project) == (Decision.AUDIT, why)
    done = stagebook(project.root, "quarantine", "replay", "p", "make.people")
    assert done.returncode == 0, done.stderr
    assert (ran(project), people(project)) == ([], ["ann", "cyd"])
    assert decided(project)[0] is Decision.REUSE
    assert "audited again, as asked" in looked(project.root, "plan", "p", "--audit").stdout


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (("--row", "7"), "the row 7 is not in quarantine"),
        (("--rule", "speed.rang"), "no row breaks 'speed.rang'"),
        ((), "say which rows: --row N, --rule NAME, or --all"),
        (("--all", "--row", "2"), "say which rows"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_released_is_told(project: ProjectBuilder, choice: tuple[str, ...], said: str) -> None:
    done = release(project, *choice)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (project.root / RELEASED).exists()


@pytest.mark.long
def test_a_release_says_why_and_a_torn_file_of_them_is_told_with_its_place(project: ProjectBuilder) -> None:
    assert "say why" in release(project, "--all", because=" ").stderr
    assert release(project, "--all").returncode == 0
    path = project.root / RELEASED
    path.write_bytes(path.read_bytes()[:-20])
    done = stagebook(project.root, "run", "p")
    assert done.returncode == 2
    assert f"{RELEASED}:1:1: the line is no released row" in done.stdout + done.stderr
    assert people(project) == ["ann", "cyd"]
    for line, why in (
        ('{"row": "x"}', "'row' is not 64 hexadecimal digits"),
        ("[]", "expected an object"),
        (f'{{"row": "{"0" * 64}", "breaks": "x"}}', "'breaks' is no list of names of rules"),
    ):
        path.write_text(f"\n{line}\n")
        said = looked(project.root, "check", "p")
        assert f"{RELEASED}:2:1: the line is no released row: {why}" in said.stdout + said.stderr


def test_rows_in_quarantine_say_where_they_are_from(project: ProjectBuilder) -> None:
    import pandas as pd

    (one,) = in_quarantine(project)
    frame = pd.read_parquet(Path(project.root) / one["path"])
    assert list(frame["stagebook_source"]) == ["p.make.people"]
    assert list(frame["stagebook_run"]) == [one["run"]]
    assert [list(broken) for broken in frame["stagebook_broken"]] == [["speed.range"]]

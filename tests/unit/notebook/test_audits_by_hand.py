"""`stagebook.audit` and `%contract`: a DataFrame in a kernel, held against the contract of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import stagebook
from building import ProjectBuilder
from stagebook.errors import PipelineInvalid, UsageError

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.people
version: 1.0.0
status: active
schema:
  - name: people
    properties:
      - {name: name, logicalType: string, required: true, classification: personal}
      - name: speed
        logicalType: number
        logicalTypeOptions: {maximum: 200}
        customProperties: [{property: severity, value: quarantine}]
    relationships:
      - {from: people.name, to: p.known.names.name}
    quality:
      - {type: custom, engine: stagebook, implementation: 'checks.py:few'}
"""
PIPELINE = """
stages:
  known: {notebook: notebooks/known.ipynb, outputs: {names: data/names.csv}}
  make:
    notebook: notebooks/make.ipynb
    after: [known]
    outputs: {people: data/people.parquet, rest: data/rest.txt}
"""


@pytest.fixture
def project(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> ProjectBuilder:
    """A project that never ran, with a contract, and a dataset that this asks for."""
    builder.notebook("known", "1", params="names = ''")
    builder.notebook("make", "1", params="people = ''\nrest = ''")
    builder.pipeline(PIPELINE)
    builder.file("contracts/p.make.people.yaml", CONTRACT)
    builder.file("data/names.csv", "name\nann\nbob\n<b>\n")
    builder.file("checks.py", "def few(frame):\n    return 'too many' if len(frame) > 3 else ''\n")
    monkeypatch.chdir(builder.root)
    return builder


def outcomes(report: stagebook.AuditReport) -> dict[str, str]:
    """What each check came to."""
    return {check.rule: str(check.outcome) for check in report.audit.checks}


@pytest.mark.usefixtures("project")
def test_a_frame_is_audited_as_a_run_would() -> None:
    good = pd.DataFrame({"name": ["ann", "bob"], "speed": [1.0, None]})
    report = stagebook.audit(good, "p.make.people")
    assert report.passed
    assert set(outcomes(report).values()) == {"passed"}
    assert "2 rows, all checks hold  (contracts/p.make.people.yaml)" in repr(report)
    bad = pd.DataFrame({"name": ["ann", "zoe", "<b>"], "speed": [1.0, 2.0, 300.0]})
    report = stagebook.audit(pa.Table.from_pandas(bad), "make.people")
    assert not report.passed
    broken = {rule for rule, outcome in outcomes(report).items() if outcome != "passed"}
    assert len(broken) == 2
    text, page = repr(report), report._repr_html_()
    assert "! speed is at most 200: 1 of 3 rows break it" in text
    assert "1 values in 1 rows are not there" in text
    assert "zoe" not in text + page, "a personal value"
    assert "<b>" not in page.replace("<br>", "")
    few = stagebook.audit(pd.concat([good, good]), "make.people")
    assert "too many" in repr(few)


@pytest.mark.usefixtures("project")
def test_a_file_is_audited_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("name,speed\nann,fast\n")
    assert "speed is a number: 1 of 1 rows break it" in repr(stagebook.audit(path, "make.people"))
    assert stagebook.audit(str(path), "p.make.people", project=Path.cwd()).audit.rows == 1


@pytest.mark.parametrize(
    ("data", "dataset", "said"),
    [
        ({}, "p.make.people", "the data cannot be audited"),
        ("nothing.csv", "p.make.people", "the data cannot be audited: it is not there"),
        ("nothing.csv", "make.peple", "there is no dataset 'make.peple'"),
        ("nothing.csv", "p.make.rest", "p.make.rest has no contract"),
        ("nothing.csv", "make", "'make' may be several datasets"),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_cannot_be_audited_is_told(data: Any, dataset: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        stagebook.audit(data, dataset)


def test_a_contract_with_mistakes_is_told_with_its_place(project: ProjectBuilder) -> None:
    project.file("contracts/p.make.people.yaml", CONTRACT.replace("maximum: 200", "maximum: high"))
    with pytest.raises(PipelineInvalid) as told:
        stagebook.audit("x.csv", "make.people")
    assert "contracts/p.make.people.yaml:12:30: expected a number" in "\n".join(map(str, told.value.problems))


@pytest.fixture
def shell(project: ProjectBuilder, make_shell: Callable[[], Any]) -> Any:
    """A shell in the project."""
    assert project.root == Path.cwd()
    return make_shell()


def test_the_magic_shows_what_a_contract_comes_to(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.user_ns["frame"] = pd.DataFrame({"name": ["ann"], "speed": [900.0]})
    result = shell.run_cell("%contract make.people frame")
    assert isinstance(result.result, stagebook.AuditReport)
    assert result.result.passed, "the row would go into quarantine"
    capsys.readouterr()
    assert not shell.run_cell("%contract make.people other").success
    assert "there is no variable 'other'" in capsys.readouterr().err
    assert not shell.run_cell("%contract frame").success
    assert "%contract DATASET NAME" in capsys.readouterr().err
    assert not shell.run_cell("%contract make.nothing frame").success
    assert "there is no dataset 'make.nothing'" in capsys.readouterr().err

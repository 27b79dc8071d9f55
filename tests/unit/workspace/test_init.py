"""What `init` writes can run where it is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stagebook.contracts.loader import load_contract
from stagebook.project import Project
from stagebook.workspace.init import scaffold


def test_the_first_contract_is_that_of_an_output_and_says_what_it_is_for(tmp_path: Path) -> None:
    (path,) = [path for path in scaffold(tmp_path) if path.startswith("contracts/")]
    text = (tmp_path / path).read_text()
    found = load_contract(text, path)
    assert (found.problems, found.contract.not_checked) == ((), ())
    assert text.startswith("# What must hold of each file of readings.")
    with Project.open(tmp_path) as project:
        plan = project.plan("hello")
    assert [stage.id for stage in plan.stages for output in stage.outputs.values() if output.contract] == [
        "measure@garden",
        "measure@roof",
    ]
    assert plan.warnings == ()


def test_without_duckdb_there_is_no_contract_that_would_keep_stages_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)  # as where it is not installed
    assert not [path for path in scaffold(tmp_path) if path.startswith("contracts/")]
    with Project.open(tmp_path) as project:
        assert len(project.plan("hello").stages) == 4

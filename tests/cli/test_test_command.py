"""`stagebook test`, as far as it comes without pytest. What it comes to with pytest: `tests/e2e/test_notebook_tests.py`."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from commands import looked, python

WITHOUT = """
import sys
sys.modules["pytest"] = None
sys.argv = ["stagebook", "test"]
from stagebook.cli import main
sys.exit(main())
"""


@pytest.fixture
def made(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("clean", "print(1)")
    builder.pipeline("stages: {clean: {notebook: notebooks/clean.ipynb}}")
    return builder


def said(builder: ProjectBuilder, *arguments: str) -> str:
    done = looked(builder.root, "test", *arguments)
    assert done.returncode == 2
    return done.stderr


def test_without_pytest_it_says_what_to_install(made: ProjectBuilder) -> None:
    done = python(made.root, "-c", WITHOUT)
    assert done.returncode == 2
    assert "✗ tests of notebooks need pytest, which is not installed\n  pip install pytest" in done.stderr


def test_a_project_without_tests(made: ProjectBuilder) -> None:
    text = said(made)
    assert "no tests/, and no test_*.py beside a notebook" in text
    assert "def test_it(run_stage)" in text


def test_a_file_that_is_not_there(made: ProjectBuilder) -> None:
    assert "there is no file 'tests/test_no.py'" in said(made, "tests/test_no.py::test_it")


def test_a_stage_that_is_not_there(made: ProjectBuilder) -> None:
    text = said(made, "--replay", "claen")
    assert "there is no stage 'claen'\n  did you mean 'clean'?" in text


def test_update_is_for_replays(made: ProjectBuilder) -> None:
    assert "stagebook test --replay --update" in said(made, "--update")


def test_errors_as_json(made: ProjectBuilder) -> None:
    done = looked(made.root, "test", "--json")
    assert done.returncode == 2
    assert '"error": "the project has no tests' in done.stdout


def test_nothing_was_written(made: ProjectBuilder) -> None:
    said(made)
    assert not (made.root / ".stagebook").exists()

"""`stagebook status` says how each stage ended last, whether it would run, and of what parameters the files on disk are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import looked, stagebook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WRITES = """
if len(months) > 6:
    raise ValueError('at most six months')
_ = open(out, 'w').write(str(months))
"""


@pytest.fixture(params=["kernel", "inprocess"])
def executor(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def project(builder: ProjectBuilder, executor: str) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook("clean", WRITES, params="months = []\nout = ''")
    builder.notebook("report", "print(open(src).read())", params="src = ''")
    builder.pipeline(f"""
        defaults: {{executor: {executor}}}
        params: {{months: [1]}}
        stages:
          clean:
            notebook: notebooks/clean.ipynb
            params: {{months: "${{params.months}}"}}
            outputs: {{out: data/clean.txt}}
          report: {{notebook: notebooks/report.ipynb, inputs: {{src: clean.out}}}}
        """)
    run(builder)
    return builder


def run(builder: ProjectBuilder, *arguments: str, code: int = 0) -> None:
    done = stagebook(builder.root, "run", "p", *arguments)
    assert done.returncode == code, done.stdout + done.stderr


def status(root: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The lines of the screen by stage, and what `--json` has."""
    lines = looked(root, "status", "p").stdout.splitlines()
    shown = {text.split()[0]: re.sub(" +", " ", text).strip() for text in lines if text.strip()}
    return shown, json.loads(looked(root, "status", "p", "--json").stdout)["pipelines"]["p"]


def test_a_failure_with_other_parameters_and_whether_it_would_run(project: ProjectBuilder) -> None:
    run(project, "-p", "months=[1, 2, 3, 4, 5, 6, 7]", code=1)
    shown, data = status(project.root)
    assert "✗ failed" in shown["clean"]
    assert "up to date ValueError: at most six months" in shown["clean"]
    assert (data["clean"]["status"], data["clean"]["now"]) == ("failed", "REUSE")
    assert (data["report"]["status"], data["report"]["now"]) == ("blocked", "REUSE")


@pytest.mark.long
def test_files_of_other_parameters_are_told_and_so_are_edited_and_lost_ones(project: ProjectBuilder) -> None:
    run(project, "-p", "months=[1, 2, 3, 4, 5, 6]")
    shown, data = status(project.root)
    assert "restores data/clean.txt on disk is of months=[1, 2, 3, 4, 5, 6]" in shown["clean"]
    assert data["clean"]["on_disk"] == "data/clean.txt on disk is of months=[1, 2, 3, 4, 5, 6]"
    assert data["report"]["on_disk"] == ""
    file = project.root / "data/clean.txt"
    file.write_text("by hand")
    assert (
        status(project.root)[1]["clean"]["on_disk"] == "data/clean.txt on disk is not what the last run left"
    )
    file.unlink()
    assert status(project.root)[1]["clean"]["on_disk"] == "data/clean.txt is not on disk"
    run(project)
    shown, data = status(project.root)
    assert re.search(r"✓ completed .* up to date", shown["clean"]), "a reuse is no outcome"
    assert data["clean"]["on_disk"] == ""


def test_a_reused_stage_keeps_the_time_that_its_result_took(project: ProjectBuilder) -> None:
    run(project)
    assert re.search(r"^clean ✓ completed just now \d.* s up to date", status(project.root)[0]["clean"])

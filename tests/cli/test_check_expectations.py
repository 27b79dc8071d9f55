"""`stagebook check-expectations` tells, and ends with 1, where something is not as it is expected."""

from __future__ import annotations

import json
import time

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.tick_table import ScheduleKey

PIPELINE = """
    schedules:
      often: {every: 1h, expect: {fresh: 26h}}
    stages: {a: {notebook: notebooks/a.ipynb}}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook("a", "1")
    builder.pipeline(PIPELINE)
    return builder


def ran(project: ProjectBuilder, hours_ago: float) -> None:
    journal, at = project.project.journal, time.time() - hours_ago * 3600
    journal.ticks.see(ScheduleKey(pipeline="p", schedule="often"), "every 1h", time.time())
    run = f"run-{hours_ago:g}"
    journal.append(
        [
            RunStarted(run=run, at=at, pipeline="p", plan={"params": {}}),
            RunEnded(run=run, at=at, status=Status.COMPLETED),
        ]
    )


def test_all_is_as_expected_or_not(project: ProjectBuilder) -> None:
    ran(project, 30)
    done = looked(project.root, "check-expectations")
    assert done.returncode == 1
    assert "✗ p/often is overdue" in done.stdout
    assert "no run has completed since 20" in done.stdout
    assert "; one is expected within 1d2h" in done.stdout
    data = json.loads(looked(project.root, "check-expectations", "--json").stdout)
    assert [(one["schedule"], one["kind"]) for one in data["missed"]] == [("often", "overdue")]
    ran(project, 1)
    done = looked(project.root, "check-expectations", "--env", "dev")
    assert (done.returncode, done.stdout) == (0, "✓ 1 schedule, all as expected\n")


def test_a_file_with_mistakes_hides_nothing(project: ProjectBuilder) -> None:
    """Its schedules do not run: that nothing is expected of them would be false. What never was scheduled is nobody's concern."""
    ran(project, 1)
    project.pipeline(PIPELINE.replace("26h", "soon"))
    project.pipeline("stages: {a: {notebok: a.ipynb}}", name="draft")
    done = looked(project.root, "check-expectations")
    assert done.returncode == 2
    assert "of some schedules nobody can say what is expected" in done.stdout
    assert "pipelines/p.yaml:2:31: 'fresh': expected a duration" in done.stdout
    assert "draft" not in done.stdout
    data = json.loads(looked(project.root, "check-expectations", "--json").stdout)
    assert [one["line"] for one in data["problems"]] == [2]


def test_a_journal_that_cannot_be_read_holds_up_no_other_environment(project: ProjectBuilder) -> None:
    ran(project, 30)
    project.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    project.file(".stagebook/environments/prod/state/journal.db", "this is no journal, and never was")
    both = PIPELINE.replace("often:", "yes: {every: 1h, env: prod, expect: {fresh: 26h}}\n      often:")
    project.pipeline(both)
    done = looked(project.root, "check-expectations")
    assert done.returncode == 1
    assert "✗ p/often is overdue" in done.stdout
    assert "environment prod: the journal" in done.stdout


def test_where_nothing_is_expected_that_is_said(project: ProjectBuilder) -> None:
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    done = looked(project.root, "check-expectations")
    assert (done.returncode, done.stdout) == (
        0,
        "nothing is expected of a schedule; see docs/schedules.md\n",
    )
    unknown = looked(project.root, "check-expectations", "--env", "prodd")
    assert unknown.returncode == 2

"""What figures are put together from beside the journal: releases, and what schedules expect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from building import ProjectBuilder
from measured import DAY, NOW, WEEK, History, Repository
from stagebook.evidence import SERIES, Place, figures_of, gather
from stagebook.indicators.facts import FreshBound
from stagebook.releases.release import FOLDER
from stagebook.workspace.settings import read_settings


@pytest.fixture
def history(builder: ProjectBuilder) -> Iterator[History]:
    made = History(builder.root)
    yield made
    made.close()


def fresh(history: History, environment: str) -> list[FreshBound]:
    place = Place(
        root=history.root,
        journal=history.journal,
        settings=read_settings(history.root),
        environment=environment,
    )
    return list(gather(place, NOW - DAY).fresh)


def test_schedules_expect_something_in_their_environment_alone(
    history: History, builder: ProjectBuilder
) -> None:
    builder.pipeline(
        """
        schedules:
          here: {every: 1h, expect: {fresh: 2h}}
          there: {every: 1h, env: prod, expect: {fresh: 3h}}
          silent: {every: 1h}
          timely: {every: 1h, expect: {within: 10m}}
        stages: {}
        """,
        "p",
    )
    builder.pipeline("stages: [", "broken")
    builder.file(
        "stagebook.toml",
        "[environments.prod.schedules.nightly]\npipeline = 'q'\ncron = '0 2 * * *'\nzone = 'UTC'\n"
        "expect = { fresh = '1d' }\n",
    )
    assert fresh(history, "dev") == [FreshBound(pipeline="p", schedule="here", within=7200.0)]
    assert fresh(history, "prod") == [
        FreshBound(pipeline="p", schedule="there", within=10_800.0),
        FreshBound(pipeline="q", schedule="nightly", within=86_400.0),
    ]


def test_a_release_that_is_gone_leaves_its_deployment_without_a_commit(history: History) -> None:
    repository = Repository(history.root)
    commits = [repository.commit(NOW - days * DAY) for days in (9, 8)]
    for days, commit in zip((5, 4), commits, strict=True):
        history.deploy(NOW - days * DAY, commit)
    gone, kept = sorted(
        (history.root / ".stagebook" / FOLDER).iterdir(), key=lambda path: commits[0] not in path.read_text()
    )
    gone.unlink()
    found = gather(history.place, NOW - WEEK).deployments
    assert [(one.commit, one.committed) for one in found] == [("", None), (commits[1], NOW - 8 * DAY)]
    kept.write_text("{}")
    assert [one.commit for one in gather(history.place, NOW - WEEK).deployments] == ["", ""]


def test_when_what_was_not_committed_was_made_nobody_knows(history: History) -> None:
    """Though another release was made of that commit as it is."""
    commit = Repository(history.root).commit(NOW - 9 * DAY)
    history.deploy(NOW - 5 * DAY, commit)
    history.deploy(NOW - 4 * DAY, commit, changed=("notebooks/a.ipynb",))
    found = gather(history.place, NOW - WEEK).deployments
    assert [(one.commit, one.committed) for one in found] == [(commit, NOW - 9 * DAY), (commit, None)]


def test_git_is_asked_where_the_project_is(history: History) -> None:
    """A release runs in a folder of its environment, which is no checkout."""
    repository = Repository(history.root)
    history.deploy(NOW - DAY, repository.commit(NOW - 2 * DAY))
    tree = history.root / ".stagebook" / "environments" / "prod" / "trees" / "abc"
    tree.mkdir(parents=True)
    (tree.parent.parent / "state").mkdir()
    (tree / ".stagebook").symlink_to("../../state")
    place = Place(root=tree, journal=history.journal, settings=history.settings, environment="prod")
    (found,) = figures_of(place, until=NOW)
    assert found.find("lead_time_median").value == DAY


def test_by_default_there_are_points_of_twelve_weeks(history: History) -> None:
    history.run("r", NOW - 80 * DAY)
    history.run("r2", NOW - DAY)
    (found,) = figures_of(history.place, until=NOW)
    points = found.find("runs").trend.points
    assert len(points) == SERIES
    assert [point.value for point in points] == [1.0, *[None] * 10, 1.0]
    assert found.to_json()["indicators"][0]["trend"]["points"][0]["start"] == NOW - 12 * WEEK

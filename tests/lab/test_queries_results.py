"""What runs came to, for the table of runs, and the attempts of their stages."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from journals import alter
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    RunEnded,
    RunStarted,
    StageEnded,
    StageRetrying,
    StageReused,
    Status,
)
from stagebook.project import Project
from stagebook_lab.queries.compare import compare_reply
from stagebook_lab.queries.results import Results
from stagebook_lab.queries.runs import MAX_POINTS, POINTS, run_reply, runs_reply

PLAN = {
    "params": {"depth": 3},
    "stages": [{"id": name, "stage": name, "notebook": "n.ipynb"} for name in ("load", "fit", "report")],
}


def scraps(**values: object) -> dict[str, dict[str, object]]:
    return {name: {"kind": "json", "value": value} for name, value in values.items()}


def begun(run: str, at: float = 10.0, **more: str) -> RunStarted:
    return RunStarted(run=run, at=at, pipeline="p", plan=PLAN, **more)  # type: ignore[arg-type]


def first() -> list[Event]:
    """A run whose `fit` fails at first, and whose `report` never begins."""
    return [
        begun("first"),
        StageReused(run="first", at=10.5, stage="load", of_run="older", scraps=scraps(rows=7)),
        StageEnded(run="first", at=10.5, stage="load", status=Status.REUSED),
        AttemptStarted(run="first", at=11.0, stage="fit", attempt=1, folder="x/1"),
        AttemptEnded(
            run="first",
            at=13.0,
            stage="fit",
            attempt=1,
            seconds=2.0,
            cause=Cause.EXCEPTION,
            message="no disk",
        ),
        StageRetrying(run="first", at=13.0, stage="fit", attempt=2, delay=2.0),
        AttemptStarted(run="first", at=15.0, stage="fit", attempt=2, folder="x/2"),
        AttemptEnded(
            run="first", at=18.0, stage="fit", attempt=2, seconds=3.0, scraps=scraps(loss=0.25, name="ada")
        ),
        StageEnded(run="first", at=18.0, stage="fit", status=Status.COMPLETED),
        StageEnded(run="first", at=18.0, stage="report", status=Status.BLOCKED),
    ]


@pytest.fixture
def project(builder: ProjectBuilder) -> Project:
    (builder.root / "pipelines").mkdir()
    project = builder.project
    project.journal.append(first())
    return project


def test_a_run_in_the_list_has_its_numbers_its_statuses_and_what_it_reused(project: Project) -> None:
    reply = runs_reply(project, "p", 10)
    result = reply.results["first"]
    assert result.metrics == {"load.rows": 7.0, "fit.loss": 0.25}
    assert result.statuses == {"reused": 1, "completed": 1, "blocked": 1}
    assert result.reused == ("load",)
    assert reply.results.keys() == {run.id for run in reply.runs}


def test_what_a_run_came_to_that_has_ended_is_read_once(project: Project) -> None:
    results = Results()
    (going_on,) = project.history.runs("p")
    assert going_on.ended is None
    project.journal.append(
        [AttemptEnded(run="first", at=19.0, stage="report", attempt=1, seconds=1.0, scraps=scraps(pages=4))]
    )
    assert results.of(project, [going_on])["first"].metrics["report.pages"] == 4
    project.journal.append([RunEnded(run="first", at=20.0, status=Status.COMPLETED)])
    ended = project.history.runs("p")
    before = results.of(project, ended)
    alter(project.journal.path, "DELETE FROM events WHERE run = 'first'")
    assert results.of(project, ended) == before
    assert Results().of(project, ended)["first"].metrics == {}


def test_of_many_sweeps_not_all_points_are_listed_and_the_rest_is_counted(project: Project) -> None:
    sweeps = MAX_POINTS // POINTS + 1
    for number in range(sweeps):
        name = f"sweep{number}"
        points = [begun(f"{name}-{at}", parent=name) for at in range(POINTS)]
        project.journal.append([begun(name, kind="sweep"), *points])
    reply = runs_reply(project, "p", 50)
    listed = [run.parent for run in reply.runs if run.parent]
    assert len(listed) == MAX_POINTS
    assert "sweep0" not in listed
    assert reply.points["sweep0"] == POINTS


def test_a_run_has_all_attempts_of_its_stages(project: Project) -> None:
    attempts = run_reply(project, project.history.find("first")).attempts
    assert attempts.keys() == {"fit"}
    failed, good = attempts["fit"]
    assert (failed.started, failed.ended, failed.cause, failed.message) == (
        11.0,
        13.0,
        "exception",
        "no disk",
    )
    assert (good.attempt, good.started, good.ended, good.cause) == (2, 15.0, 18.0, "")


def test_an_attempt_ends_with_its_run(project: Project) -> None:
    project.journal.append(
        [
            AttemptStarted(run="first", at=19.0, stage="report", attempt=1, folder="y/1"),
            RunEnded(run="first", at=25.0, status=Status.INTERRUPTED),
        ]
    )
    (one,) = run_reply(project, project.history.find("first")).attempts["report"]
    assert (one.ended, one.cause) == (25.0, "interrupted")


def test_runs_side_by_side_have_the_statuses_of_their_stages(project: Project) -> None:
    project.journal.append(
        [begun("second"), StageEnded(run="second", at=12.0, stage="fit", status=Status.FAILED)]
    )
    rows = {row.name: row for row in compare_reply(project, ["first", "second"]).states}
    assert (rows["fit"].values, rows["fit"].differs) == (("completed", "failed"), True)
    assert rows["load"].values == ("reused", "pending")

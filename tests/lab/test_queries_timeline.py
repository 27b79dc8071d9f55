"""Runs over time as the server's side tells them: each run once, each interval in its state, in the time zone of the schedule."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import ProjectBuilder
from journals import HERE, alive
from stagebook.errors import RunNotFound, UsageError
from stagebook.events import AttemptStarted, Event, RunEnded, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal
from stagebook.project import Project
from stagebook.timing.reading import parse_interval
from stagebook.timing.zones import at as moment_at
from stagebook_lab.queries import timeline
from stagebook_lab.queries.timeline import MOST_RUNS, calendar_reply, grid_reply, stage_of_run_reply

NOW = dt.datetime(2026, 1, 20, 12, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0
PIPELINE = """
schedules:
  daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day}
stages:
  a: {notebook: notebooks/n.ipynb, params: {day: "${interval.name}"}}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> Project:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("n", "1", params="day = ''")
    builder.pipeline(PIPELINE)
    return builder.project


def begun(run: str, at: float, day: str = "", stages: tuple[str, ...] = ("a",)) -> RunStarted:
    interval = parse_interval(day, "Europe/Berlin").to_json() if day else {}
    plan = {"stages": [{"id": name, "notebook": "notebooks/n.ipynb"} for name in stages]}
    schedule = "daily" if day else ""
    return RunStarted(run=run, at=at, pipeline="p", plan=plan, interval=interval, schedule=schedule)


def ran(project: Project, run: str, at: float, day: str = "", status: Status = Status.COMPLETED) -> None:
    ended: list[Event] = [
        AttemptStarted(run=run, at=at, stage="a", attempt=1, folder=f".stagebook/runs/{run}/a/1"),
        StageEnded(run=run, at=at + 1.0, stage="a", status=status, reason="because"),
        RunEnded(run=run, at=at + 1.0, status=status),
    ]
    project.journal.append([begun(run, at, day), *ended])


def states(project: Project, **fields: int) -> dict[str, str]:
    """The states of the intervals that lack something, and how many are done, by day."""
    reply = calendar_reply(project, "p", "dev", "day", fields.get("count", 10), at=NOW)
    found = {}
    for place in reply.places:
        found |= {it.name: it.state for it in place.lacking}
        found |= {place.name: "done"} if place.intervals.get("done") else {}
    return found


def test_each_interval_is_in_the_state_that_its_runs_left(project: Project) -> None:
    assert states(project) == {}, "nothing is expected before anything ran"
    ran(project, "r1", NOW - 8 * DAY, "2026-01-12")
    ran(project, "r2", NOW - 7 * DAY, "2026-01-13", Status.FAILED)
    ran(project, "r3", NOW - 7 * DAY + 60, "2026-01-13")
    ran(project, "r4", NOW - 6 * DAY, "2026-01-14")
    ran(project, "r5", NOW - 6 * DAY + 60, "2026-01-14", Status.FAILED)
    ran(project, "r6", NOW - 5 * DAY, "2026-01-15", Status.FAILED)
    ran(project, "r7", NOW - 4 * DAY, "2026-01-16", Status.CANCELLED)
    ran(project, "r8", NOW - 4 * DAY + 60, "2026-01-17", Status.INTERRUPTED)
    project.journal.begin(begun("r9", NOW - 60, "2026-01-18"), HERE, alive)
    assert states(project) == {
        "2026-01-12": "done",
        "2026-01-13": "done",
        "2026-01-14": "done",  # it completed once; whether it would today, a plan of a backfill says
        "2026-01-15": "failed",
        "2026-01-16": "missing",
        "2026-01-17": "failed",
        "2026-01-18": "running",
        "2026-01-19": "missing",
    }
    early = calendar_reply(project, "p", "dev", "day", 10, at=NOW - 12 * 3600)  # 2026-01-20, 01:00 in Berlin
    assert early.places[-2].intervals == {}, "the day is over, and fires at six"


def test_days_are_those_of_the_schedules_time_zone(project: Project) -> None:
    late = dt.datetime(2026, 1, 18, 23, 30, tzinfo=dt.UTC).timestamp()  # half an hour into the 19th in Berlin
    ran(project, "r1", late)
    reply = calendar_reply(project, "p", "dev", "day", 3, at=NOW)
    assert (reply.zone, reply.schedule) == ("Europe/Berlin", "daily")
    assert [(place.name, place.runs) for place in reply.places] == [
        ("2026-01-18", {}), ("2026-01-19", {"completed": 1}), ("2026-01-20", {}),
    ]  # fmt: skip
    within = (reply.places[1].start, reply.places[1].end)
    assert [run.id for run in grid_reply(project, "p", "dev", 5, within).runs] == ["r1"]
    assert grid_reply(project, "p", "dev", 5, (reply.places[2].start, None)).runs == ()
    other = calendar_reply(project, "q", "dev", "month", 2, at=NOW)
    assert (other.zone, other.schedule, [place.name for place in other.places]) == (
        "UTC", "", ["2025-12", "2026-01"],
    )  # fmt: skip


def test_a_year_of_months_and_a_change_of_clocks_leave_no_gap(project: Project) -> None:
    for period, count in (("month", 30), ("day", 400)):
        places = calendar_reply(project, "p", "dev", period, count, at=NOW).places
        assert len(places) == count
        assert all(one.end == later.start for one, later in itertools.pairwise(places))
        assert places[-1].start <= NOW < places[-1].end
    assert len(calendar_reply(project, "p", "dev", "day", 0, at=NOW).places) == 35
    assert len(calendar_reply(project, "p", "dev", "day", 10**9, at=NOW).places) == 400
    with pytest.raises(UsageError, match="by 'day' or by 'month', not by 'hour'"):
        calendar_reply(project, "p", "dev", "hour", 3)


def test_too_many_intervals_are_said_to_be(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(project, "r1", NOW - 8 * DAY, "2026-01-12")
    monkeypatch.setattr(timeline, "MOST_INTERVALS", 7)
    assert calendar_reply(project, "p", "dev", "day", 10, at=NOW).too_many
    monkeypatch.setattr(timeline, "MOST_INTERVALS", 8)
    reply = calendar_reply(project, "p", "dev", "day", 10, at=NOW)
    assert (reply.too_many, sum(sum(place.intervals.values()) for place in reply.places)) == (False, 8)


@contextlib.contextmanager
def kept(folder: Path) -> Iterator[Project]:
    builder = ProjectBuilder(folder)
    builder.without_tracking()
    builder.notebook("n", "1", params="day = ''")
    builder.pipeline(PIPELINE)
    yield builder.project
    builder.close()


MOMENTS = st.floats(min_value=NOW - 40 * DAY, max_value=NOW, allow_nan=False)
ENDS = st.sampled_from([Status.COMPLETED, Status.FAILED, Status.CANCELLED])


@given(st.lists(st.tuples(MOMENTS, ENDS), max_size=8), st.integers(1, 45))
def test_each_run_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[float, Status]], count: int
) -> None:
    """Law: every run that began in what is shown is counted in one day, with its status."""
    with kept(tmp_path_factory.mktemp("law")) as project:
        project.journal.relax()
        for number, (at, status) in enumerate(runs):
            ran(project, f"r{number}", at, status=status)
        places = calendar_reply(project, "p", "dev", "day", count, at=NOW).places
        seen = [status for at, status in runs if at >= places[0].start]
        for status in ("completed", "failed", "cancelled"):
            assert sum(place.runs.get(status, 0) for place in places) == seen.count(Status(status))


def test_a_grid_is_cut_to_what_is_asked_for_and_says_so(project: Project) -> None:
    for number in range(6):
        ran(project, f"r{number}", NOW + number)
    reply = grid_reply(project, "p", "dev", 4)
    assert ([run.id for run in reply.runs], reply.older) == (["r2", "r3", "r4", "r5"], 2)
    assert len(grid_reply(project, "p", "dev", 0).runs) == 1
    assert len(grid_reply(project, "p", "dev", 10 * MOST_RUNS).runs) == 6


def test_the_stages_of_a_grid_are_in_the_order_of_the_newest_run(project: Project) -> None:
    for number, names in enumerate((("old", "a"), ("a", "b"), ("b", "new", "a"))):
        run = f"r{number}"
        project.journal.append(
            [
                begun(run, NOW + number, stages=names),
                RunEnded(run=run, at=NOW + number, status=Status.COMPLETED),
            ]
        )
    assert grid_reply(project, "p", "dev", 5).stages == ("b", "new", "a", "old")


def test_what_is_known_of_an_environment_is_in_its_own_journal(project: Project) -> None:
    assert grid_reply(project, "p", "prod", 5).runs == ()
    state = project.environments.state("prod")
    state.mkdir(parents=True)
    with contextlib.closing(Journal(state / "journal.db")) as journal:
        journal.append([begun("there", NOW - DAY, "2026-01-18")])
    # Nobody owns it: its process is gone.
    (run,) = grid_reply(project, "p", "prod", 5).runs
    assert (run.id, run.status, run.interval, run.schedule) == ("there", "interrupted", "2026-01-18", "daily")
    detail = stage_of_run_reply(project, "prod", "there", "a")
    assert detail.stage is not None
    assert (detail.stage.id, detail.stage.status) == ("a", "blocked")
    assert stage_of_run_reply(project, "prod", "there", "none").stage is None
    for environment in ("dev", "prod"):
        with pytest.raises(RunNotFound, match=f"there is no run 'x' in {environment}"):
            stage_of_run_reply(project, environment, "x", "a")
    with pytest.raises(UsageError, match="prd"):
        grid_reply(project, "p", "prd", 5)


def test_a_run_of_the_past_is_as_it_was_then(project: Project) -> None:
    ran(project, "r1", NOW, "2026-01-19", Status.FAILED)
    ran(project, "r2", NOW + 60, "2026-01-19")
    detail = stage_of_run_reply(project, "dev", "r1", "a")
    assert detail.stage is not None
    assert (detail.stage.status, detail.stage.reason, detail.stage.run) == ("failed", "because", "r1")
    assert (detail.run.interval, moment_at(detail.run.started)) == ("2026-01-19", moment_at(NOW))
    assert dataclasses.asdict(detail.run)["stages"] == {"a": "failed"}

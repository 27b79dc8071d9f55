"""What a run is about: the interval that is asked for, or that of a schedule."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import pytest

from building import load
from journals import started
from stagebook.errors import UsageError
from stagebook.pipeline.model import Pipeline, Schedule
from stagebook.runs.intervals import (
    as_scheduled,
    interval_for,
    interval_of,
    intervals_between,
    latest_of,
    those_over,
)
from stagebook.runs.request import RunRequest
from stagebook.timing.reading import parse_interval
from stagebook.timing.times import CronTimes, EveryTimes
from stagebook.timing.zones import UTC

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=UTC)
DAILY = Schedule(
    name="daily",
    times=CronTimes("0 6 * * *", "Europe/Berlin"),
    zone="Europe/Berlin",
    interval="day",
    params={"n": 1},
)
EACH = Schedule(name="each", times=EveryTimes(3600))
NEWS = Schedule(name="news", on=("a.b.c",))
MONTHS = Schedule(name="months", on=("a.b.c",), interval="month", zone="Europe/Berlin")
SCHEDULES = {one.name: one for one in (NEWS, DAILY, EACH, MONTHS)}


def pipeline(text: str = "") -> Pipeline:
    made: Pipeline = load(f"stages: {{a: {{notebook: n.ipynb, params: {{x: '{text}'}}}}}}").pipeline
    return made


ABOUT = pipeline("${interval.name}")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "2026-01-04..2026-01-05[Europe/Berlin]"),
        ({"schedule": "each"}, "2026-01-05T11:00:00+00:00..2026-01-05T12:00:00+00:00[UTC]"),
        ({"schedule": "months"}, "2025-12-01..2026-01-01[Europe/Berlin]"),
        ({"interval": "2026-01-02"}, "2026-01-02..2026-01-03[Europe/Berlin]"),
        ({"interval": "2026-01-02", "schedule": "each"}, "2026-01-02..2026-01-03[UTC]"),
        ({"interval": "2026-01-02[UTC]"}, "2026-01-02..2026-01-03[UTC]"),
    ],
)
def test_it_is_what_is_asked_for_or_what_the_schedule_says(asked: dict[str, str], expected: str) -> None:
    assert str(interval_for(ABOUT, RunRequest(**asked), SCHEDULES, NOW)) == expected


def test_a_pipeline_that_mentions_none_is_about_none() -> None:
    assert interval_for(pipeline("x"), RunRequest(), SCHEDULES, NOW) is None
    assert interval_for(pipeline("x"), RunRequest(schedule="daily"), SCHEDULES, NOW) is not None
    assert interval_for(ABOUT, RunRequest(), {}, NOW) is None
    assert interval_for(ABOUT, RunRequest(), {"news": NEWS}, NOW) is None
    assert latest_of(NEWS, NOW) is None


def test_a_request_has_the_parameters_of_its_schedule_under_its_own() -> None:
    assert as_scheduled(RunRequest(schedule="daily"), SCHEDULES).values == {"n": 1}
    assert as_scheduled(RunRequest(schedule="daily", values={"n": 2}), SCHEDULES).values == {"n": 2}
    assert as_scheduled(RunRequest(schedule="daily", pairs=("n=3",)), SCHEDULES).values == {}
    assert as_scheduled(RunRequest(), SCHEDULES) == RunRequest()


def test_a_schedule_that_is_not_there_is_told_but_for_a_chosen_run() -> None:
    with pytest.raises(UsageError, match="there is no schedule 'dayly'") as caught:
        as_scheduled(RunRequest(schedule="dayly"), SCHEDULES)
    assert caught.value.hint == "did you mean 'daily'?"
    chosen = RunRequest(schedule="gone", run_id="r")
    assert as_scheduled(chosen, SCHEDULES) is chosen


def test_a_run_says_what_asks_for_the_same() -> None:
    for text in ("2026-01-05", "2026-10-25T02+0100", "2026-01-05T06:15..2026-01-05T06:30"):
        one = parse_interval(text, "Europe/Berlin")
        event = dataclasses.replace(started(), interval=one.to_json())
        assert parse_interval(interval_of(event)) == one
    assert interval_of(started()) == ""


@pytest.mark.parametrize(
    ("start", "end", "every", "zone", "first", "last", "count"),
    [
        ("2026-01", "2026-02", "month", "", "2026-01", "2026-02", 2),
        ("2026-01-05", "2026-01-07", "", "", "2026-01-05", "2026-01-07", 3),
        ("2026-01-05", "2026-01-05", "hour", "UTC", "2026-01-05T00", "2026-01-05T23", 24),
        ("2026-03-29", "2026-03-29", "hour", "", "2026-03-29T00", "2026-03-29T23", 23),
    ],
)
def test_the_intervals_between_two_texts_are_those_of_the_unit_or_of_the_schedule(
    start: str, end: str, every: str, zone: str, first: str, last: str, count: int
) -> None:
    found = intervals_between(start, end, every, zone, [NEWS, DAILY])
    assert (found[0].name, found[-1].name, len(found)) == (first, last, count)
    assert {one.zone for one in found} == {zone or "Europe/Berlin"}
    assert all(one.end == later.start for one, later in itertools.pairwise(found))


def test_without_a_unit_they_are_the_stretches_between_firings() -> None:
    found = intervals_between("2026-01-05T06", "2026-01-05T08", "", "", [NEWS, EACH])
    assert [one.name for one in found] == ["2026-01-05T06", "2026-01-05T07", "2026-01-05T08"]
    with pytest.raises(UsageError, match="how long is an interval") as caught:
        intervals_between("2026", "2026", "", "", [NEWS])
    assert "--every" in caught.value.hint
    with pytest.raises(UsageError, match="from when on"):
        intervals_between("", "2026", "day", "", [])


def test_without_an_end_they_go_on_until_now() -> None:
    found = intervals_between("2026-01", "", "month", "", [])
    assert found[-1].end <= dt.datetime.now(dt.UTC) < found[-1].end + dt.timedelta(days=32)


def test_of_what_is_not_over_nobody_knows_what_belongs_to_it() -> None:
    days = intervals_between("2026-01-01", "2026-01-04", "day", "", [])
    noon = dt.datetime(2026, 1, 3, 12, tzinfo=dt.UTC)
    found, left = those_over(days, noon)
    assert [one.name for one in found] == ["2026-01-01", "2026-01-02"]
    assert [one.name for one in left] == ["2026-01-03", "2026-01-04"]
    assert those_over(days[:3], days[2].end) == (days[:3], []), "an end is not part of it"
    with pytest.raises(UsageError, match="no interval from 2026-01-03 on is over yet"):
        those_over(days[2:], noon)

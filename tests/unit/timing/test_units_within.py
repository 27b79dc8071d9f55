"""The intervals between two moments: units of the calendar, or those of a schedule."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.timing.due import intervals_within
from stagebook.timing.times import CronTimes, EveryTimes
from stagebook.timing.units import UNITS, Unit, last_complete, unit_from, units_within

UTC = dt.UTC
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(UTC)


def names(unit: Unit, start: str, end: str, zone: str = "UTC") -> list[str]:
    return [one.name for one in units_within(unit, moment(start), moment(end), zone)]


@pytest.mark.parametrize(
    ("unit", "start", "end", "expected"),
    [
        (
            "day",
            "2026-02-27T00:00+00:00",
            "2026-03-02T00:00+00:00",
            ["2026-02-27", "2026-02-28", "2026-03-01"],
        ),
        ("day", "2026-02-27T00:01+00:00", "2026-03-01T23:59+00:00", ["2026-02-28"]),
        ("month", "2025-12-01T00:00+00:00", "2026-03-01T00:00+00:00", ["2025-12", "2026-01", "2026-02"]),
        ("week", "2026-01-01T00:00+00:00", "2026-01-19T00:00+00:00", ["2026-W02", "2026-W03"]),
        ("year", "2024-06-01T00:00+00:00", "2027-01-01T00:00+00:00", ["2025", "2026"]),
        ("hour", "2026-01-01T22:30+00:00", "2026-01-02T01:00+00:00", ["2026-01-01T23", "2026-01-02T00"]),
        ("month", "2026-01-02T00:00+00:00", "2026-01-31T00:00+00:00", []),
    ],
)
def test_whole_units_alone(unit: Unit, start: str, end: str, expected: list[str]) -> None:
    assert names(unit, start, end) == expected


def test_clocks_that_change_make_days_of_another_length() -> None:
    found = list(
        units_within(
            "day", moment("2026-03-28T00:00+01:00"), moment("2026-03-31T00:00+02:00"), "Europe/Berlin"
        )
    )
    assert [(one.end - one.start).total_seconds() / 3600 for one in found] == [24, 23, 24]
    hours = list(
        units_within(
            "hour", moment("2026-10-25T01:00+02:00"), moment("2026-10-25T04:00+01:00"), "Europe/Berlin"
        )
    )
    assert len(hours) == 4
    assert len({one.name for one in hours}) == 4, "the hour that comes twice has two names"


@given(
    st.sampled_from(UNITS),
    st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 1, 1)),  # noqa: DTZ001 - in UTC
    st.integers(1, 40),
    st.sampled_from(ZONES),
)
def test_units_have_no_gap_and_no_overlap(unit: Unit, start: dt.datetime, count: int, zone: str) -> None:
    begin = start.replace(microsecond=0, tzinfo=UTC)
    far = begin + dt.timedelta(days=400 * 60)
    found = list(itertools.islice(units_within(unit, begin, far, zone), count))
    assert len(found) == count
    assert begin <= found[0].start
    assert last_complete(unit, found[0].end, zone) == found[0]
    for before, after in itertools.pairwise(found):
        assert before.end == after.start
        assert unit_from(unit, after.start, zone) == after


def test_of_a_schedule_they_are_what_is_between_its_firings() -> None:
    cron = CronTimes("0 6 * * *", "Europe/Berlin")
    start, end = moment("2026-10-24T00:00+02:00"), moment("2026-10-27T00:00+01:00")
    found = list(intervals_within(cron, None, "Europe/Berlin", start, end))
    assert [one.start.isoformat() for one in found] == [
        "2026-10-24T04:00:00+00:00",
        "2026-10-25T05:00:00+00:00",
    ]
    assert found[0].end == found[1].start
    every = EveryTimes(3600 * 6)
    found = list(
        intervals_within(
            every, None, "UTC", moment("2026-01-01T00:00+00:00"), moment("2026-01-02T00:00+00:00")
        )
    )
    assert [one.name for one in found] == [
        "2026-01-01T0000",
        "2026-01-01T0600",
        "2026-01-01T1200",
        "2026-01-01T1800",
    ]
    monthly = list(
        intervals_within(
            cron, "month", "UTC", moment("2026-01-01T00:00+00:00"), moment("2026-02-01T00:00+00:00")
        )
    )
    assert [one.name for one in monthly] == ["2026-01"], "its unit comes first"
    assert list(intervals_within(None, None, "UTC", start, end)) == []

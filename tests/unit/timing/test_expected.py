"""By when something is expected, also where clocks are changed."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.timing.expected import Expectations, read_clock, read_usual
from stagebook.timing.zones import find_zone, local_of

UTC = dt.UTC
BERLIN = "Europe/Berlin"


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("due", "by", "until"),
    [
        ("2026-01-05T02:00+01:00", "06:00", "2026-01-05T06:00+01:00"),
        ("2026-01-05T06:00+01:00", "06:00", "2026-01-06T06:00+01:00"),
        ("2026-01-05T22:00+01:00", "6:00", "2026-01-06T06:00+01:00"),
        ("2026-03-29T01:00+01:00", "02:30", "2026-03-29T03:00+02:00"),  # there is no such time on that day
        ("2026-10-25T01:00+02:00", "02:30", "2026-10-25T02:30+02:00"),  # there are two, and the first counts
        ("2026-10-25T02:45+02:00", "02:30", "2026-10-26T02:30+01:00"),
    ],
)
def test_it_is_the_first_such_time_after_it_was_due(due: str, by: str, until: str) -> None:
    found = Expectations(end_by=read_clock(by)).deadline(moment(due), BERLIN)
    assert found == moment(until)


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2060, 1, 1)), st.times())  # noqa: DTZ001 - in UTC
def test_a_deadline_comes_within_a_day_and_an_hour(due: dt.datetime, by: dt.time) -> None:
    by = by.replace(second=0, microsecond=0)
    moment = due.replace(tzinfo=UTC)
    found = Expectations(end_by=by).deadline(moment, BERLIN)
    assert found is not None
    assert moment < found <= moment + dt.timedelta(hours=49)
    shown = local_of(found, find_zone(BERLIN)).time()
    assert shown == by or abs(shown.hour - by.hour) <= 1, "where clocks leave it out, the end of that"


def test_without_one_nothing_is_late() -> None:
    assert Expectations().deadline(moment("2026-01-05T02:00+01:00"), BERLIN) is None


def test_the_shorter_of_two_bounds_holds() -> None:
    both = Expectations(duration=100.0, usual=2.0)
    assert both.longest(30.0) == 60.0
    assert both.longest(300.0) == 100.0
    assert both.longest(None) == 100.0
    assert Expectations(usual=2.0).longest(None) is None
    assert Expectations().longest(30.0) is None


@pytest.mark.parametrize("text", ["2 x usual", "2x usual", "2 \u00d7 usual", "2.0*USUAL", " 2 * usual "])
def test_a_factor_is_read_as_people_write_it(text: str) -> None:
    assert read_usual(text) == 2.0


@pytest.mark.parametrize("text", ["usual", "x usual", "-2 x usual", "2", "2h", ""])
def test_what_is_no_factor_is_none(text: str) -> None:
    assert read_usual(text) is None


@pytest.mark.parametrize("text", ["24:00", "6", "06:60", "6am", "", "06:00:00"])
def test_what_is_no_time_of_day_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a time of day such as 06:00"):
        read_clock(text)

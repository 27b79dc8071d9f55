"""Intervals: what they are called, how they read, and which one a text names."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.timing.due import interval_of, latest_interval
from stagebook.timing.interval import NAMES, Interval, IntervalInvalid
from stagebook.timing.reading import parse_interval
from stagebook.timing.times import CronTimes, EveryTimes, Times
from stagebook.timing.units import UNITS, Unit, last_complete, start_of, unit_from
from stagebook.timing.zones import UTC
from timings import ZONES, all_times, firings, moments

BERLIN = "Europe/Berlin"
_BEFORE = "the interval ends before it starts:"
units = st.sampled_from(UNITS)


def days(text: str, zone: str = BERLIN) -> Interval:
    return parse_interval(text, zone)


@pytest.mark.parametrize(
    ("text", "start", "end", "name"),
    [
        ("2026-01-05", "2026-01-05", "2026-01-06", "2026-01-05"),
        ("2026-01", "2026-01-01", "2026-02-01", "2026-01"),
        ("2026", "2026-01-01", "2027-01-01", "2026"),
        ("2026-W02", "2026-01-05", "2026-01-12", "2026-W02"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2026-W01"),
        ("2026-01-05T06", "2026-01-05T06:00:00+01:00", "2026-01-05T07:00:00+01:00", "2026-01-05T06"),
        ("2026-01-05..2026-01-08", "2026-01-05", "2026-01-08", "2026-01-05T0000"),
        ("2026-01..2026-03", "2026-01-01", "2026-03-01", "2026-01-01T0000"),
        ("2026-01-05T06:15..2026-01-05T06:30", "2026-01-05T06:15:00+01:00", "2026-01-05T06:30:00+01:00", "2026-01-05T0615"),
        ("2026-01-05T06:00Z..2026-01-05T06:00:30Z", "2026-01-05T07:00:00+01:00", "2026-01-05T07:00:30+01:00", "2026-01-05T0700"),
        ("2026-10-25T02", "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02"),
        ("2026-10-25T02+0100", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00", "2026-10-25T02+0100"),
        ("2026-03-29", "2026-03-29", "2026-03-30", "2026-03-29"),
    ],
)  # fmt: skip
def test_an_interval_reads_and_is_called_so(text: str, start: str, end: str, name: str) -> None:
    found = days(text)
    scope = found.to_scope()
    assert tuple(scope) == NAMES
    assert (scope["start"], scope["end"], scope["name"]) == (start, end, name)
    assert scope["year"] == int(start[:4])
    assert parse_interval(str(found)) == found


@given(unit=units, zone=st.sampled_from(ZONES), moment=moments)
def test_units_follow_each_other_without_gap(unit: Unit, zone: str, moment: dt.datetime) -> None:
    start = start_of(unit, moment, zone)
    assert start <= moment
    assert start_of(unit, start, zone) == start
    this = unit_from(unit, start, zone)
    assert this.start <= moment < this.end
    assert unit_from(unit, this.end, zone).start == this.end
    assert last_complete(unit, this.end, zone) == this
    assert last_complete(unit, moment, zone).end == start


@given(unit=units, zone=st.sampled_from(ZONES), moment=moments)
def test_the_label_of_a_unit_names_it(unit: Unit, zone: str, moment: dt.datetime) -> None:
    one = last_complete(unit, moment, zone)
    assert re.fullmatch(r"[0-9TW+-]+", one.name)
    if (
        unit != "hour" or zone != "Australia/Lord_Howe"
    ):  # an hour of an hour and a half has another label there
        assert parse_interval(one.name, zone) == one
    assert parse_interval(str(one)) == one
    assert Interval.from_json(one.to_json()) == one


@settings(max_examples=40)
@given(times=all_times, moment=moments)
def test_intervals_of_firings_have_no_gap_and_no_overlap(times: Times, moment: dt.datetime) -> None:
    found = [interval_of(times, due, None) for due in firings(times, moment, 6)]
    for one, other in itertools.pairwise(found):
        assert one.end == other.start
    assert len({one.name for one in found}) == len(found), "labels tell them apart, also in autumn"
    for one in found:
        assert parse_interval(str(one)) == one
        # A label finds its interval again with the schedule.
        assert parse_interval(one.name, times.zone, [(times, None)]).start == one.start


def test_the_latest_interval_is_complete() -> None:
    now = dt.datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert (
        str(latest_interval(CronTimes("0 6 * * *", BERLIN), now, "day"))
        == f"2026-01-04..2026-01-05[{BERLIN}]"
    )
    assert str(latest_interval(EveryTimes(3600), now, None)) == (
        "2026-01-05T11:00:00+00:00..2026-01-05T12:00:00+00:00[UTC]"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-01-06..2026-01-05", f"{_BEFORE} 2026-01-06T00:00:00+01:00 to 2026-01-05T00:00:00+01:00"),
        ("2026-01-05..2026-01-05", f"{_BEFORE} 2026-01-05T00:00:00+01:00 to 2026-01-05T00:00:00+01:00"),
        ("2026-13", "'2026-13' is no time"),
        ("2026-02-30", "'2026-02-30' is no time"),
        ("0001", "'0001' is no time"),
        ("9999-12", "'9999-12' is no time"),
        ("yesterday", "'yesterday' names no interval"),
        ("", "'' names no interval"),
        ("..", "'' is no time"),
        ("2026-01-05T0615", "no schedule of the pipeline has an interval '2026-01-05T0615'"),
        ("2026-01-05[Europe/Berlim]", "there is no time zone 'Europe/Berlim'"),
        ("2" * 300, "the interval has too many characters"),
    ],
)  # fmt: skip
def test_what_is_no_interval(text: str, message: str) -> None:
    with pytest.raises(IntervalInvalid) as caught:
        days(text)
    assert str(caught.value) == message
    assert caught.value.hint


@given(text=st.text("0123456789-:.TWZ+[]/ ", max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        found = parse_interval(text)
    except IntervalInvalid:
        return
    assert found.start < found.end


def test_plain_data_without_an_offset_is_refused() -> None:
    with pytest.raises(IntervalInvalid):
        Interval.from_json({"start": "2026-01-05", "end": "2026-01-06"})

"""When schedules fire: laws for cron and for every N, across both changes of the clock."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stagebook.timing.cron import CronInvalid, check_cron, follows_the_hour
from stagebook.timing.times import CronTimes, EveryTimes, Times, before, between
from stagebook.timing.zones import UTC, ZoneUnknown, find_zone, local_of, moment_of
from timings import WHOLE_HOURS, all_times, crons, firings, moments, zones


@given(times=all_times, moment=moments)
def test_firings_follow_each_other_whoever_asks_from_where(times: Times, moment: dt.datetime) -> None:
    found = firings(times, moment, 6)
    assert all(one < other for one, other in itertools.pairwise([moment, *found]))
    # From any moment in between the next one is the same: there is one order, and no path to it.
    for one, other in itertools.pairwise([moment, *found]):
        middle = one + (other - one) / 2
        assert times.after(middle.replace(microsecond=0)) == other
        assert times.after(other - dt.timedelta(seconds=1)) == other


@given(times=all_times, moment=moments)
def test_the_one_before_is_the_inverse(times: Times, moment: dt.datetime) -> None:
    first, second = firings(times, moment, 2)
    assert before(times, second) == first
    assert list(between(times, first, second)) == [second]


@given(text=crons, zone=st.sampled_from(WHOLE_HOURS), moment=moments)
@example(text="30,45 2 * * *", zone="Europe/Berlin", moment=dt.datetime(2026, 3, 28, 22, tzinfo=UTC))
@example(text="*/20 * * * *", zone="Europe/Berlin", moment=dt.datetime(2026, 10, 24, 23, tzinfo=UTC))
def test_they_are_those_of_cronsim_each_once(text: str, zone: str, moment: dt.datetime) -> None:
    # In zones whose clocks move by whole hours; elsewhere cronsim's steps of an hour pass over some.
    theirs: list[dt.datetime] = []
    for found in CronSim(text, moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))):
        at = found.astimezone(UTC)
        if at > moment and (not theirs or at > theirs[-1]):
            theirs.append(at)
        if len(theirs) == 8:
            break
    assert firings(CronTimes(text, zone), moment, 8) == theirs


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), zone=zones, moment=moments)
def test_a_time_of_day_comes_once_on_each_day(hour: int, minute: int, zone: str, moment: dt.datetime) -> None:
    place = find_zone(zone)
    found = [local_of(it, place) for it in firings(CronTimes(f"{minute} {hour} * * *", zone), moment, 9)]
    assert [it.date() for it in found] == [found[0].date() + dt.timedelta(days=at) for at in range(9)]


@given(step=st.sampled_from([1, 5, 10, 15, 30]), zone=st.sampled_from(WHOLE_HOURS), moment=moments)
def test_each_so_many_minutes_goes_on_through_changes(step: int, zone: str, moment: dt.datetime) -> None:
    found = firings(CronTimes(f"*/{step} * * * *", zone), moment, 40)
    assert {other - one for one, other in itertools.pairwise(found)} == {dt.timedelta(minutes=step)}


@settings(max_examples=50)
@given(text=crons.filter(follows_the_hour), zone=zones, moment=moments)
def test_what_follows_the_hour_fires_exactly_where_clocks_show_it(
    text: str, zone: str, moment: dt.datetime
) -> None:
    place, start = find_zone(zone), moment.replace(second=0, microsecond=0)
    minutes = [start + dt.timedelta(minutes=at) for at in range(1, 150)]

    def fits(at: dt.datetime) -> bool:
        local = local_of(at, place)
        return next(CronSim(text, local.replace(fold=0) - dt.timedelta(seconds=1))) == local.replace(fold=0)

    assert list(between(CronTimes(text, zone), start, minutes[-1])) == [at for at in minutes if fits(at)]


def test_in_spring_and_autumn() -> None:
    def local(text: str, start: str, count: int) -> list[str]:
        moment = dt.datetime.fromisoformat(start)
        found = firings(CronTimes(text, "Europe/Berlin"), moment, count)
        return [it.astimezone(ZoneInfo("Europe/Berlin")).isoformat()[5:] for it in found]

    assert local("30 2 * * *", "2026-03-28T12:00+01:00", 2) == [
        "03-29T03:00:00+02:00",
        "03-30T02:30:00+02:00",
    ]
    assert local("30 2 * * *", "2026-10-24T12:00+02:00", 2) == [
        "10-25T02:30:00+02:00",
        "10-26T02:30:00+01:00",
    ]
    assert local("0 * * * *", "2026-10-25T01:30+02:00", 3) == [
        "10-25T02:00:00+02:00",
        "10-25T02:00:00+01:00",
        "10-25T03:00:00+01:00",
    ]


@given(seconds=st.integers(1, 10**6), moment=moments)
def test_every_is_a_grid_from_the_epoch(seconds: int, moment: dt.datetime) -> None:
    found = EveryTimes(seconds).after(moment)
    assert found is not None
    assert found.timestamp() % seconds == 0
    assert 0 < (found - moment).total_seconds() <= seconds


@given(zone=zones, moment=moments)
def test_a_local_time_stands_for_its_moment(zone: str, moment: dt.datetime) -> None:
    place, moment = find_zone(zone), moment.replace(microsecond=0)
    assert moment_of(local_of(moment, place), place) == moment
    later = local_of(moment, place).replace(fold=0) + dt.timedelta(minutes=30)
    end = moment_of(later, place)
    if local_of(end, place).replace(fold=0) != later:  # in a gap: its end, to the second
        before_it = (end - dt.timedelta(seconds=1)).astimezone(place).utcoffset()
        assert before_it != end.astimezone(place).utcoffset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 30 2 *", "'0 0 30 2 *' never fires: no day fits it"),
        ("0 0 31 4,6 *", "'0 0 31 4,6 *' never fires: no day fits it"),
        ("0 0 30 2 */1", "'0 0 30 2 */1' never fires: no day fits it"),
        ("61 * * * *", "'61 * * * *': its minute cannot be read"),
        ("* * 0 * *", "'* * 0 * *': its day-of-month cannot be read"),
        ("* * * 13 *", "'* * * 13 *': its month cannot be read"),
        ("* * * * 8", "'* * * * 8': its day-of-week cannot be read"),
        ("5-1 * * * *", "'5-1 * * * *': its minute cannot be read"),
        ("*/0 * * * *", "'*/0 * * * *': its minute cannot be read"),
        ("", "a cron text has five fields, and '' has 0"),
        ("@daily", "a cron text has five fields, and '@daily' has 1"),
        ("0 0 0 * * *", "a cron text has five fields, and '0 0 0 * * *' has 6"),
        ("0," * 200 + "0 * * * *", "a cron text of 409 characters; the limit is 200"),
    ],
)
def test_what_is_no_cron(text: str, message: str) -> None:
    with pytest.raises(CronInvalid) as caught:
        check_cron(text)
    assert str(caught.value) == message
    assert caught.value.hint


@given(text=st.text("0123456789*/,-#LWMONJAN ", max_size=24))
def test_no_text_does_harm(text: str) -> None:
    try:
        check_cron(text)
    except CronInvalid:
        return
    assert CronTimes(text, "Europe/Berlin").after(dt.datetime(2026, 1, 1, tzinfo=UTC)) is not None


def test_a_day_that_comes_every_28_years() -> None:
    found = CronTimes("0 0 29 2 MON#5", "UTC").after(dt.datetime(2026, 1, 1, tzinfo=UTC))
    assert found is not None
    assert CronTimes("0 0 * 2 MON#5", "UTC").after(dt.datetime(2026, 1, 1, tzinfo=UTC)) == dt.datetime(
        2044, 2, 29, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "name", ["Europe/Berlim", "", "../etc/passwd", "/etc/localtime", "Europe", "localtime", "\0"]
)
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ZoneUnknown) as caught:
        find_zone(name)
    assert caught.value.hint
    if name == "Europe/Berlim":
        assert caught.value.hint == "did you mean 'Europe/Berlin'?"

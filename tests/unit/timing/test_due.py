"""What is due, by the policy, after any downtime and whatever the clock did."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from effort import at_most
from stagebook.timing.due import CATCH_UP, ON_TIME, CatchUp, next_due
from stagebook.timing.times import CronTimes, EveryTimes, Times, between
from stagebook.timing.zones import UTC
from timings import all_times, moments

NOW = dt.datetime(2026, 1, 5, 12, 0, 3, tzinfo=UTC)
policies = st.sampled_from(CATCH_UP)


def fired(times: Times, handled: dt.datetime, now: dt.datetime, policy: CatchUp) -> list[dt.datetime]:
    """All that is fired at `now`, one after the other."""
    found = []
    while (due := next_due(times, handled, now, policy)) is not None:
        assert due.handled > handled
        handled = due.handled
        if due.firing is not None:
            found.append(due.firing.due)
    return found


@given(times=all_times, start=moments, steps=st.lists(st.integers(-7200, 9000), max_size=8))
def test_all_fires_each_one_once_whatever_the_clock_does(
    times: Times, start: dt.datetime, steps: list[int]
) -> None:
    now, handled, latest, found = start, start, start, []
    if isinstance(times, EveryTimes) and times.seconds < 60:
        times = EveryTimes(60)
    for step in steps:  # the clock goes on, or is set back
        now += dt.timedelta(seconds=step)
        latest = max(latest, now)
        found += fired(times, handled, now, "all")
        handled = max([handled, *found])
    assert found == list(between(times, start, latest))


@given(times=all_times, start=moments, seconds=st.integers(0, 20_000), policy=policies)
def test_a_policy_takes_what_it_says(times: Times, start: dt.datetime, seconds: int, policy: CatchUp) -> None:
    if isinstance(times, EveryTimes) and times.seconds < 60:
        times = EveryTimes(60)
    now = start + dt.timedelta(seconds=seconds)
    missed = list(between(times, start, now))
    expected = {
        "all": missed,
        "latest": missed[-1:],
        "skip": [it for it in missed[-1:] if now - it <= ON_TIME],
    }
    assert fired(times, start, now, policy) == expected[policy]
    due = next_due(times, start, now, policy)
    if due is not None:  # asked again, nothing is left
        assert due.handled == (missed[-1] if policy != "all" else missed[0])
        left_out = [it for it in missed if it <= due.handled and (due.firing is None or it < due.firing.due)]
        assert due.skipped == ((left_out[0], left_out[-1]) if left_out else None)


def test_ten_thousand_missed_are_little_work() -> None:
    handled = NOW - dt.timedelta(minutes=5 * 10_000)
    times = CronTimes("*/5 * * * *", "Europe/Berlin")
    with at_most(60):
        latest = next_due(times, handled, NOW, "latest")
        skip = next_due(times, handled, NOW - dt.timedelta(seconds=-90), "skip")
        first = next_due(times, handled, NOW, "all")
    assert latest is not None
    assert latest.firing is not None
    assert latest.firing.due == NOW.replace(second=0)
    assert latest.skipped is not None
    assert skip is not None
    assert skip.firing is None
    assert first is not None
    assert first.skipped is None
    assert first.handled == handled.replace(second=0) + dt.timedelta(minutes=5)


def test_set_back_clocks_bring_nothing_back() -> None:
    times = EveryTimes(60)
    assert next_due(times, NOW, NOW - dt.timedelta(hours=1), "all") is None
    assert next_due(times, NOW, NOW, "all") is None


def test_a_schedule_with_a_unit_is_about_the_last_complete_one() -> None:
    due = next_due(CronTimes("0 6 * * *", "Europe/Berlin"), NOW - dt.timedelta(days=1), NOW, "all", "week")
    assert due is not None
    assert due.firing is not None
    assert due.firing.interval.name == "2026-W01"

"""What tests of schedules and intervals draw from: cron texts, zones, moments near changes of the clock."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from stagebook.timing.times import CronTimes, EveryTimes, Times
from stagebook.timing.zones import UTC

# Zones with changes of an hour, of half an hour, at midnight, twice around Ramadan, and with none.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Africa/Casablanca",
    "UTC",
]
WHOLE_HOURS = ["Europe/Berlin", "America/New_York", "Asia/Beirut", "UTC"]


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).filter(lambda two: two[0] < two[1])
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(2, 15).map(lambda step: f"*/{step}"),
        pair.map(lambda two: f"{two[0]}-{two[1]}"),
        pair.map(lambda two: f"{two[0]},{two[1]}"),
    )


crons = st.tuples(
    _field(0, 59), _field(0, 23), st.just("*") | _field(1, 28), st.just("*"), st.just("*") | _field(0, 6)
).map(" ".join)
zones = st.sampled_from(ZONES)
# Half of them near a change of the clock.
moments = st.one_of(
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2028, 1, 1)),  # noqa: DTZ001 - made moments below
    st.tuples(
        st.sampled_from(["2026-03-28T22:00", "2026-10-24T21:00", "2026-03-08T03:00", "2026-11-01T02:00",
                         "2026-04-04T10:00", "2026-10-03T12:00", "2026-02-14T22:00", "2026-03-21T22:00"]),
        st.integers(0, 8 * 3600),
    ).map(lambda it: dt.datetime.fromisoformat(it[0]) + dt.timedelta(seconds=it[1])),
).map(lambda local: local.replace(tzinfo=UTC))  # fmt: skip
all_times = st.one_of(
    st.builds(CronTimes, crons, zones), st.builds(EveryTimes, st.integers(1, 5 * 86400), zones)
)


def firings(times: Times, moment: dt.datetime, count: int) -> list[dt.datetime]:
    found = []
    while len(found) < count:
        moment = times.after(moment)  # type: ignore[assignment]
        found.append(moment)
    return found

"""Calendar units: the hour, day, week, month or year that a moment is in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Literal, get_args

from stagebook.timing.interval import Interval
from stagebook.timing.zones import find_zone, local_of, moment_of

Unit = Literal["hour", "day", "week", "month", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
_LONGEST = {"hour": 3, "day": 50, "week": 24 * 8, "month": 24 * 32, "year": 24 * 367}  # hours
_SECOND = dt.timedelta(seconds=1)


def start_of(unit: Unit, moment: dt.datetime, zone: str) -> dt.datetime:
    """When the unit began that a moment is in."""
    place = find_zone(zone)
    local = local_of(moment, place)
    if unit == "hour":
        return _hour(moment, place)
    day = local.date()
    if unit == "week":
        day -= dt.timedelta(days=day.isoweekday() - 1)
    elif unit == "month":
        day = day.replace(day=1)
    elif unit == "year":
        day = day.replace(month=1, day=1)
    return moment_of(dt.datetime.combine(day, dt.time()), place)


def _hour(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """An hour begins where clocks show a full one: it is longer where they are set by half of one in it."""
    while (local := local_of(moment, zone)).minute or local.second or local.microsecond:
        moment -= dt.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return moment


def unit_from(unit: Unit, start: dt.datetime, zone: str) -> Interval:
    """The unit that begins at a moment."""
    later = start + dt.timedelta(hours=_LONGEST[unit])
    end = start_of(unit, later, zone)
    while (earlier := start_of(unit, end - _SECOND, zone)) > start:
        end = earlier
    return Interval(start=start, end=end, zone=zone)


def last_complete(unit: Unit, moment: dt.datetime, zone: str) -> Interval:
    """The last unit that had ended by a moment."""
    end = start_of(unit, moment, zone)
    return Interval(start=start_of(unit, end - _SECOND, zone), end=end, zone=zone)


def units_within(unit: Unit, start: dt.datetime, end: dt.datetime, zone: str) -> Iterator[Interval]:
    """The units that lie between two moments as a whole, in order."""
    first = start_of(unit, start, zone)
    found = unit_from(unit, first, zone)
    if first < start:
        found = unit_from(unit, found.end, zone)
    while found.end <= end:
        yield found
        found = unit_from(unit, found.end, zone)

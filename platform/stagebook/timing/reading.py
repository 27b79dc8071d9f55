"""Reading an interval that a person names: a calendar unit, `START..END`, or the label of one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from stagebook.timing.due import interval_of
from stagebook.timing.interval import Interval, IntervalInvalid
from stagebook.timing.times import Times
from stagebook.timing.units import Unit, unit_from
from stagebook.timing.zones import UTC, ZoneUnknown, find_zone, moment_of

HOW = "a day 2026-01-05, a month 2026-01, a week 2026-W02, an hour 2026-01-05T06, or START..END"
_MOST = 200  # characters
_YEARS = range(1900, 2900)
_ZONED = re.compile(r"(.*)\[([^\[\]]+)\]", re.DOTALL)
_FORMS: tuple[tuple[re.Pattern[str], Unit], ...] = (
    (re.compile(r"(\d{4})"), "year"),
    (re.compile(r"(\d{4})-(\d\d)"), "month"),
    (re.compile(r"(\d{4})-W(\d\d)"), "week"),
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)"), "day"),
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d)([+-]\d{4})?"), "hour"),
)
_LABEL = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d)(\d\d)(\d\d)?([+-]\d{4})?")


def parse_interval(
    text: str, zone: str = "UTC", schedules: Sequence[tuple[Times, Unit | None]] = ()
) -> Interval:
    """The interval that a text names.

    Args:
        text: a unit of the calendar, `START..END` (the end is not part of it), or a label as `Interval.name` has it; with
            `[ZONE]` at the end in that time zone.
        zone: of days and of times without an offset, where the text names none.
        schedules: those that a label of another form may be of, as `interval_of` takes them.

    Raises:
        IntervalInvalid: it names none.
    """
    if len(text) > _MOST:
        raise IntervalInvalid("the interval has too many characters", HOW)
    if zoned := _ZONED.fullmatch(text.strip()):
        text, zone = zoned[1], zoned[2]
    try:
        find_zone(zone)
    except ZoneUnknown as error:
        raise IntervalInvalid(str(error), error.hint) from None
    text = text.strip()
    start, dots, end = text.partition("..")
    if dots:
        return Interval(start=_moment(start, zone), end=_moment(end, zone), zone=zone)
    if found := _unit(text, zone):
        return found
    label = _LABEL.fullmatch(text)
    if label is None:
        raise IntervalInvalid(f"'{text}' names no interval", HOW)
    moment = _moment(text, zone)
    for times, unit in schedules:
        due = times.after(moment)
        if due is not None and interval_of(times, due, unit).start == moment:
            return interval_of(times, due, unit)
    raise IntervalInvalid(f"no schedule of the pipeline has an interval '{text}'", "write START..END")


def _unit(text: str, zone: str) -> Interval | None:
    for form, unit in _FORMS:
        if form.fullmatch(text):
            return unit_from(unit, _moment(text, zone), zone)
    return None


def _moment(text: str, zone: str) -> dt.datetime:
    """The moment at which what a text names begins."""
    text = text.strip()
    try:
        for form, unit in _FORMS:
            if found := form.fullmatch(text):
                _check_year(int(found[1]))
                return _begin(unit, found, zone)
        if found := _LABEL.fullmatch(text):
            _check_year(int(found[1]))
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
            local = dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - a local time
            return _with_offset(local, found[7], zone)
        moment = dt.datetime.fromisoformat(text)
        _check_year(moment.year)
        return moment_of(moment, find_zone(zone)) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise IntervalInvalid(f"'{text}' is no time", HOW) from None


def _check_year(year: int) -> None:
    """Far from its first and last year, so that a day more or less is always there."""
    if year not in _YEARS:
        raise ValueError(year)


def _begin(unit: Unit, found: re.Match[str], zone: str) -> dt.datetime:
    if unit == "week":
        day = dt.date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return moment_of(dt.datetime.combine(day, dt.time()), find_zone(zone))
    offset = found[5] if unit == "hour" else None
    numbers = [int(part) for part in found.groups()[:4] if part is not None]
    year, month, day_of, hour = (*numbers, *(1, 1, 1, 0)[len(numbers) :])
    local = dt.datetime(year, month, day_of, hour)  # noqa: DTZ001 - a local time
    return _with_offset(local, offset, zone)


def _with_offset(local: dt.datetime, offset: str | None, zone: str) -> dt.datetime:
    if offset is None:
        return moment_of(local, find_zone(zone))
    return dt.datetime.strptime(f"{local.isoformat()}{offset}", "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)

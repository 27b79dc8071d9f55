"""What a run is about: the interval that is asked for, or the latest complete one of the pipeline's schedule."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from stagebook.errors import UsageError, did_you_mean
from stagebook.events import RunStarted
from stagebook.pipeline.model import Pipeline, Schedule
from stagebook.planning.intervals import place_of_interval
from stagebook.runs.request import RunRequest
from stagebook.timing.due import intervals_within, latest_interval
from stagebook.timing.interval import Interval, IntervalInvalid
from stagebook.timing.reading import parse_interval
from stagebook.timing.units import UNITS, last_complete
from stagebook.timing.zones import ZoneUnknown, find_zone

MOST = 100_000  # intervals that can be asked for at a time


def as_scheduled(request: RunRequest, schedules: Mapping[str, Schedule]) -> RunRequest:
    """A request that names a schedule, with the parameters of that. What is given besides wins.

    Raises:
        UsageError: there is no such schedule; of a run whose id was chosen before it is only what it is called.
    """
    if not request.schedule:
        return request
    schedule = schedules.get(request.schedule)
    if schedule is not None:
        pairs = {pair.partition("=")[0] for pair in request.pairs}
        params = {name: value for name, value in schedule.params.items() if name not in pairs}
        return dataclasses.replace(request, values={**params, **request.values})
    if request.run_id:
        return request
    hint = did_you_mean(request.schedule, schedules) or "the pipeline has no schedule; see docs/schedules.md"
    raise UsageError(f"there is no schedule '{request.schedule}'", hint=hint)


def interval_for(
    pipeline: Pipeline,
    request: RunRequest,
    schedules: Mapping[str, Schedule],
    now: dt.datetime,
    earlier: Callable[[], Sequence[Interval]] = tuple,
) -> Interval | None:
    """The interval that a run of a pipeline is about: the one that is asked for; or, where the pipeline mentions it, the latest
    complete one of the schedule that is named, or of the first that has any; or without any the last one that an `earlier`
    run was about. `None`: it is about none. Raises `UsageError`."""
    named = schedules.get(request.schedule)
    chosen = [named] if named is not None else list(schedules.values())
    if request.interval:
        zone = next((one.zone for one in chosen if one.times is not None or one.interval), "UTC")
        known = [(one.times, one.interval) for one in chosen if one.times is not None]
        try:
            return parse_interval(request.interval, zone, known)
        except IntervalInvalid as error:
            raise UsageError(f"--interval: {error}", hint=error.hint) from None
    if place_of_interval(pipeline) is None and named is None:
        return None
    found = (latest_of(one, now) for one in chosen)
    latest = next((one for one in found if one is not None), None)
    if latest is None and not request.schedule and not any(one.times or one.interval for one in chosen):
        return max(earlier(), key=lambda one: one.end, default=None)
    return latest


def latest_of(schedule: Schedule, now: dt.datetime) -> Interval | None:
    """The latest complete interval of a schedule; `None` where it has none by itself."""
    if schedule.times is not None:
        return latest_interval(schedule.times, now, schedule.interval)
    return last_complete(schedule.interval, now, schedule.zone) if schedule.interval else None


def interval_of(started: RunStarted) -> str:
    """The interval of a run, as the text that asks for the same; empty where it has none."""
    return str(Interval.from_json(started.interval)) if started.interval else ""


def intervals_between(
    start: str, end: str, every: str, zone: str, schedules: Iterable[Schedule]
) -> list[Interval]:
    """The intervals from the one that a text names to another one: units of the calendar, or else those of the first of the
    `schedules` that has any; without an end up to now. Raises `UsageError`."""
    own = next((one for one in schedules if one.times is not None or one.interval), None)
    if not start:
        hint = "stagebook backfill NAME --from 2026-01 --to 2026-06 --every month"
        raise UsageError("from when on? --from is missing", hint=hint)
    unit = next((one for one in UNITS if one == every), None)
    if unit is None and (every or own is None):
        what = (
            f"--every is '{every}'"
            if every
            else "how long is an interval? the pipeline has no schedule that says it"
        )
        raise UsageError(what, hint=f"--every with one of {', '.join(UNITS)}")
    zone = zone or (own.zone if own is not None else "UTC")
    try:
        find_zone(zone)
        first = parse_interval(start, zone).start
        last = parse_interval(end, zone).end if end else dt.datetime.now(dt.UTC)
        end = end or "now"
        if last <= first:
            raise IntervalInvalid(f"--to {end} is before --from {start}")
    except (IntervalInvalid, ZoneUnknown) as error:
        raise UsageError(str(error), hint=error.hint) from None
    times = own.times if own is not None and unit is None else None
    unit = unit or (own.interval if own is not None else None)
    found = list(itertools.islice(intervals_within(times, unit, zone, first, last), MOST + 1))
    if len(found) > MOST:
        raise UsageError(f"more than {MOST:,} intervals", hint="ask for fewer at a time")
    if not found:
        what = f"there is no whole {unit or 'interval'} from {start} to {end}"
        raise UsageError(what, hint="name the whole of it, or a smaller unit")
    return found


def those_over(
    intervals: Sequence[Interval], now: dt.datetime
) -> tuple[Sequence[Interval], Sequence[Interval]]:
    """Of intervals in order those that are over, and the others: of these nobody knows yet what belongs to them. Raises
    `UsageError` if none is over."""
    found = [one for one in intervals if one.end <= now]
    if not found:
        what = f"no interval from {intervals[0].name} on is over yet"
        raise UsageError(what, hint="stagebook run --interval runs one all the same")
    return found, intervals[len(found) :]

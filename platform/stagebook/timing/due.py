"""What is due: the firings of a schedule between what was handled last and now, by its policy, in bounded work."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Literal, get_args

from stagebook.timing.interval import Interval
from stagebook.timing.times import Times, before, between
from stagebook.timing.units import Unit, last_complete, units_within

CatchUp = Literal["latest", "all", "skip"]
CATCH_UP: tuple[CatchUp, ...] = get_args(CatchUp)
ON_TIME = dt.timedelta(seconds=60)  # a firing that is noticed within it was not missed
_SECOND = dt.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing: when it was due, and what it is about."""

    due: dt.datetime
    interval: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done now: `skipped` is the stretch of firings that the policy leaves out, from the first that was due to
    the last, and `firing` the one that comes next. Up to `handled` nothing is left to do then."""

    handled: dt.datetime
    firing: Firing | None = None
    skipped: tuple[dt.datetime, dt.datetime] | None = None


def interval_of(times: Times, due: dt.datetime, unit: Unit | None) -> Interval:
    """What a firing is about: the last complete `unit` before it, or from the firing before it up to it."""
    if unit is not None:
        return last_complete(unit, due, times.zone)
    start = before(times, due)
    return Interval(start=due - _SECOND if start is None else start, end=due, zone=times.zone)


def intervals_within(
    times: Times | None, unit: Unit | None, zone: str, start: dt.datetime, end: dt.datetime
) -> Iterator[Interval]:
    """The intervals of a schedule that lie between two moments as a whole, in order: its units, or else the stretches between its
    firings. One of the two is given."""
    if unit is not None:
        yield from units_within(unit, start, end, zone)
    elif times is not None:
        begin = times.after(start - _SECOND)
        for due in between(times, begin, end) if begin is not None else ():
            if begin is not None:
                yield Interval(start=begin, end=due, zone=zone)
            begin = due


def latest_interval(times: Times, now: dt.datetime, unit: Unit | None) -> Interval | None:
    """What the last firing up to now is about; `None` where there was none."""
    last = before(times, now + _SECOND)
    return None if last is None else interval_of(times, last, unit)


def next_due(
    times: Times, handled: dt.datetime, now: dt.datetime, catch_up: CatchUp, unit: Unit | None = None
) -> Due | None:
    """What is to be done now; `None`: nothing. A clock that was set back brings nothing back: what is handled stays so.

    Args:
        times: when the schedule fires.
        handled: up to which moment all firings have been handled.
        now: the moment.
        catch_up: of firings that nobody was there for: `all`, in their order; the `latest` alone; or none, which is `skip`.
        unit: as in `interval_of`.
    """
    first = times.after(handled)
    if first is None or first > now:
        return None
    chosen: dt.datetime | None = first
    last = first
    if catch_up != "all":
        last = max(first, before(times, now + _SECOND) or first)
        chosen = last if catch_up == "latest" or now - last <= ON_TIME else None
    left_out = last if chosen is None else before(times, chosen)
    return Due(
        handled=last,
        firing=None if chosen is None else Firing(due=chosen, interval=interval_of(times, chosen, unit)),
        skipped=(first, left_out) if left_out is not None and left_out >= first else None,
    )

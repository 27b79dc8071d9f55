"""What is expected of the runs of a schedule, and until when. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

from stagebook.timing.zones import find_zone, local_of, moment_of

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_USUAL = re.compile(
    r"(\d+(?:\.\d+)?)\s*[\u00d7x*]\s*usual", re.IGNORECASE
)  # a sign of multiplication, as people have it
_DAY = dt.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What is expected. Durations are in seconds; `None`: nothing.

    Attributes:
        end_by: the time of day, in the zone of the schedule, by which a run has completed: the first one after it was due.
        start_within: after it was due, a run has begun.
        duration: no run takes longer.
        usual: no run takes longer than so many times the median of those before it.
        fresh: the last run that completed ended not longer ago.
        rows: whether the numbers of rows are to be as usual, by the monitors.
    """

    end_by: dt.time | None = None
    start_within: float | None = None
    duration: float | None = None
    usual: float | None = None
    fresh: float | None = None
    rows: bool = False

    def deadline(self, due: dt.datetime, zone: str) -> dt.datetime | None:
        """By when a run that was due at a moment has completed."""
        if self.end_by is None:
            return None
        place = find_zone(zone)
        day = local_of(due, place).date()
        found = moment_of(dt.datetime.combine(day, self.end_by), place)
        return found if found > due else moment_of(dt.datetime.combine(day + _DAY, self.end_by), place)

    def longest(self, usual: float | None) -> float | None:
        """How long a run may take, where runs before it `usual`ly took so long."""
        bounds = [self.duration, self.usual * usual if self.usual is not None and usual is not None else None]
        return min((one for one in bounds if one is not None), default=None)


def read_clock(text: str) -> dt.time:
    """A time of day such as `06:00`. Raises `ValueError`."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected a time of day such as 06:00, got '{text[:40]}'")
    return dt.time(int(found[1]), int(found[2]))


def read_usual(text: str) -> float | None:
    """The factor of `2 x usual`; `None` for another text."""
    found = _USUAL.fullmatch(text.strip())
    return float(found[1]) if found is not None else None

"""An interval: the stretch of time that a run is about."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any, Self

from stagebook.timing.zones import UTC, find_zone, local_of, moment_of

NAMES = ("start", "end", "name", "year", "month", "day", "hour")  # what expressions see of it
_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)


class IntervalInvalid(ValueError):
    """The text or the moments make no interval. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `start` up to `end`, which is not part of it; moments in UTC. `zone` is the one that its days are days of."""

    start: dt.datetime
    end: dt.datetime
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Raises `IntervalInvalid` where it ends before it starts."""
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            start, end = (one.astimezone(find_zone(self.zone)).isoformat() for one in (self.start, self.end))
            msg = f"the interval ends before it starts: {start} to {end}"
            raise IntervalInvalid(msg, "write START..END; the end is not part of it")

    @property
    def is_of_days(self) -> bool:
        """Whether it begins and ends where days do."""
        zone = find_zone(self.zone)
        return all(_begins_day(one, zone) for one in (self.start, self.end))

    @property
    def name(self) -> str:
        """A label for files, of the start and the length: `2026`, `2026-01`, `2026-W02`, `2026-01-05`, `2026-01-05T06` for a
        calendar unit, else such as `2026-01-05T0615`. Of an hour that clocks repeat, the second has its offset, too."""
        return str(_scope_of(self)["name"])

    def to_scope(self) -> dict[str, str | int]:
        """What expressions see: `start` and `end` as dates where it is of whole days, else as times with their offset; `name`;
        and the numbers of the start."""
        return dict(_scope_of(self))

    def to_json(self) -> dict[str, str]:
        """It as plain data."""
        zone = find_zone(self.zone)
        times = {name: getattr(self, name).astimezone(zone).isoformat() for name in ("start", "end")}
        return {**times, "name": self.name, "zone": self.zone}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From plain data. Raises `ValueError` (also `KeyError`) where it is none."""
        start, end = (dt.datetime.fromisoformat(data[name]) for name in ("start", "end"))
        if start.tzinfo is None or end.tzinfo is None:
            raise IntervalInvalid("an interval without an offset")
        zone = str(data.get("zone", "UTC"))
        find_zone(zone)
        return cls(start=start, end=end, zone=zone)

    def __str__(self) -> str:
        """The text that `parse_interval` reads as this interval, whatever zone is given to it."""
        scope = self.to_scope()
        return f"{scope['start']}..{scope['end']}[{self.zone}]"


@functools.lru_cache(maxsize=4096)  # planning asks for it at every expression
def _scope_of(interval: Interval) -> Mapping[str, str | int]:
    zone = find_zone(interval.zone)
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    if interval.is_of_days:
        texts = [start.date().isoformat(), end.date().isoformat()]
    else:
        texts = [start.isoformat(), end.isoformat()]
    numbers = {"year": start.year, "month": start.month, "day": start.day, "hour": start.hour}
    return {"start": texts[0], "end": texts[1], "name": _name_of(interval, zone), **numbers}


def _name_of(interval: Interval, zone: dt.tzinfo) -> str:
    start, end = local_of(interval.start, zone), local_of(interval.end, zone)
    offset = f"{interval.start.astimezone(zone):%z}" if start.fold else ""
    if interval.is_of_days:
        if label := _label_of_days(start.date(), end.date()):
            return label
    elif not (start.minute or start.second) and interval.end - interval.start == _HOUR:
        return f"{start:%Y-%m-%dT%H}{offset}"
    return f"{start:%Y-%m-%dT%H%M}{f'{start:%S}' if start.second else ''}{offset}"


def _begins_day(moment: dt.datetime, zone: dt.tzinfo) -> bool:
    """Whether a day begins at a moment; where clocks leave out midnight, that is later."""
    local = local_of(moment, zone)
    return moment == moment_of(dt.datetime.combine(local.date(), dt.time()), zone)


def _label_of_days(start: dt.date, end: dt.date) -> str:
    if end == start + _DAY:
        return start.isoformat()
    if end == start + 7 * _DAY and start.isoweekday() == 1:
        year, week, _ = start.isocalendar()
        return f"{year:04}-W{week:02}"
    if start.day == 1 and end == (start + 31 * _DAY).replace(day=1):
        return f"{start:%Y-%m}"
    if (start.month, start.day) == (1, 1) and end == dt.date(start.year + 1, 1, 1):
        return f"{start:%Y}"
    return ""

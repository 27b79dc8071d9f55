"""The moments at which a schedule fires: by cron in a time zone, or every so many seconds.

Both changes of the clock are treated as Debian's cron treats them. What fires at a time of the day fires once on each day: at the
end of the gap where its time is left out, and the first time where it comes twice. What fires each hour, or each so many
minutes, follows the time that has gone by: it has nothing to do in the gap, and fires on in the hour that is repeated.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterator

from stagebook.timing.cron import follows_the_hour, next_local
from stagebook.timing.zones import UTC, at, change_between, find_zone, local_of, moment_of

_SECOND = dt.timedelta(seconds=1)
_NEAR = dt.timedelta(hours=36)  # within which clocks change once at most
_LONGEST_BACK = 60 * 366 * 86400  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class CronTimes:
    """The moments that fit a cron text in a time zone; both have been checked."""

    text: str
    zone: str

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first one after a moment; `None` where there is none within fifty years."""
        return self._of_hours(moment) if follows_the_hour(self.text) else self._of_days(moment)

    def _of_days(self, moment: dt.datetime) -> dt.datetime | None:
        zone = find_zone(self.zone)
        local: dt.datetime | None = local_of(moment, zone)
        while local is not None and (local := next_local(self.text, local)) is not None:
            found = moment_of(local, zone)
            if found > moment:
                return found
        return None

    def _of_hours(self, moment: dt.datetime) -> dt.datetime | None:
        zone = find_zone(self.zone)
        while True:
            here = moment.astimezone(zone)
            local = next_local(self.text, here.replace(tzinfo=None))
            if local is None:
                return None
            offset = here.utcoffset() or dt.timedelta()
            found = (local - offset).replace(tzinfo=UTC)
            if found.astimezone(zone).utcoffset() == offset:
                return found
            if found - moment > _NEAR:  # nothing fits in between, whatever clocks do there
                moment = found - _NEAR
                continue
            # Clocks change on the way: go on from there, with that moment itself among those that may fit.
            moment = change_between(moment, found, zone) - _SECOND
            fits = self._at_change(moment + _SECOND, zone)
            if fits is not None:
                return fits
            moment += _SECOND

    def _at_change(self, moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime | None:
        local = local_of(moment, zone)
        return moment if next_local(self.text, local - _SECOND) == local.replace(fold=0) else None


@dataclasses.dataclass(frozen=True, slots=True)
class EveryTimes:
    """The moments whose distance from the epoch (1970-01-01T00:00Z) is a multiple of so many seconds: the same on every
    machine, whenever it was started, and whatever clocks do."""

    seconds: int
    zone: str = "UTC"

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first one after a moment."""
        try:
            return at((math.floor(moment.timestamp()) // self.seconds + 1) * self.seconds)
        except (OverflowError, ValueError):
            return None


Times = CronTimes | EveryTimes


def before(times: Times, moment: dt.datetime) -> dt.datetime | None:
    """The last one before a moment, in a bounded number of steps; `None` where there is none within sixty years."""
    if isinstance(times, EveryTimes):
        return at((math.ceil(moment.timestamp()) - 1) // times.seconds * times.seconds)
    span = 60
    while (found := times.after(moment - dt.timedelta(seconds=span))) is None or found >= moment:
        span *= 2
        if span > _LONGEST_BACK:
            return None
    low, high = found, moment  # `low` fires; nothing fires between `high` and `moment`
    while high - low >= _SECOND:
        middle = low + (high - low) / 2
        later = times.after(middle)
        if later is not None and later < moment:
            low = later
        else:
            high = middle
    return low


def between(times: Times, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """Those after a moment, up to another one, which may be among them; in order."""
    found = times.after(after)
    while found is not None and found <= until:
        yield found
        found = times.after(found)

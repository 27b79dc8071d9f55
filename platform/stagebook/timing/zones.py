"""Time zones: from a time of day to a moment, whatever the clocks did. The door to zoneinfo.

A moment is an aware datetime in UTC, so that moments compare as they follow each other. A local time is a datetime without a
zone; in the year's two changes of the clock it stands for no moment, or for two.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo

from stagebook.errors import did_you_mean

UTC = dt.UTC
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_OF_THE_MACHINE = {"localtime", "posixrules"}  # files beside the zones, which differ between machines


class ZoneUnknown(ValueError):
    """There is no such time zone. `hint` says what to write instead."""

    def __init__(self, name: str) -> None:
        known = zoneinfo.available_timezones()
        super().__init__(f"there is no time zone '{name[:60]}'")
        guess = did_you_mean(name, known)
        self.hint = guess if guess.startswith("did you mean") else "such as Europe/Berlin, or UTC"


@functools.lru_cache(maxsize=256)
def find_zone(name: str) -> dt.tzinfo:
    """The time zone with a name of the IANA database. Raises `ZoneUnknown`."""
    if name == "UTC":
        return UTC
    if not _NAME.fullmatch(name) or name in _OF_THE_MACHINE:
        raise ZoneUnknown(name)
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ZoneUnknown(name) from None


def local_of(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """What clocks show at a moment; without a zone, `fold` kept."""
    return moment.astimezone(zone).replace(tzinfo=None)


def moment_of(local: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The moment that a local time stands for: of two the first one, and the end of the gap where there is none. Its `fold`
    counts where there are two."""
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if local_of(moment, zone) == local.replace(fold=0):
        return moment
    # In a gap both readings of the local time lie beside it, one on each side.
    before, after = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return change_between(before, after, zone)


def change_between(before: dt.datetime, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The first moment, to the second, at which clocks have been set as they are at `after`; there is one change in between."""
    low, high = int(before.timestamp()), int(after.timestamp())
    offset = after.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle).astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return at(high)


def at(seconds: float) -> dt.datetime:
    """The moment so many seconds after the epoch."""
    return dt.datetime.fromtimestamp(seconds, UTC)

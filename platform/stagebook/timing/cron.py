"""Cron: five fields, and the local times that they fit. The only door to cronsim, which follows Debian's cron.

A text fits local times; which moments these are, `times` says. So what the clocks do is decided in one place, and the same in
every zone.
"""

from __future__ import annotations

import datetime as dt
import functools

from cronsim import CronSim, CronSimError

_MOST = 200  # characters
_HINT = "minute hour day-of-month month day-of-week, such as 0 6 * * 1-5 for six o'clock on weekdays"
_EARLY = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - a local time


class CronInvalid(ValueError):
    """The text is no cron, or fits no time at all. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = _HINT) -> None:
        super().__init__(message)
        self.hint = hint


@functools.lru_cache(maxsize=1024)
def check_cron(text: str) -> None:
    """Raise `CronInvalid` for a text that is no cron, or that never fires."""
    if len(text) > _MOST:
        raise CronInvalid(f"a cron text of {len(text):,} characters; the limit is {_MOST}")
    count = len(text.split())
    if count != 5:
        hint = f"{_HINT}; for less than a minute: every: 10s" if count == 6 else _HINT
        raise CronInvalid(f"a cron text has five fields, and '{text}' has {count}", hint)
    try:
        CronSim(text, _EARLY)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        if field == "day-of-month" and _fits_some_day(text):
            raise _never(text) from None
        raise CronInvalid(f"'{text}': its {field} cannot be read") from None
    if next_local(text, _EARLY) is None:
        raise _never(text)


def _fits_some_day(text: str) -> bool:
    """Whether the text could be read, if all months were as long as the longest."""
    fields = text.split()
    try:
        CronSim(" ".join([*fields[:3], "*", fields[4]]), _EARLY)
    except CronSimError:
        return False
    return True


def _never(text: str) -> CronInvalid:
    return CronInvalid(f"'{text}' never fires: no day fits it", "months have at most 31, 30 or 29 days")


def next_local(text: str, after: dt.datetime) -> dt.datetime | None:
    """The first local time after another one that fits; `None` where none does within fifty years."""
    try:
        return next(CronSim(text, after.replace(fold=0)))
    except (StopIteration, OverflowError):
        return None


def follows_the_hour(text: str) -> bool:
    """Whether it fires each so many minutes or each hour, rather than at times of the day: so Debian's cron tells them apart
    in a change of the clock."""
    minute, hour = text.split()[:2]
    return minute.startswith("*") or hour.startswith("*")

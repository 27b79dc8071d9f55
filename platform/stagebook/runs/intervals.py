"""What a run is about: the interval that is asked for."""

from __future__ import annotations

from stagebook.errors import UsageError
from stagebook.events import RunStarted
from stagebook.runs.request import RunRequest
from stagebook.timing.interval import Interval, IntervalInvalid
from stagebook.timing.reading import parse_interval


def interval_for(request: RunRequest) -> Interval | None:
    """The interval that a run is about; `None` where it is about none. Raises `UsageError`."""
    if request.interval:
        try:
            return parse_interval(request.interval)
        except IntervalInvalid as error:
            raise UsageError(f"--interval: {error}", hint=error.hint) from None
    return None


def interval_of(started: RunStarted) -> str:
    """The interval of a run, as the text that asks for the same; empty where it has none."""
    return str(Interval.from_json(started.interval)) if started.interval else ""

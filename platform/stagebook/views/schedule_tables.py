"""Schedules as tables, and what a scheduler tells as lines."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from stagebook.scheduling.overview import ScheduleView
from stagebook.scheduling.places import Scheduled
from stagebook.timing.interval import Interval
from stagebook.timing.zones import find_zone
from stagebook.views import formatting
from stagebook.views.formatting import plain
from stagebook.views.tables import ByWidth, status_text, table_of
from stagebook.workspace.environments import DEV


def schedules(views: Sequence[ScheduleView], now: float) -> RenderableType:
    """Schedules with what came of them, a row each; when they fire where there is room for it."""
    narrow, wide = table_of("schedule", "next", "last"), table_of("schedule", "fires", "next", "last")
    for view in views:
        name, rest = _name(view.one), (_next(view, now), _last(view, now))
        narrow.add_row(name, *rest)
        wide.add_row(name, Text(plain(str(view.one.schedule))), *rest)
    return ByWidth(wide, narrow)


def remarks(views: Sequence[ScheduleView]) -> Iterator[Text]:
    """What somebody did about schedules at last, and why a firing has no run, a line each."""
    for view in views:
        if text := _said(view):
            yield Text(plain(f"{view.one}: {text}"), style="dim")


def _name(one: Scheduled) -> Text:
    where = "" if one.environment == DEV else f" in {one.environment}"
    return Text.assemble(str(one.key), (where, "dim"))


def _next(view: ScheduleView, now: float) -> Text:
    if view.paused:
        return Text("paused", style="yellow")
    if view.due is None:
        return Text("on news" if view.one.schedule.times is None else "never", style="dim")
    return Text(ahead(view.due, view.one.schedule.zone, now))


def _last(view: ScheduleView, now: float) -> Text:
    last = view.last
    if last is None:
        return Text("· never", style="dim")
    if view.run is not None:
        shown = status_text(view.run.status)
    else:
        shown = Text(view.outcome, style="yellow")
    about = f" {last.interval.name}" if last.interval is not None and last.state != "skipped" else ""
    return shown + Text(f"{about} {formatting.when(last.at, now)}", style="dim")


def _said(view: ScheduleView) -> str:
    if view.last is not None and view.run is None and view.last.reason:
        return f"{view.last.state}: {view.last.reason}"
    said = view.said
    if said is None:
        return ""
    because = f": {said.because}" if said.because else ""
    done = {"pause": "paused", "resume": "resumed", "trigger": "triggered"}[said.action]
    return f"{done} by {said.by}{because}"


def upcoming(found: Sequence[tuple[float, Scheduled, Interval]], now: float) -> RenderableType:
    """What fires next, in order."""
    table = table_of("at", "schedule", "about")
    for due, one, interval in found:
        table.add_row(ahead(due, one.schedule.zone, now), _name(one), Text(interval.name, style="dim"))
    return table


def ahead(due: float, zone: str, now: float) -> str:
    """A time to come: its time of day in a zone, and within a day how long it is until then."""
    local = dt.datetime.fromtimestamp(due, find_zone(zone))
    if due - now >= 86_400:
        return f"{local:%Y-%m-%d %H:%M} {local:%Z}"
    return f"{local:%H:%M} {local:%Z}, in {formatting.duration(due - now)}" if due > now else "now"


def leader(who: str) -> Text:
    """Which scheduler runs them."""
    if who:
        return Text(f"run by {who}", style="dim")
    return Text("! no scheduler runs: stagebook scheduler", style="yellow")


def line_of(text: str, at: float | None = None) -> str:
    """What a scheduler tells, with the time of day in UTC."""
    seconds = time.time() if at is None else at
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%H:%M:%S} {text}"

"""Incidents, for a person."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from stagebook.incidents.incident import Change, Incident, Kind, What
from stagebook.views.formatting import duration, plain, plural, value, when
from stagebook.views.tables import table_of

_STYLES = {Kind.FAILURE: ("✗", "red"), Kind.CONTRACT: ("✗", "red")}
_OTHER = ("!", "yellow")
_CLOSED = ("✓", "green")
_WORDS = {
    What.OPENED: "opened",
    What.AGAIN: "seen again",
    What.GREW: "grew",
    What.CLOSED: "closed",
    What.ACKNOWLEDGED: "acknowledged",
    What.NOTED: "note",
}
_MOST = 3  # incidents that are named in a line


def incidents(found: Sequence[Incident], now: float) -> Table:
    """A line for each: what is wrong, since when, in how many runs, and who has seen it."""
    table = table_of("incident", "what", "of", "since", "runs", "seen by", "")
    for one in found:
        table.add_row(
            one.id,
            _what(one),
            Text(plain(one.name)),
            when(one.opened, now),
            str(one.runs) if one.run else "",
            Text(plain(", ".join(_seen_by(one)))),
            Text(plain(_remark(one)), style="dim"),
        )
    return table


def incident(one: Incident, changes: Sequence[Change], now: float, env: str) -> Iterator[Text]:
    """All about one: what it is, what happened to it, and what can be done. `env`: the option that names its environment."""
    sign, style = _sign(one)
    yield Text(f"{sign} {one.id} {plain(one.name)}: {one.kind}", style=f"bold {style}")
    if one.message:
        yield Text(f"  {plain(one.message)}")
    runs = f", seen in {plural(one.runs, 'run')}, the latest {one.last_run}" if one.runs > 1 else ""
    by = f" by the run {one.run}{runs}" if one.run else ""
    yield Text(f"  opened {when(one.opened, now)}{by}")
    for change in changes:
        yield _change_line(change, one)
    if one.is_open:
        logs = f"logs {one.last_run}{f' {one.stage}' if one.stage else ''}"
        yield Text(f"  look: stagebook {logs if one.last_run else 'schedule list'}{env}")
        yield Text(f"  then: stagebook incident ack|note|close {one.id}{env}", style="dim")


def _change_line(change: Change, one: Incident) -> Text:
    at = datetime.datetime.fromtimestamp(change.at, datetime.UTC).strftime("%Y-%m-%d %H:%M")
    run = f" by the run {change.run}" if change.run else ""
    by = f" by {change.by}" if change.by else run
    figure = f", {change.figure:,.0f}" if change.figure else ""
    if change.what is What.CLOSED and not by:
        by = f": {one.over}"
    text = f": {value(change.text, 200)}" if change.text and (change.by or not change.run) else ""
    return Text(plain(f"  {at}  {_WORDS[change.what]}{by}{figure}{text}"), style="dim")


def status_lines(found: Sequence[Incident], elsewhere: Mapping[str, int], env: str = "") -> Iterator[str]:
    """What is open, in a line for this environment, and one for the others. `env`: the option that names this one."""
    open_ones = [one for one in found if one.is_open]
    if open_ones:
        named = ", ".join(
            f"{plain(one.name)} {one.kind} ({one.id}{', seen' if one.acks else ''})"
            for one in open_ones[:_MOST]
        )
        more = f" and {len(open_ones) - _MOST} more" if len(open_ones) > _MOST else ""
        yield f"✗ {plural(len(open_ones), 'open incident')}: {named}{more}; see: stagebook incident list{env}"
    if elsewhere:
        places = ", ".join(f"{name} {count}" for name, count in elsewhere.items())
        first = next(iter(elsewhere))
        yield f"✗ open incidents elsewhere: {places}; see: stagebook incident list --env {first}"


def named(found: Sequence[Incident]) -> Text:
    """Incidents in a cell of a table: of which kinds."""
    parts = [Text(f"{_sign(one)[0]} {one.kind}", style=_sign(one)[1]) for one in found]
    return Text(", ").join(parts)


def incident_lines(found: Sequence[Incident], now: float, env: str) -> Iterator[Text]:
    """A line for each of a few incidents, beside what they are about. `env`: the option that names their environment."""
    for one in found:
        sign, style = _sign(one)
        seen = f", seen by {', '.join(_seen_by(one))}" if one.acks else ""
        told = f"{sign} {one.name} {one.kind} since {when(one.opened, now)}{seen}: {_remark(one)}"
        yield Text(plain(f"{told}; see: stagebook incident show {one.id}{env}"), style=style)


def _what(one: Incident) -> Text:
    sign, style = _sign(one)
    return Text(f"{sign} {one.kind}", style=style)


def _sign(one: Incident) -> tuple[str, str]:
    return _STYLES.get(one.kind, _OTHER) if one.is_open else _CLOSED


def _seen_by(one: Incident) -> list[str]:
    return list(dict.fromkeys(said.by or "somebody" for said in one.acks))


def _remark(one: Incident) -> str:
    if one.closed is not None:
        lasted = duration(one.closed - one.opened)
        if one.closed_by:
            said = f": {value(one.because, 60)}" if one.because else ""
            return f"closed after {lasted}, by {one.closed_by}{said}"
        return f"closed after {lasted}, {f'well in {one.closed_run}' if one.closed_run else one.over}"
    last = f"  ✎ {one.notes[-1].by or 'somebody'}: {value(one.notes[-1].text, 60)}" if one.notes else ""
    return f"{value(one.message, 80)}{last}"

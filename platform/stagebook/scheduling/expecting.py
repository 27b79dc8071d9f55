"""What was expected of schedules and is not so: late, missing, overdue. It is noticed though nothing happens."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from stagebook.errors import Problem
from stagebook.events import Status
from stagebook.journal.journal import Journal
from stagebook.journal.run_table import RunRecord
from stagebook.journal.tick_table import ScheduleState, Tick
from stagebook.pipeline.model import Schedule, in_units
from stagebook.runs.monitors import RECENT, series_from
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.settling import is_paused
from stagebook.timing.expected import Expectations
from stagebook.timing.zones import at as moment_at
from stagebook.timing.zones import find_zone
from stagebook.workspace.settings import MonitorSettings

Miss = Literal["missing", "late", "long", "overdue", "rows"]

WORDS: Mapping[Miss, str] = {
    "missing": "is missing",
    "late": "is late",
    "long": "takes too long",
    "overdue": "is overdue",
    "rows": "has an unusual number of rows",
}
_TICKS = 10  # of a schedule, the latest, that are looked at
_USUAL = 20  # runs that the usual duration is the median of, at most
_FEWEST = 3  # and at least


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Something that was expected and is not so.

    Args:
        kind: `missing`: no run began in time; `late`: none has completed in time; `long`: a run takes too long; `overdue`: the last
            one that completed is too long ago; `rows`: the number of rows is unusual.
        since: seconds since the epoch.
        message: says when and not how long ago, so that what goes on is the same whenever it is seen.
        due: of the firing that it is about, 0 where it is about none.
        run: that it is about; empty where there is none.
    """

    kind: Miss
    one: Scheduled
    since: float
    message: str
    due: float = 0.0
    run: str = ""

    def __str__(self) -> str:
        """It in a line."""
        return f"{self.one} {WORDS[self.kind]}: {self.message}"

    def told(self) -> dict[str, Any]:
        """It as an event has it."""
        names = ("kind", "message", "since", "run", "due")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        where = {"pipeline": self.one.pipeline, "schedule": self.one.schedule.name}
        return {**where, "environment": self.one.environment, **self.told(), "due": self.due or None}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A firing that has been due: `run` is what came of it, `None` where none began."""

    due: float
    run: RunRecord | None = None


def expects(place: Place) -> bool:
    """Whether anything is expected of a schedule of a place."""
    return any(one.schedule.expect is not None for one in place.scheduled)


def unjudged(place: Place) -> list[Problem]:
    """The mistakes for which nobody can say what is expected: of the place as a whole, and of pipelines of which a scheduler has
    seen schedules. Raises `JournalUnreadable`."""
    seen = {""}
    if place.problems and place.journal.is_file():
        with contextlib.closing(Journal(place.journal)) as journal:
            seen |= {key.pipeline for key, state in journal.ticks.states().items() if state.rule}
    told = (found for name, found in place.problems.items() if name.partition("/")[0] in seen)
    return [problem for found in told for problem in found]


def missed_in(place: Place, settings: MonitorSettings, now: float) -> Iterator[Missed]:
    """What is not as it is expected, of all schedules of a place. Raises `JournalUnreadable`."""
    expecting = [one for one in place.scheduled if one.schedule.expect is not None]
    if not expecting or not place.journal.is_file():
        return
    with contextlib.closing(Journal(place.journal)) as journal:
        states = journal.ticks.states()
        for one in expecting:
            state = states.get(one.key)
            if state is None or is_paused(one, state):
                continue  # nobody has seen it yet, or somebody wanted it so
            runs = journal.runs.latest(pipeline=one.pipeline, limit=_USUAL * 2, points=False)
            ticks = journal.ticks.of(one.key, _TICKS)
            found = firings_of(one.schedule, state, ticks, _came_of(journal, ticks, runs), now)
            yield from missed(one, found, runs, now)
            if one.schedule.expect is not None and one.schedule.expect.rows:
                yield from _rows(one, journal, settings)


def _came_of(journal: Journal, ticks: Sequence[Tick], runs: Sequence[RunRecord]) -> Mapping[str, RunRecord]:
    """What came of ticks, by the ids that their runs have: the run, or, where that did not complete, a later one of the pipeline's
    `runs` that did and is about the same interval, such as that of a deployment which mended it."""
    about = journal.intervals.of_runs([run.id for run in runs if run.status is Status.COMPLETED])
    found = {}
    for tick in ticks:
        run = journal.runs.find(tick.run) if tick.run else None
        if run is not None and run.status is not Status.COMPLETED and tick.interval is not None:
            same = (it for it in runs if it.id in about and about[it.id].interval == tick.interval)
            run = next((it for it in same if it.started >= run.started), run)
        if run is not None:
            found[tick.run] = run
    return found


def firings_of(
    schedule: Schedule, state: ScheduleState, ticks: Sequence[Tick], runs: Mapping[str, RunRecord], now: float
) -> list[Firing]:
    """The latest firings of a schedule: those that were claimed, and those that nobody has claimed though they are due."""
    found = [Firing(due=tick.due, run=runs.get(tick.run)) for tick in ticks if tick.state != "skipped"]
    if schedule.times is not None and state.rule == str(schedule):
        due = schedule.times.after(moment_at(state.handled))
        if due is not None and due.timestamp() <= now:
            found.append(Firing(due=due.timestamp()))
    return sorted(found, key=lambda one: one.due)


def missed(
    one: Scheduled, firings: Sequence[Firing], runs: Sequence[RunRecord], now: float
) -> Iterator[Missed]:
    """What is not as it is expected. `runs`: those of the pipeline, the newest first, whatever started them."""
    expect = one.schedule.expect
    assert expect is not None
    if firings:  # of earlier ones the later one tells
        yield from _in_time(one, expect, firings[-1], now)
    usual = usual_duration(runs)
    longest = expect.longest(usual)
    for run in runs:
        if run.ended is None and longest is not None and now - run.started > longest:
            began = _clock(one.schedule, run.started)
            text = f"{run.id} has been running since {began}; expected are {in_units(int(longest))} at most"
            yield Missed(kind="long", one=one, since=run.started + longest, message=text, run=run.id)
    last = next((run for run in runs if run.status is Status.COMPLETED and run.ended is not None), None)
    if (
        expect.fresh is not None
        and last is not None
        and last.ended is not None
        and now - last.ended > expect.fresh
    ):
        ended = _clock(one.schedule, last.ended)
        text = f"no run has completed since {ended}; one is expected within {in_units(int(expect.fresh))}"
        yield Missed(kind="overdue", one=one, since=last.ended + expect.fresh, message=text, due=last.ended)


def _in_time(one: Scheduled, expect: Expectations, firing: Firing, now: float) -> Iterator[Missed]:
    deadline = expect.deadline(moment_at(firing.due), one.schedule.zone)
    end = deadline.timestamp() if deadline is not None else None
    begin = firing.due + expect.start_within if expect.start_within is not None else end
    when = _clock(one.schedule, firing.due)
    run = firing.run
    if run is None:
        if begin is not None and now > begin:
            text = f"no run has begun that was due at {when}; is the scheduler running?"
            yield Missed(kind="missing", one=one, since=begin, message=text, due=firing.due)
        return
    # One that has completed meanwhile was late, and is not any more.
    if end is not None and now > end and run.status is not Status.COMPLETED:
        text = (
            f"{run.id}, due at {when}, has not completed by {_clock(one.schedule, end)}: it is {run.status}"
        )
        yield Missed(kind="late", one=one, since=end, message=text, due=firing.due, run=run.id)


def usual_duration(runs: Sequence[RunRecord]) -> float | None:
    """The median of how long the latest runs took that completed and did something; `None` where they are too few."""
    took = [
        run.ended - run.started
        for run in runs
        if run.status is Status.COMPLETED and run.ended is not None and run.kind == "run"
    ]
    return statistics.median(took[:_USUAL]) if len(took) >= _FEWEST else None


def _rows(one: Scheduled, journal: Journal, settings: MonitorSettings) -> Iterator[Missed]:
    """The numbers of rows that are unusual in the latest run that measured any."""
    known = series_from(journal.events.measured(one.pipeline, RECENT), settings)
    latest = max((series.last.at for series in known), default=0.0)
    for series in known:
        monitor, last = series.monitor, series.last
        if monitor.figure == "rows" and series.is_unusual and _is_of(journal, last.run, latest):
            usual = f"{series.low:,.0f} to {series.high:,.0f}"
            text = f"{monitor.dataset} has {last.value:,.0f} rows, usual are {usual}"
            yield Missed(kind="rows", one=one, since=last.at, message=text, run=last.run)


def _is_of(journal: Journal, run: str, latest: float) -> bool:
    """Whether a figure is of the run that was measured last."""
    found = journal.runs.find(run)
    return found is not None and found.started <= latest <= (found.ended or latest)


def _clock(schedule: Schedule, at: float) -> str:
    return f"{moment_at(at).astimezone(find_zone(schedule.zone)):%Y-%m-%d %H:%M %Z}"

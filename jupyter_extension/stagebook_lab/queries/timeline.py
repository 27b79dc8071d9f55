"""The runs of a pipeline over time: a grid of runs and stages, and a calendar."""

from __future__ import annotations

import bisect
import collections
import datetime as dt
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence

from stagebook.errors import RunNotFound, UsageError
from stagebook.events import Event
from stagebook.journal.history import RunHistory, StageRecord
from stagebook.journal.interval_table import RunInterval
from stagebook.journal.journal import Journal, RunRecord
from stagebook.pipeline.model import Schedule
from stagebook.project import Project
from stagebook.runs.intervals import latest_of
from stagebook.scheduling.places import Places
from stagebook.statuses import Status
from stagebook.timing.due import intervals_within
from stagebook.timing.interval import Interval
from stagebook.timing.units import last_complete, start_of, unit_from
from stagebook.timing.zones import at as moment_at
from stagebook_lab import wire
from stagebook_lab.journals import environments_of, journal_of
from stagebook_lab.present import stage_info, wire_value
from stagebook_lab.queries.results import attempts_of
from stagebook_lab.queries.runs import upstream_of

RUNS = 50  # in a grid, by default
MOST_RUNS = 500
PLACES: Mapping[str, int] = {"day": 35, "month": 12}  # in a calendar, by default
MOST_PLACES = 400
MOST_INTERVALS = 20_000
LACKING = 50  # intervals that are named for each day or month


def grid_reply(
    project: Project,
    pipeline: str,
    environment: str,
    limit: int,
    within: tuple[float | None, float | None] = (None, None),
) -> wire.GridReply:
    """The latest runs of a pipeline, with the status of each of their stages; of those that began within a stretch of time, in
    seconds since the epoch."""
    limit = max(1, min(limit, MOST_RUNS))
    first, last = within
    stretch = (first or 0.0, last or 1e12)
    runs: tuple[wire.GridRun, ...] = ()
    older = 0
    with journal_of(project, environment) as journal:
        if journal is not None:
            found = journal.timeline.latest(pipeline, limit, stretch)
            older = journal.timeline.count(pipeline, stretch) - len(found)
            runs = tuple(_runs(journal, found))
    schedule = _schedule_of(project, pipeline, environment)
    return wire.GridReply(
        pipeline=pipeline,
        environment=environment,
        environments=tuple(environments_of(project)),
        runs=runs,
        stages=tuple(dict.fromkeys(stage for run in reversed(runs) for stage in run.stages)),
        older=older,
        zone=schedule.zone if schedule is not None else "UTC",
    )


def _runs(journal: Journal, found: Sequence[RunRecord]) -> Iterator[wire.GridRun]:
    ids = [run.id for run in found]
    abouts = journal.intervals.of_runs(ids)
    for run, events in zip(found, journal.timeline.events_of(ids).values(), strict=True):
        yield _grid_run(run, RunHistory(events), abouts.get(run.id))


def _grid_run(run: RunRecord, history: RunHistory, about: RunInterval | None) -> wire.GridRun:
    noted = [""] if history.notes else []
    noted += [name for name, stage in history.stages.items() if stage.notes]
    return wire_value(
        wire.GridRun,
        run,
        status=str(run.status),
        interval=about.name if about is not None else "",
        schedule=about.schedule if about is not None else "",
        stages={name: str(stage.status) for name, stage in history.stages.items()},
        noted=tuple(noted),
    )


def stage_of_run_reply(project: Project, environment: str, run: str, stage: str) -> wire.StageOfRunReply:
    """A stage of a run. Raises `RunNotFound`."""
    record, events, about = _read_run(project, environment, run)
    history = RunHistory(events)
    found = history.stages.get(stage)
    return wire.StageOfRunReply(
        run=_grid_run(record, history, about),
        stage=stage_info(run, record.pipeline, found) if found is not None else None,
        notes=_notes(history, found),
    )


def times_reply(project: Project, environment: str, run: str) -> wire.TimesReply:
    """The stages of a run over time. Raises `RunNotFound`."""
    record, events, about = _read_run(project, environment, run)
    history = RunHistory(events)
    return wire.TimesReply(
        run=_grid_run(record, history, about),
        stages=tuple(stage_info(run, record.pipeline, stage) for stage in history.stages.values()),
        upstream=upstream_of(events),
        attempts=attempts_of(events),
    )


def _read_run(
    project: Project, environment: str, run: str
) -> tuple[RunRecord, list[Event], RunInterval | None]:
    with journal_of(project, environment) as journal:
        record = journal.runs.find(run) if journal is not None else None
        if journal is None or record is None:
            raise RunNotFound(f"there is no run '{run}' in {environment}", hint="stagebook runs lists them")
        events = [event for _, event in journal.events.of(run)]
        return record, events, journal.intervals.of_runs([run]).get(run)


def _notes(history: RunHistory, stage: StageRecord | None) -> tuple[wire.Note, ...]:
    """The notes on a run as a whole and on one of its stages, the oldest first."""
    found = [*history.notes, *(stage.notes if stage is not None else ())]
    return tuple(
        wire_value(wire.Note, note, kind="acknowledged" if note.acknowledges else "note")
        for note in sorted(found, key=lambda note: note.at)
    )


# -- the calendar ---------------------------------------------------------------------------------


def calendar_reply(
    project: Project, pipeline: str, environment: str, period: str, count: int, *, at: float | None = None
) -> wire.CalendarReply:
    """The last `count` days or months as of now, or of a time `at`, with how many runs ended how, and the intervals of the first
    schedule that has any.

    Raises:
        UsageError: the period is another one.
    """
    if period not in PLACES:
        raise UsageError(f"a calendar is by 'day' or by 'month', not by '{period}'")
    unit: wire.Period = "day" if period == "day" else "month"
    now = moment_at(time.time() if at is None else at)
    schedule = _schedule_of(project, pipeline, environment)
    zone = schedule.zone if schedule is not None else "UTC"
    places = _places(unit, max(1, min(count or PLACES[unit], MOST_PLACES)), zone, now)
    stretch = (places[0].start.timestamp(), places[-1].end.timestamp())
    outcomes: list[tuple[float, Status]] = []
    intervals: list[tuple[Interval, wire.IntervalState]] | None = []
    with journal_of(project, environment) as journal:
        if journal is not None:
            outcomes = journal.timeline.outcomes(pipeline, stretch)
            if schedule is not None:
                intervals = _states(journal, pipeline, schedule, places[0].start, now)
    return wire.CalendarReply(
        period=unit,
        zone=zone,
        schedule=schedule.name if schedule is not None else "",
        too_many=intervals is None,
        places=tuple(_filled(places, outcomes, intervals or ())),
    )


def _places(period: wire.Period, count: int, zone: str, now: dt.datetime) -> list[Interval]:
    """The last days or months up to the one that goes on, in their order."""
    found = [unit_from(period, start_of(period, now, zone), zone)]
    while len(found) < count:
        found.append(last_complete(period, found[-1].start, zone))
    return found[::-1]


def _filled(
    places: Sequence[Interval],
    outcomes: Sequence[tuple[float, Status]],
    intervals: Sequence[tuple[Interval, wire.IntervalState]],
) -> Iterator[wire.CalendarPlace]:
    starts = [one.start.timestamp() for one in places]
    runs: list[collections.Counter[str]] = [collections.Counter() for _ in places]
    own: list[list[tuple[Interval, wire.IntervalState]]] = [[] for _ in places]
    for at, status in outcomes:
        runs[bisect.bisect_right(starts, at) - 1][str(status)] += 1
    for interval, state in intervals:
        own[bisect.bisect_right(starts, interval.start.timestamp()) - 1].append((interval, state))
    for one, counted, found in zip(places, runs, own, strict=True):
        lacking = [it for it in found if it[1] != "done"]
        yield wire.CalendarPlace(
            name=one.name,
            start=one.start.timestamp(),
            end=one.end.timestamp(),
            runs=dict(counted),
            intervals=dict(collections.Counter(state for _, state in found)),
            lacking=tuple(
                wire.CalendarInterval(name=it.name, state=state) for it, state in lacking[:LACKING]
            ),
        )


def _schedule_of(project: Project, pipeline: str, environment: str) -> Schedule | None:
    """The first schedule of a pipeline in an environment that says what an interval is."""
    place = next((one for one in Places(project.root).all() if one.environment == environment), None)
    found = [one.schedule for one in place.scheduled if one.pipeline == pipeline] if place is not None else []
    return next((one for one in found if one.times is not None or one.interval), None)


def _states(
    journal: Journal, pipeline: str, schedule: Schedule, since: dt.datetime, now: dt.datetime
) -> list[tuple[Interval, wire.IntervalState]] | None:
    """The intervals that a schedule has had since a moment, from the first one on that any run was about; `None` where these are
    too many."""
    latest, known = latest_of(schedule, now), journal.intervals.of_pipeline(pipeline)
    if latest is None or not known or known[0].interval is None:
        return []
    begin = max(since, known[0].interval.start)
    found = list(
        itertools.islice(
            intervals_within(schedule.times, schedule.interval, schedule.zone, begin, latest.end),
            MOST_INTERVALS + 1,
        )
    )
    if len(found) > MOST_INTERVALS:
        return None
    runs: dict[Interval, list[str]] = {}
    for one in known:
        if one.interval is not None and one.interval.end > begin:
            runs.setdefault(one.interval, []).append(one.run)
    statuses = journal.timeline.statuses(run for some in runs.values() for run in some)
    return [(it, _state([statuses[run] for run in runs.get(it, ()) if run in statuses])) for it in found]


def _state(statuses: Sequence[Status]) -> wire.IntervalState:
    """What became of an interval, by the statuses of its runs in their order; as a backfill sees it."""
    if Status.COMPLETED in statuses:
        return "done"
    match statuses[-1] if statuses else None:
        case Status.RUNNING:
            return "running"
        case Status.FAILED | Status.INTERRUPTED:
            return "failed"
    return "missing"

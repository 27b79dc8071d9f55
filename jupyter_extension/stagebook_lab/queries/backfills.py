"""Backfills: planning one, the words that start it, and how far one is."""

from __future__ import annotations

import datetime as dt
import itertools
import shlex
from collections.abc import Sequence

from stagebook.errors import PipelineBusy, RunNotFound, UsageError
from stagebook.events import RunStarted
from stagebook.journal.journal import Journal, RunRecord
from stagebook.pipeline.model import Schedule
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs import backfill
from stagebook.runs.backfill import LACKING, State, plan_backfill
from stagebook.runs.intervals import intervals_between, those_over
from stagebook.runs.request import RunRequest
from stagebook.scheduling.places import Places
from stagebook.statuses import Status
from stagebook.timing.interval import Interval, IntervalInvalid
from stagebook.timing.reading import parse_interval
from stagebook.timing.units import UNITS
from stagebook.views import backfill_tables
from stagebook.workspace.environments import DEV
from stagebook_lab import wire
from stagebook_lab.journals import journal_of
from stagebook_lab.params import FieldsWrong, pairs_of
from stagebook_lab.present import wire_value

ROWS = 200  # of a plan, that are told
MOST = 3  # backfills that are listed
PARALLEL = 64  # intervals at a time, at most


def plan_reply(project: Project, request: wire.BackfillRequest) -> wire.BackfillPlanReply:
    """What a backfill would do; nothing is started.

    Raises:
        FieldsWrong: a field of the request says nothing that can be.
        UsageError: the selection matches nothing, or there is no such environment.
        PipelineInvalid: an interval cannot be planned.
    """
    check(request)
    if request.environment == DEV:
        return _plan_reply(project, request)
    with project.in_environment(request.environment) as there:
        return _plan_reply(there, request)


def _plan_reply(project: Project, request: wire.BackfillRequest) -> wire.BackfillPlanReply:
    loaded = project.catalog.load(request.pipeline)
    own = {**loaded.pipeline.schedules, **project.placement.schedules.get(loaded.pipeline.name, {})}
    found, left = _intervals(request, list(own.values()))
    asked = backfill.BackfillRequest(
        run=RunRequest(
            pipeline=request.pipeline,
            pairs=pairs_of(request.texts),
            selection=Selection(targets=request.stages),
            keep_going=True,
        ),
        intervals=found,
        which=frozenset(map(State, request.which)) or LACKING,
        newest_first=request.newest_first,
        parallel=request.parallel,
    )
    plan = plan_backfill(project.preparer, asked)
    rows = backfill_tables.plan_rows(plan)
    told = [backfill_tables.left_out(left).plain] if left else []
    return wire.BackfillPlanReply(
        rows=tuple(wire_value(wire.BackfillRow, row) for row in rows[:ROWS]),
        more=max(0, len(rows) - ROWS),
        lines=(*told, *backfill_tables.summary(plan).plain.splitlines()),
        count=len(plan.chosen),
        command=shlex.join(["stagebook", *words_of(request)]),
    )


def check(request: wire.BackfillRequest) -> None:
    """Raises `FieldsWrong` for what is wrong with single fields, whatever the pipeline is."""
    wrong = {}
    for name, text in (("start", request.start), ("end", request.end)):
        if not text.strip():
            wrong[name] = "say when: 2026-01, 2026-01-05 or 2026-01-05T06"
            continue
        try:
            parse_interval(text)
        except IntervalInvalid as error:
            wrong[name] = f"{error}; write {error.hint}" if error.hint else str(error)
    if request.every and request.every not in UNITS:
        wrong["every"] = f"it has to be one of {', '.join(UNITS)}"
    if not 1 <= request.parallel <= PARALLEL:
        wrong["parallel"] = f"it has to be from 1 to {PARALLEL}, not {request.parallel}"
    if wrong:
        raise FieldsWrong("the backfill cannot be planned", wrong)
    if any("\0" in text for text in words_of(request)):  # no process takes it
        raise UsageError("the request has a character that cannot be in a command")


def _intervals(
    request: wire.BackfillRequest, schedules: Sequence[Schedule]
) -> tuple[Sequence[Interval], Sequence[Interval]]:
    """Those that are over, and those that are not."""
    try:
        found = intervals_between(request.start, request.end, request.every, "", schedules)
        return those_over(found, dt.datetime.now(dt.UTC))
    except UsageError as error:
        field = "every" if "--every" in f"{error.message} {error.hint}" else "end"
        text = error.message.replace("--from ", "").replace("--to ", "")
        raise FieldsWrong(error.message, {field: f"{text}; {error.hint}" if error.hint else text}) from error


def words_of(request: wire.BackfillRequest) -> list[str]:
    """The words of the command that does what is asked for, once it is told yes."""
    places = [request.pipeline, *request.stages]
    return [
        "backfill",
        f"--from={request.start}",
        f"--to={request.end}",
        *([f"--every={request.every}"] if request.every else []),
        *(f"--{state}" for state in request.which),
        *(["--newest-first"] if request.newest_first else []),
        *([f"--parallel={request.parallel}"] if request.parallel > 1 else []),
        *(f"--param={pair}" for pair in pairs_of(request.texts)),
        *([f"--env={request.environment}"] if request.environment != DEV else []),
        *(["--"] if any(name.startswith("-") for name in places) else []),
        *places,
    ]


def check_idle(project: Project, pipeline: str, environment: str) -> None:
    """Raises `PipelineBusy` where a run of the pipeline goes on, as the command would after a while."""
    name = project.catalog.load(pipeline).pipeline.name
    with journal_of(project, environment) as journal:
        for run in journal.runs.going_on(name) if journal is not None else ():
            msg = f"'{name}' is being run already: {run.parent or run.id}"
            raise PipelineBusy(msg, hint="wait for it, or cancel it")


# -- how far one is -------------------------------------------------------------------------------


def backfills_reply(project: Project, pipeline: str, environment: str) -> wire.BackfillsReply:
    """The latest backfills of a pipeline, by its name."""
    place = next((one for one in Places(project.root).all() if one.environment == environment), None)
    own = [one.schedule for one in place.scheduled if one.pipeline == pipeline] if place is not None else []
    schedule = next((one for one in own if one.times is not None or one.interval), None)
    with journal_of(project, environment) as journal:
        found = journal.timeline.backfills(pipeline, MOST) if journal is not None else []
        infos = tuple(_info(journal, one) for one in found) if journal is not None else ()
    every = "" if schedule is None else schedule.interval or str(schedule)
    return wire.BackfillsReply(backfills=infos, every=every, units=UNITS)


def find_backfill(project: Project, environment: str, run: str) -> RunRecord:
    """A backfill by the id of its run. Raises `RunNotFound`."""
    with journal_of(project, environment) as journal:
        found = journal.runs.find(run) if journal is not None else None
    if found is None or found.kind != "backfill":
        raise RunNotFound(f"there is no backfill '{run}' in {environment}", hint="stagebook runs lists them")
    return found


def _info(journal: Journal, record: RunRecord) -> wire.BackfillInfo:
    """How far a backfill is. Intervals are run in their order, or the other way round; one that was passed over and has no run had
    nothing to do, or could not be planned."""
    started = next(event for _, event in journal.events.of(record.id, limit=1))
    assert isinstance(started, RunStarted)
    texts = [str(text) for text in started.request.get("intervals", ())]
    children = journal.runs.points_of(record.id)
    abouts = journal.intervals.of_runs(run.id for run in children)
    places = {str(one.interval): run for run, one in abouts.items()}
    order = texts[::-1] if started.request.get("newest_first") else texts
    last = max((at for at, text in enumerate(order) if text in places), default=-1)
    runs = tuple(
        wire.BackfillRun(id=run.id, interval=abouts[run.id].name, status=_word(run.status))
        for run in children
        if run.id in abouts
    )
    failed = sum(run.status not in {"running", "completed"} for run in runs)
    is_whole = record.ended is not None and record.status in {Status.COMPLETED, Status.FAILED}
    names = [parse_interval(text).name for text in itertools.chain(texts[:1], texts[-1:])]
    return wire_value(
        wire.BackfillInfo,
        record,
        status=_word(record.status),
        by=record.origin.user,
        first=names[0] if names else "",
        last=names[-1] if names else "",
        total=len(texts),
        done=sum(run.status == "completed" for run in runs),
        failed=failed,
        without=sum(text not in places for text in (order if is_whole else order[: last + 1])),
        left=0 if is_whole else len(order) - last - 1,
        current=tuple(run.interval for run in runs if run.status == "running"),
        runs=tuple(run for run in runs if run.status != "completed"),
    )


def _word(status: Status) -> wire.StageStatus:
    word: wire.StageStatus = status.value
    return word

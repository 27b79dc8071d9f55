"""Backfill: what intervals of the past lack is planned as a whole, looked at, and run."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import PipelineInvalid
from stagebook.events import RunStarted, Status
from stagebook.journal.journal import RunRecord
from stagebook.planning.partitions import reads_earlier
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.select import Selection
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.timing.interval import Interval


class State(enum.StrEnum):
    """What an interval lacks: `missing`: no run of it completed; `failed`: the last one did not; `changed`: it would come to
    something else today, or what it made is not there; `done`: nothing."""

    MISSING = "missing"
    FAILED = "failed"
    CHANGED = "changed"
    DONE = "done"


LACKING = frozenset({State.MISSING, State.FAILED, State.CHANGED})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What is asked for.

    Args:
        run: the pipeline, its parameters and stages, and how to run them.
        intervals: in order.
        which: the states of those that are run.
        newest_first: the latest interval is run first.
        parallel: at most so many intervals at a time.
    """

    run: RunRequest
    intervals: Sequence[Interval]
    which: frozenset[State] = LACKING
    newest_first: bool = False
    parallel: int = 1

    def at(self, interval: Interval) -> RunRequest:
        """The run of one interval."""
        return dataclasses.replace(self.run, interval=str(interval))

    def to_json(self) -> dict[str, Any]:
        """It as plain data, from which `of_run` makes it again."""
        return {
            "intervals": [str(one) for one in self.intervals],
            "which": sorted(self.which),
            "newest_first": self.newest_first,
            "parallel": self.parallel,
            "force": self.run.force,
            "selection": dataclasses.asdict(self.run.selection),
        }


def of_run(started: RunStarted, how: RunRequest, intervals: Sequence[Interval]) -> BackfillRequest:
    """What the run of a backfill was asked for. Of `how`, how to run counts; `intervals`: those that its request names."""
    asked = started.request
    return BackfillRequest(
        run=dataclasses.replace(
            how,
            pipeline=str(started.plan.get("path", started.pipeline)),
            values=dict(started.plan.get("params", {})),
            selection=Selection(**{name: tuple(texts) for name, texts in asked.get("selection", {}).items()}),
            force=bool(asked.get("force")),
        ),
        intervals=intervals,
        which=frozenset(map(State, asked.get("which", LACKING))),
        newest_first=bool(asked.get("newest_first")),
        parallel=int(asked.get("parallel", 1)),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInterval:
    """An interval in the plan of a backfill.

    Args:
        decisions: of each stage instance.
        why: why the first stage runs that does; empty where none does.
        seconds: how long it is expected to take, by earlier runs; `None` where nothing like it ever ran.
        run: the last run of it; empty where there was none.
    """

    interval: Interval
    state: State
    decisions: Mapping[str, Decision]
    why: str = ""
    seconds: float | None = None
    run: str = ""

    @property
    def runs(self) -> list[str]:
        """The stages that would run, or wait for one that does."""
        return [name for name, one in self.decisions.items() if one in _RUNS]

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            **self.interval.to_json(),
            "state": str(self.state),
            "stages": {name: str(one) for name, one in self.decisions.items()},
            "why": self.why,
            "seconds": self.seconds,
            "run": self.run,
        }


_RUNS = {Decision.RUN, Decision.AUDIT, Decision.WAIT}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlan:
    """What a backfill would do. `all` are the intervals that were looked at, in order; `chosen` those that are run, in the
    order in which they are; `reads_earlier`: partitions of earlier intervals are read, so that the order is that of time;
    `followers` of these are up to date, and read partitions of intervals that run before them;
    `clashes` are outputs that the intervals write to the same place, each its own; `shared` are stages that would run, and are the
    same for all of them."""

    request: BackfillRequest
    pipeline: str
    path: str
    params: Mapping[str, Any]
    all: Sequence[PlannedInterval]
    chosen: Sequence[PlannedInterval]
    reads_earlier: bool = False
    followers: frozenset[Interval] = frozenset()
    clashes: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()

    @property
    def seconds(self) -> float | None:
        """How long it is expected to take; `None` where nobody knows."""
        known = [one.seconds for one in self.chosen if one.seconds is not None]
        if not known:
            return None
        mean = sum(known) / len(known)  # of those that nothing is known of as well
        count = len(self.chosen) - len(self.followers)
        return mean * count / max(1, min(self.parallel, count))

    @property
    def parallel(self) -> int:
        """How many intervals run at a time: one, where they write to the same place, or read what earlier ones write."""
        return 1 if self.clashes or self.reads_earlier else self.request.parallel

    @property
    def newest_first(self) -> bool:
        """Whether the latest interval runs first."""
        return self.request.newest_first and not self.reads_earlier

    def count(self, state: State) -> int:
        """How many of the intervals are in a state."""
        return sum(one.state is state for one in self.all)

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            "pipeline": self.pipeline,
            "intervals": [one.to_json() for one in self.all],
            "chosen": [one.interval.name for one in self.chosen],
            "followers": sorted(one.name for one in self.followers),
            "seconds": self.seconds,
            "parallel": self.parallel,
            "clashes": list(self.clashes),
        }


def plan_backfill(preparer: Preparer, request: BackfillRequest) -> BackfillPlan:
    """What a backfill would do; nothing is started.

    Raises:
        PipelineInvalid: an interval cannot be planned.
        UsageError: the selection matches nothing.
    """
    moment = preparer.look(request.run)
    pipeline = moment.loaded.pipeline
    reads = reads_earlier(pipeline)
    last, expected = _last_runs(preparer, pipeline.name)
    found: list[PlannedInterval] = []
    params: Mapping[str, Any] | None = None
    places = _Places()
    for interval in request.intervals:
        try:
            plan = preparer.prepare(request.at(interval), moment).plan
        except PipelineInvalid as error:
            if not (reads and any(one.state is not State.DONE for one in found)):
                raise
            # It reads what an interval before it is going to make.
            found.append(_waiting(interval, error.problems[0].message))
        else:
            params = plan.params if params is None else params
            places.add(plan)
            found.append(_planned(plan, last, expected))
    first = next((at for at, one in enumerate(found) if one.state in request.which), len(found))
    followers = {one.interval for one in found[first:] if reads and one.state is State.DONE}
    chosen = [one for one in found if (one.state in request.which) or one.interval in followers]
    if request.newest_first and not reads:
        chosen.reverse()
    return BackfillPlan(
        request=request,
        pipeline=pipeline.name,
        path=pipeline.path,
        params=dict(params or {}),
        all=found,
        chosen=chosen,
        reads_earlier=reads,
        followers=frozenset(followers),
        clashes=tuple(places.clashes),
        shared=frozenset(places.shared),
    )


def _last_runs(
    preparer: Preparer, pipeline: str
) -> tuple[dict[Interval, tuple[RunRecord, bool]], dict[str, float]]:
    """The last run of each interval, and whether any of them completed; how many seconds stages take."""
    if not (preparer.history.has_journal and pipeline):
        return {}, {}
    journal = preparer.history.journal
    runs = {run.id: run for run in journal.runs.latest(pipeline=pipeline, limit=-1)}
    found: dict[Interval, tuple[RunRecord, bool]] = {}
    for one in journal.intervals.of_pipeline(pipeline):
        run = runs.get(one.run)
        if one.interval is not None and run is not None and run.kind == "run":
            found[one.interval] = _later(found.get(one.interval), run)
    return found, journal.events.durations(pipeline)


def _later(before: tuple[RunRecord, bool] | None, run: RunRecord) -> tuple[RunRecord, bool]:
    completed = run.status is Status.COMPLETED
    return run, completed or (before is not None and before[1])


def _planned(
    plan: Plan, last: Mapping[Interval, tuple[RunRecord, bool]], expected: Mapping[str, float]
) -> PlannedInterval:
    assert plan.interval is not None
    decisions = {stage.id: stage.decision for stage in plan.stages}
    runs = [stage for stage in plan.stages if stage.decision in _RUNS]
    run, completed = last.get(plan.interval, (None, False))
    if completed and is_as_it_is(plan):
        state = State.DONE
    elif run is not None and run.status in {Status.FAILED, Status.INTERRUPTED}:
        state = State.FAILED
    else:
        state = State.CHANGED if completed else State.MISSING
    why = runs[0].reasons[0] if runs and runs[0].reasons else ""
    if state is State.FAILED and run is not None:
        why = f"the last run of it {'failed' if run.status is Status.FAILED else 'was interrupted'}"
    if state is State.MISSING:
        why = "no run of it yet"
        if run is not None:
            why = f"the last run of it was {run.status}" if run.ended is not None else "a run of it goes on"
    if state is not State.DONE and not runs:
        why = (
            f"{why}; all of its results are there"
            if why
            else "outputs that are not in their places are restored"
        )
    known = [expected[stage.id] for stage in runs if stage.id in expected]
    return PlannedInterval(
        interval=plan.interval,
        state=state,
        decisions=decisions,
        why=why,
        seconds=sum(known) if known else None,
        run=run.id if run is not None else "",
    )


def is_as_it_is(plan: Plan) -> bool:
    """Whether a run would change nothing: all results are there, and all outputs in their places."""
    return not any(
        stage.decision in _RUNS or (stage.judgement is not None and stage.judgement.restores)
        for stage in plan.stages
    )


def _waiting(interval: Interval, why: str) -> PlannedInterval:
    return PlannedInterval(
        interval=interval, state=State.CHANGED, decisions={"all stages": Decision.WAIT}, why=why
    )


class _Places:
    """Where the plans of several intervals write. Of plans nothing else is kept: thousands of them take their room.

    Attributes:
        clashes: outputs that more than one interval writes to the same place, or adds to, each its own.
        shared: stages that are the same for all intervals and would run; all of them come to what the first one does.
    """

    def __init__(self) -> None:
        self.clashes: dict[str, None] = {}
        self.shared: set[str] = set()
        self._written: dict[str, Interval | None] = {}  # path → the first interval that writes it
        self._first: dict[str, tuple[Any, ...]] = {}  # what the stages of the first plan are about

    def add(self, plan: Plan) -> None:
        """Take the plan of an interval."""
        own: set[str] = set()  # stages that are about the interval
        for stage in plan.stages:
            about = _about(stage, plan.interval)
            if own.intersection(stage.upstream) or self._first.setdefault(stage.id, about) != about:
                own.add(stage.id)
            for name, output in stage.outputs.items():
                if self._written.setdefault(output.path, plan.interval) == plan.interval:
                    continue
                if stage.id in own:
                    self.clashes[f"{stage.id}.{name}"] = None
                elif stage.decision in _RUNS:
                    self.shared.add(stage.id)


def _about(stage: PlannedStage, interval: Interval | None) -> tuple[Any, ...]:
    """What tells a stage of one interval from that of another."""
    waits = any(item.mentions("interval") for item in stage.open)  # what it comes to is known in the run
    inputs = {name: item.paths for name, item in stage.inputs.items()}
    return interval if waits else None, dict(stage.params), inputs

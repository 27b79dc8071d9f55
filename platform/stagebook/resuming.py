"""What is left of a run, and what it had finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stagebook.definition.notebook import NotebookUnreadable
from stagebook.errors import ResumeRefused, UsageError
from stagebook.events import AttemptEnded, Event, RunStarted, StageReused, Status
from stagebook.planning import graph
from stagebook.planning.fingerprint import Change, changes
from stagebook.planning.judging import Judge, made_by
from stagebook.planning.plan import Plan
from stagebook.planning.results import Made, Result
from stagebook.planning.select import Selection
from stagebook.record.history import RunHistory


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a run that did not come to a good end leaves to do.

    `finished` are the results that it came to, `failed` the stages that failed; `unfinished` are all
    that it was to do and did not.
    """

    started: RunStarted
    finished: Mapping[str, Result]
    failed: tuple[str, ...]
    unfinished: tuple[str, ...]

    @property
    def selection(self) -> Selection:
        """What was asked for."""
        asked = self.started.request.get("selection", {})
        return Selection(**{name: tuple(items) for name, items in asked.items()})

    @property
    def forced(self) -> tuple[str, ...] | None:
        """Which stages were to run whatever is known; None if none were."""
        forced = self.started.request.get("forced")
        return None if forced is None else tuple(forced)

    def with_failed_only(self) -> Selection:
        """What was asked for, without what neither failed nor depends on what did."""
        needs = {item["id"]: tuple(item["upstream"]) for item in self.started.plan.get("stages", ())}
        known = {name: tuple(need for need in needs[name] if need in needs) for name in needs}
        again = graph.closure(graph.followers_of(known), [name for name in self.failed if name in known])
        left = tuple(name for name in self.unfinished if name not in again)
        return dataclasses.replace(self.selection, skip=(*self.selection.skip, *left))


def rest_of(
    run: str,
    events: Iterable[tuple[int, Event]],
    known: Callable[[int], Result | None] = lambda _number: None,
) -> Rest:
    """What is left of a run. `known`: the result with a number.

    Raises:
        UsageError: nothing is, or the run cannot be gone on with.
    """
    numbered = list(events)
    history = RunHistory(event for _, event in numbered)
    started = history.started
    if started is None or started.kind == "accept":
        msg = f"the run {run} cannot be gone on with"
        raise UsageError(msg, hint="stagebook runs lists the runs")
    results: dict[str, Result] = {}
    for number, event in numbered:
        if isinstance(event, AttemptEnded) and event.cause is None:
            results[event.stage] = _result(started.pipeline, number, event)
        elif isinstance(event, StageReused):
            results[event.stage] = _reused(started.pipeline, number, event, known(event.number))
    finished = {
        name: results[name]
        for name, stage in history.stages.items()
        if stage.status in {Status.COMPLETED, Status.REUSED} and name in results
    }
    unfinished = tuple(
        name
        for name, stage in history.stages.items()
        if name not in finished and stage.status is not Status.SKIPPED
    )
    if history.ended is None:
        msg = f"the run {run} is going on"
        raise UsageError(msg, hint=f"watch it: stagebook logs -f {run}")
    if not unfinished:
        msg = f"the run {run} finished all of its stages"
        raise UsageError(msg, hint=f"run it again with: stagebook run {started.pipeline}")
    failed = tuple(name for name, stage in history.stages.items() if stage.status is Status.FAILED)
    return Rest(started=started, finished=finished, failed=failed, unfinished=unfinished)


def _result(pipeline: str, number: int, event: AttemptEnded) -> Result:
    return Result(
        number=number,
        pipeline=pipeline,
        stage=event.stage,
        run=event.run,
        attempt=event.attempt,
        at=event.at,
        fingerprint=event.fingerprint,
        folder=event.folder,
        parts=event.parts,
        outputs=event.outputs,
        scraps=event.scraps,
        sources=event.sources,
    )


def _reused(pipeline: str, number: int, event: StageReused, known: Result | None) -> Result:
    return Result(
        number=event.number or number,
        pipeline=pipeline,
        stage=event.stage,
        run=event.of_run or event.run,
        attempt=event.of_attempt,
        at=event.at,
        fingerprint=known.fingerprint if known else "",
        folder=event.folder,
        parts=known.parts if known else {},
        outputs=event.outputs,
        scraps=event.scraps,
    )


def changed_since(plan: Plan, judge: Judge, finished: Mapping[str, Result]) -> dict[str, list[Change]]:
    """Of the stages that were finished, those whose result depends on what changed since."""
    made: dict[str, Made] = {}
    found: dict[str, list[Change]] = {}
    for stage in plan.stages:
        result = finished.get(stage.id)
        if result is None:
            continue
        made[stage.id] = made_by(stage, result)
        if not result.parts:
            continue  # a result of which that is not known
        try:
            # A parameter that comes from scraps, or from the run itself, is as it was.
            params: dict[str, Any] = {**result.parts.get("params", {}), **stage.params}
            now = judge.fingerprint(stage, params, made)
        except NotebookUnreadable:
            continue  # the plan tells
        different = [change for change in changes(result.parts, now.parts) if not _unknown(change)]
        if different:
            found[stage.id] = different
    return found


def _unknown(change: Change) -> bool:
    """Whether an input is of a stage that is not finished, so that nothing can be said of it."""
    return change.part == "inputs" and any(not digest for _, digest in change.new or ())


def refuse_changed(run: str, pipeline: str, changed: Mapping[str, Sequence[Change]]) -> ResumeRefused:
    """The error that names what changed."""
    shown = [f"{stage} ({items[0].text})" for stage, items in list(changed.items())[:5]]
    more = f", and {len(changed) - 5} more" if len(changed) > 5 else ""
    msg = f"what the run {run} had finished has changed since: {', '.join(shown)}{more}"
    hint = (
        f"run what changed and all the rest: stagebook run {pipeline}\n"
        f"    or keep these results as they are: stagebook resume {run} --keep"
    )
    return ResumeRefused(msg, hint=hint)

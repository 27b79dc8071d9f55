"""What is left of a run, and what it had finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from stagebook import events
from stagebook.errors import ResumeRefused, UsageError
from stagebook.events import Event, Status
from stagebook.journal.history import RunHistory
from stagebook.journal.result_table import result_of
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning import graph
from stagebook.planning.fingerprint import Change, changes
from stagebook.planning.plan import Plan
from stagebook.planning.result import Made, Result
from stagebook.planning.reuse import ReusePolicy, made_by
from stagebook.planning.select import Selection


def asked_for(selection: Selection, forced: Sequence[str] | None) -> dict[str, Any]:
    """What was asked for, as `events.RunStarted` keeps it for `Rest`."""
    chosen = {name: list(texts) for name, texts in dataclasses.asdict(selection).items()}
    return {"selection": chosen, "forced": None if forced is None else list(forced)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a run that did not come to a good end leaves to do. `finished` are the results that it came to,
    `failed` the stages that failed; `unfinished` are all that it was to do and did not. `needs`: which stages
    each one waits for."""

    started: events.RunStarted
    finished: Mapping[str, Result]
    failed: tuple[str, ...]
    unfinished: tuple[str, ...]
    needs: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

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
        """What was asked for, without what neither failed nor depends on what did, unless that needs it."""
        again = graph.closure(graph.followers_of(self.needs), self.failed)
        needed = graph.closure(self.needs, again)
        left = tuple(name for name in self.unfinished if name not in needed)
        return dataclasses.replace(self.selection, skip=(*self.selection.skip, *left))


def rest_of(
    run: str,
    events_of: Callable[[str], Iterable[tuple[int, Event]]],
    known: Callable[[int], Result | None] = lambda _number: None,
) -> Rest:
    """What is left of a run. `events_of`: the events of a run with their numbers; `known`: the result
    with a number.

    Raises:
        UsageError: nothing is, or the run cannot be gone on with.
    """
    course = _Course(run, events_of, known)
    started, history = course.started, course.history
    if started is None or started.kind in {"accept", "bookmark"}:
        raise UsageError(f"the run {run} cannot be gone on with", hint="stagebook runs lists the runs")
    if history.ended is None:
        raise UsageError(f"the run {run} is going on", hint=f"watch it: stagebook logs -f {run}")
    finished = course.finished()
    unfinished = course.unfinished(finished)
    # A process that ended after its last stage and before its own end left a run that only has to be closed.
    if not unfinished and history.status is Status.COMPLETED:
        msg = f"the run {run} finished all of its stages"
        raise UsageError(msg, hint=f"run it again with: stagebook run {started.pipeline}")
    return Rest(
        started=started,
        finished=finished,
        failed=tuple(name for name, stage in history.stages.items() if stage.status is Status.FAILED),
        unfinished=unfinished,
        needs=course.needs,
    )


class _Course:
    """What happened in a run, and in those that it went on with."""

    def __init__(
        self,
        run: str,
        events_of: Callable[[str], Iterable[tuple[int, Event]]],
        known: Callable[[int], Result | None],
    ) -> None:
        self._events = list(events_of(run))
        self._events_of = events_of
        self._known = known
        self.history = RunHistory(event for _, event in self._events)
        self.started = self.history.started
        self.needs = self._needs()

    def _needs(self) -> dict[str, tuple[str, ...]]:
        """Which stages each stage waits for."""
        needs: dict[str, tuple[str, ...]] = {}
        for _, event in self._events:
            items: list[Mapping[str, Any]] = []
            if isinstance(event, events.RunStarted):
                items += event.plan.get("stages", ())
            elif isinstance(event, events.StageExpanded):
                items += [*event.stages, *event.changed]
            needs |= {item["id"]: tuple(item.get("upstream", ())) for item in items}
        there = self.history.stages
        return {name: tuple(one for one in needs.get(name, ()) if one in there) for name in there}

    def finished(self) -> dict[str, Result]:
        """The results of the stages that finished, here or before, and of which all that they wait for is
        finished, too: a stage that cleans up after a failure has its turn again."""
        results, begun = self._results()
        found = {name: result for name, result in self._before().items() if name not in begun}
        found |= {name: result for name, result in results.items() if name in self.history.stages}
        open_ = [name for name in self.unfinished(found) if name in self.needs]
        again = graph.closure(graph.followers_of(self.needs), open_)
        return {name: result for name, result in found.items() if name not in again}

    def unfinished(self, finished: Container[str]) -> tuple[str, ...]:
        """The stages that were to be done, and are not."""
        return tuple(
            name
            for name, stage in self.history.stages.items()
            if name not in finished and stage.status is not Status.SKIPPED
        )

    def _results(self) -> tuple[dict[str, Result], set[str]]:
        """What stages came to, and which of them were begun. The end of an attempt counts, though the run
        was killed before it told that of the stage."""
        results: dict[str, Result] = {}
        begun: set[str] = set()
        pipeline = self.started.pipeline if self.started else ""
        for number, event in self._events:
            if isinstance(event, events.AttemptStarted):
                begun.add(event.stage)
                results.pop(event.stage, None)
            elif isinstance(event, events.AttemptEnded) and event.cause is None:
                results[event.stage] = result_of(number, pipeline, event)
            elif isinstance(event, events.StageReused):
                known = self._known(event.number or number)
                results[event.stage] = _reused(pipeline, number, event, known)
        return results, begun

    def _before(self) -> dict[str, Result]:
        """What the run that this one went on with had finished: this one may not have come to take it."""
        if self.started is None or not self.started.resumes:
            return {}
        before = _Course(self.started.resumes, self._events_of, self._known).finished()
        return {name: result for name, result in before.items() if name in self.history.stages}


def _reused(pipeline: str, number: int, event: events.StageReused, known: Result | None) -> Result:
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
        audits=event.audits,
        written=known.written if known else {},
    )


def changed_since(plan: Plan, policy: ReusePolicy, finished: Mapping[str, Result]) -> dict[str, list[Change]]:
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
            now = policy.fingerprints.of(stage, params, made)
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

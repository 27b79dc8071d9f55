"""A run of a case by the real runner on the fake engine, each event held against what may happen, the end against the
model."""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fakes import FakeClock, FakeEngine
from semantics.cases import Case, Fates
from semantics.model import FAILED, GOOD, SKIPPED, End, Model, verdict
from semantics.plans import FilePlanner, HandPlanner, planner_of
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    RunCancelling,
    RunEnded,
    StageEnded,
    StageExpanded,
    Status,
)
from stagebook.execution import attempt as attempts
from stagebook.execution.engine.protocol import Ended, Report
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.runner import Runner
from stagebook.journal.history import RunHistory
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.workspace.workspace import Workspace

FOR_FAILURES = {"all_done", "one_failed", "all_failed"}
START = 1_000_000_000.0


class Engine(FakeEngine):
    """The fake engine; with `in_batches` it reports all that ends at one time at once."""

    in_batches = False

    def wait(self, timeout: float | None) -> Sequence[Report]:
        found = list(super().wait(timeout))
        while self.in_batches and found and isinstance(found[-1], Ended):
            if not self._ends or self._ends[0][0] > self.clock.now:
                break
            _, _, stage, number = heapq.heappop(self._ends)
            if stage in self._running and self._running[stage][0].number == number:
                found.append(Ended(stage=stage, attempt=number, result=self._running.pop(stage)[1]))
        return found


_WHY = re.compile(r"(?:needs (\S+), which|not started, since (\S+)) failed")


class Watcher:
    """Sees every event of a run, and holds it against what may happen at that moment."""

    def __init__(self, case: Case, fates: Fates, planner: HandPlanner | FilePlanner, plan: Plan) -> None:
        self.case = case
        self.fates = fates
        self.plans = planner.made
        self.stages = {stage.id: stage for stage in plan.stages}
        self.engine: Engine | None = None
        self.events: list[Event] = []
        self.running: dict[str, int] = {}
        self.attempts: collections.Counter[str] = collections.Counter()
        self.failed_attempt: dict[str, float] = {}
        self.final: dict[str, Status] = {}
        self.reasons: dict[str, str] = {}
        self.started_before_stop: int | None = None
        self.ended: Status | None = None
        self.growths: list[int] = []

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            assert self.ended is None, "something followed the end of the run"
            match event:
                case StageExpanded():
                    self.expanded(event)
                case AttemptStarted():
                    self.started(event)
                case AttemptEnded():
                    assert self.running.pop(event.stage) == event.attempt
                    self.failed_attempt.pop(event.stage, None)
                    if event.cause is not None:
                        self.failed_attempt[event.stage] = event.at
                case StageEnded():
                    self.stage_ended(event)
                case RunCancelling():
                    assert self.engine is not None
                    self.started_before_stop = len(self.engine.started)
                case RunEnded():
                    assert set(self.final) == set(self.stages), "the run ended before a stage"
                    self.ended = event.status

    def expanded(self, event: StageExpanded) -> None:
        assert event.stage in event.gone
        assert not set(event.gone) & set(self.final), "what had ended went away"
        assert not set(event.gone) & set(self.running)
        new = [item["id"] for item in event.stages]
        assert not set(new) & set(self.stages)
        wanted = self.stages.keys() - set(event.gone) | set(new)
        while wanted != {stage.id for stage in self.plans[0].stages}:
            del self.plans[0]  # nothing came of it
        self.stages = {stage.id: stage for stage in self.plans.pop(0).stages}
        assert new == [name for name in self.stages if name in new]
        self.growths.append(len(event.gone))

    def started(self, event: AttemptStarted) -> None:
        name = event.stage
        assert name not in self.final, "it ended before"
        assert name not in self.running
        self.attempts[name] += 1
        self.running[name] = event.attempt
        assert event.attempt == self.attempts[name] <= self.stages[name].retries + 1
        assert len(self.running) <= self.case.jobs
        if event.attempt > 1:
            due = self.failed_attempt[name] + 0.5 * 2 ** (event.attempt - 2)
            assert event.at >= due, "it was tried again too early"
        else:
            self.may_begin(name)
        if not self.case.keep_going and Status.FAILED in self.final.values():
            assert self.stages[name].trigger in FOR_FAILURES, "it started after a failure"

    def may_begin(self, name: str) -> None:
        """Whether a stage's turn can have come."""
        stage = self.stages[name]
        assert stage.selected
        assert not stage.absent
        ends = [self.kind_of(other, stage) for other in stage.upstream if other in self.final]
        if stage.trigger not in {"one_failed", "one_success"}:
            assert len(ends) == len(stage.upstream), "it started before all that it waits for"
        assert verdict(stage.trigger, ends) == "go", "its trigger did not let it start"

    def kind_of(self, name: str, follower: PlannedStage) -> str:
        status = self.final[name]
        if status is Status.SKIPPED and self.stages[name].selected:
            return GOOD if name in follower.loosely else SKIPPED
        return GOOD if status.is_good else FAILED

    def stage_ended(self, event: StageEnded) -> None:
        name, status = event.stage, event.status
        assert name in self.stages
        assert name not in self.final, "it ended twice"
        assert name not in self.running
        assert status.is_final
        tried, failed = self.attempts[name], name in self.failed_attempt
        match status:
            case Status.COMPLETED:
                assert tried
                assert not failed
            case Status.FAILED:
                assert failed
            case Status.REUSED:
                assert not tried
                self.may_begin(name)
            case Status.BLOCKED:
                assert not tried
                found = _WHY.search(event.reason)
                assert found, event.reason
                assert self.final[found[1] or found[2]] is Status.FAILED
            case Status.SKIPPED:
                assert not tried
            case Status.CANCELLED:
                assert self.started_before_stop is not None
            case _:
                pytest.fail(f"a stage ended as {status}")
        self.final[name], self.reasons[name] = status, event.reason


@dataclasses.dataclass
class Seen:
    """A run, and what is there to be said of it."""

    watcher: Watcher
    status: Status
    model: Model


def run(case: Case, root: Path, workspace: Workspace | None = None) -> Seen:
    """Run a case and hold it against the model. Raises `AssertionError`."""
    fates = Fates(case)
    planner = HandPlanner(case, fates) if workspace is None else planner_of(case, fates, workspace)
    plan = planner.plan()
    planner.made.clear()
    clock = FakeClock(START)

    def script(attempt: attempts.Attempt) -> tuple[float, attempts.AttemptResult]:
        fate = fates.of(attempt.stage)
        seconds = fate.seconds[(attempt.number - 1) % 4]
        if attempt.number <= fate.fails:
            return seconds, attempts.AttemptResult(
                cause=Cause.NOTEBOOK if fate.hopeless else Cause.EXCEPTION, message="broke"
            )
        scraps = {name: {"value": value} for name, value in fates.scraps(attempt.stage).items()}
        return seconds, attempts.AttemptResult(scraps=scraps)

    patience: dict[tuple[str, int], Iterator[int]] = collections.defaultdict(itertools.count)
    engine = Engine(clock, script)
    engine.in_batches = case.in_batches
    watcher = Watcher(case, fates, planner, plan)
    watcher.engine = engine
    context = RunContext(
        root=root,
        folder=root / "r",
        clock=clock,
        emit=watcher,
        executable=lambda _name: root,
        planner=planner,
        prepare=lambda stage, number: {} if next(patience[stage.id, number]) >= case.waits else None,
    )
    options = RunOptions(run_id="r", jobs=case.jobs, keep_going=case.keep_going)
    runner = Runner(plan, engine, options, context)
    if case.stop_at is not None:
        at = START + case.stop_at
        engine.on_wait = lambda: runner.cancel("stopped") if clock.now >= at else None
        if case.stop_at == 0:
            runner.cancel("stopped")
    status = runner.run()
    foreach = {spec.name for spec in case.specs if spec.foreach}
    model = Model(case, fates, {name for name in foreach if name in watcher.final})
    seen = Seen(watcher, status, model)
    check_end(case, seen)
    return seen


def check_end(case: Case, seen: Seen) -> None:
    """Lease what a run came to against the model."""
    watcher, final = seen.watcher, seen.watcher.final
    assert watcher.ended is seen.status
    assert not watcher.running
    history = RunHistory(watcher.events)
    assert {name: stage.status for name, stage in history.stages.items() if name in final} == final
    assert watcher.engine is not None
    if watcher.started_before_stop is not None:
        assert len(watcher.engine.started) == watcher.started_before_stop, "something started after the stop"
    check_outcome(seen)
    check_each(case, seen)
    if case.keep_going and watcher.started_before_stop is None:
        check_all(seen)


def check_outcome(seen: Seen) -> None:
    """The status of the run, by those of its stages."""
    statuses = set(seen.watcher.final.values())
    if seen.watcher.started_before_stop is None:
        wanted = Status.FAILED if statuses & {Status.FAILED, Status.BLOCKED} else Status.COMPLETED
        assert seen.status is wanted
    else:
        assert Status.CANCELLED not in statuses or seen.status is Status.CANCELLED


def check_each(case: Case, seen: Seen) -> None:
    """Each stage is what the model says that it is after those before it, as they really ended."""
    watcher, final = seen.watcher, seen.watcher.final
    local = Model(case, seen.model.fates)
    for name in watcher.stages:
        local.ids.setdefault(name.split("@")[0], []).append(name)
    stopped = Status.FAILED in final.values() and not case.keep_going
    for spec in case.specs:
        for name in local.ids[spec.name]:
            status, reason = final[name], watcher.reasons[name]
            is_early = stopped and spec.trigger not in FOR_FAILURES
            before = local.is_before(spec, name)
            if status is Status.CANCELLED or (is_early and reason.startswith("not started")):
                local.ends[name] = End(status, before=before)  # both count as failed
                continue
            wanted = local.end_of(spec, name)
            if is_early and status is Status.FAILED and watcher.attempts[name] < wanted.attempts:
                wanted = End(status, before=before, attempts=watcher.attempts[name])  # not tried again
            assert status is wanted.status, f"{name} is {status} ({reason}), not {wanted.status}"
            assert watcher.attempts[name] == wanted.attempts, name
            local.ends[name] = wanted


def check_all(seen: Seen) -> None:
    """All is as the model has it."""
    ideal = seen.model.run()
    assert seen.watcher.final == {name: end.status for name, end in ideal.items()}
    assert seen.watcher.attempts == {name: end.attempts for name, end in ideal.items() if end.attempts}

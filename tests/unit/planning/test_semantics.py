"""What a run of any graph comes to, held against a small model of what it should.

A case is a random graph with triggers, conditions, lists, retries, failures, results that are reused,
stages that are not selected, and a stop. The real runner, state and decider run it on the fake engine.
The model, below, says what becomes of a stage once it is known what became of those before it; every
event is held against what may happen at all. A case that fails is made smaller before it is shown.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import json
import os
import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from fakes import FakeClock, FakeEngine
from stagebook.errors import PipelineInvalid, UsageError
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
from stagebook.pipeline.expressions import Template, compile_value
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.model import Trigger
from stagebook.planning.plan import Decision, Judgement, Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.result import Made, Result
from stagebook.planning.select import Selection
from stagebook.workspace.workspace import Workspace

CASES = 10_000 if os.environ.get("STAGEBOOK_FAULTS") == "full" else 2_000
PLANNED_CASES = CASES // 10  # through the planner, from a file
FACTOR = float(os.environ.get("STAGEBOOK_FAULTS_COUNT", "1"))
SEED = int(os.environ["STAGEBOOK_FAULTS_SEED"])  # tests/conftest.py sees to it

TRIGGERS: tuple[Trigger, ...] = (
    "all_success", "all_done", "one_failed", "all_failed", "one_success", "none_failed",
)  # fmt: skip
FOR_FAILURES = {"all_done", "one_failed", "all_failed"}
START = 1_000_000_000.0


# -- cases ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A stage. `needs` are stages whose data it takes, `joins` those over the same list that it goes with
    item by item, `after` those that only come before it. `when` is empty, `no`, `not a` (of the item `a`)
    or the name of a stage that says so; `reads` is the stage whose scrap is a parameter."""

    name: str
    needs: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    foreach: str = ""
    when: str = ""
    reads: str = ""
    trigger: Trigger = "all_success"
    retries: int = 0
    selected: bool = True
    skips: bool = False  # of its items, `a` is not selected
    reused: bool = False

    def is_selected(self, name: str) -> bool:
        """Whether an instance is selected."""
        return self.selected and not (self.skips and name.endswith("@a"))

    @property
    def condition(self) -> str:
        """The stage that says whether it runs, if any."""
        return "" if self.when in {"no", "not a"} else self.when

    @property
    def in_values(self) -> tuple[str, ...]:
        """The stages that its expressions refer to."""
        return tuple(filter(None, (self.foreach, self.reads, self.condition)))

    @property
    def names(self) -> tuple[str, ...]:
        """All stages that it refers to."""
        return (*self.needs, *self.joins, *self.after, *self.in_values)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A graph, each stage after those that it refers to, and how it is run."""

    seed: str
    specs: tuple[Spec, ...]
    jobs: int = 1
    keep_going: bool = True
    stop_at: float | None = None  # seconds after the start
    in_batches: bool = False  # what ends at one time is reported at once
    trouble: float = 0.3  # the share of instances of which an attempt fails
    waits: int = 0  # how often an attempt is not ready to start


def random_case(seed: str) -> Case:
    """Any case."""
    rng = random.Random(seed)
    specs: list[Spec] = []
    for at in range(rng.choice((1, 2, 4, 6, 8, 12))):
        specs.append(_random_spec(rng, f"s{at}", specs))
    return Case(
        seed=seed,
        specs=tuple(specs),
        jobs=rng.choice((1, 1, 2, 3, 9)),
        keep_going=rng.random() < 0.6,
        stop_at=rng.choice((0.0, 0.5, 1.0, 2.0, 4.0, 8.0)) if rng.random() < 0.15 else None,
        in_batches=rng.random() < 0.5,
        trouble=rng.choice((0.1, 0.3, 0.6)),
        waits=rng.choice((0, 0, 0, 2)),
    )


def _random_spec(rng: random.Random, name: str, before: Sequence[Spec]) -> Spec:
    def some(most: int) -> tuple[str, ...]:
        names = [spec.name for spec in before[-5:]]
        return tuple(rng.sample(names, min(len(names), rng.randint(0, most))))

    def maybe(share: float) -> str:
        return rng.choice(before).name if before and rng.random() < share else ""

    foreach = maybe(0.3)
    lists = [spec for spec in before if spec.foreach]
    if lists and rng.random() < 0.35:
        other = rng.choice(lists)  # the same list, to have something to join, or a list of its instances
        foreach = other.foreach if rng.random() < 0.7 else other.name
    twins = [spec.name for spec in before if foreach and spec.foreach == foreach]
    joins = tuple(rng.sample(twins, min(len(twins), rng.randint(0, 2))))
    when = rng.choice(("no", "not a", maybe(1), maybe(1))) if rng.random() < 0.25 else ""
    spec = Spec(
        name=name,
        needs=tuple(need for need in some(2) if need not in joins),
        joins=joins,
        after=tuple(one for one in some(1) if one not in joins),
        foreach=foreach,
        when="" if when == "not a" and not foreach else when,
        reads=maybe(0.08),
        retries=rng.choice((0, 0, 1, 2)),
        selected=rng.random() > 0.08,
        skips=bool(foreach) and rng.random() < 0.08,
        reused=rng.random() < 0.1,
    )
    if not spec.names or rng.random() < (0.7 if foreach else 0.4):
        return spec
    if spec.needs and rng.random() < 0.3:  # with more stages before it, it hardly ever comes to that
        when = spec.when if spec.when in {"no", "not a"} else ""
        few = dataclasses.replace(spec, needs=spec.needs[:1], joins=(), after=(), reads="", when=when)
        return dataclasses.replace(few, trigger="all_failed")
    return dataclasses.replace(spec, trigger=rng.choice(TRIGGERS))


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What a stage instance would do: how many attempts fail, what it leaves, how long it takes."""

    fails: int
    hopeless: bool
    ok: bool
    items: tuple[str, ...]
    seconds: tuple[float, ...]


class Fates:
    """The fates of all instances of a case, which depend on nothing but their names."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._known: dict[str, Fate] = {}
        self.specs = {spec.name: spec for spec in case.specs}

    def of(self, name: str) -> Fate:
        """The fate of an instance."""
        if name not in self._known:
            rng = random.Random(f"{self._case.seed}/{name}")
            self._known[name] = Fate(
                fails=rng.choice((1, 2, 3)) if rng.random() < self._case.trouble else 0,
                hopeless=rng.random() < 0.15,
                ok=rng.random() < 0.6,
                items=tuple("abc"[: rng.choice((0, 1, 1, 2, 2, 2, 3, 3))]),
                seconds=tuple(rng.choice((0.0, 0.5, 1.0, 1.0, 2.0, 5.0)) for _ in range(4)),
            )
        return self._known[name]

    def scraps(self, name: str) -> dict[str, Any]:
        """What an instance leaves: `items` are a list to go over, `name` an item of one."""
        fate = self.of(name)
        return {"ok": fate.ok, "items": list(fate.items), "name": name.replace("@", "-")}

    def is_known_before(self, stage: PlannedStage) -> bool:
        """Whether its scraps are known before the run: it is reused, or an earlier run left them."""
        return not stage.selected or (self.specs[stage.stage].reused and not stage.absent)


# -- the model ------------------------------------------------------------------------------------

GOOD, SKIPPED, FAILED = "good", "skipped", "failed"


def verdict(trigger: Trigger, ends: Sequence[str]) -> str:
    """What a trigger makes of the ends of all stages before one: `go`, `skip` or `block`."""
    good, skipped, failed = (ends.count(kind) for kind in (GOOD, SKIPPED, FAILED))
    match trigger:
        case "all_done":
            return "go"
        case "all_success":
            return "block" if failed else "skip" if skipped else "go"
        case "none_failed":
            return "block" if failed else "go"
        case "one_failed":
            return "go" if failed else "skip"
        case "all_failed":
            return "skip" if good or skipped else "go"
        case "one_success":
            return "go" if good else "block" if failed else "skip"


@dataclasses.dataclass(slots=True)
class End:
    """How an instance ended, and whether a condition left it out; whether its scraps are known, or were
    before the run, as those of an earlier result that it was to take."""

    status: Status
    absent: bool = False
    known: bool = False
    before: bool = False
    attempts: int = 0


class Model:
    """What becomes of a stage, by what became of those before it. Those that `stood_in` for the instances
    of a foreach ended before their list was known, which is a matter of time."""

    def __init__(self, case: Case, fates: Fates, stood_in: Collection[str] = ()) -> None:
        self.case = case
        self.fates = fates
        self.stood_in = stood_in
        self.ends: dict[str, End] = {}
        self.ids: dict[str, list[str]] = {}

    def run(self) -> dict[str, End]:
        """What becomes of all, where nothing stops the run."""
        for spec in self.case.specs:
            items = None if spec.name in self.stood_in else self.items_of(spec)
            self.ids[spec.name] = [f"{spec.name}@{item}" for item in items] if items else [spec.name]
            for name in self.ids[spec.name]:
                self.ends[name] = self.end_of(spec, name)
        return self.ends

    def items_of(self, spec: Spec) -> list[str] | None:
        """What the stage goes over; None where nobody knows, or where it goes over nothing."""
        if not spec.foreach:
            return None
        names = self.ids[spec.foreach]
        if not all(self.ends[name].known or self.ends[name].before for name in names):
            return None
        if self.fates.specs[spec.foreach].foreach:
            return [name.replace("@", "-") for name in names] if "@" in names[0] else None
        return list(self.fates.of(names[0]).items)

    def upstream(self, spec: Spec, name: str) -> Iterator[tuple[str, bool]]:
        """What comes before an instance, and whether in order alone."""
        item = name.partition("@")[2]
        data: set[str] = set()
        for other in spec.joins:
            own = f"{other}@{item}"
            data.update([own] if item and own in self.ids[other] else self.ids[other])
        for other in (*spec.needs, *spec.in_values):
            data.update(self.ids[other])
        yield from ((other, False) for other in sorted(data))
        for other in spec.after:
            yield from ((one, True) for one in self.ids[other] if one not in data)

    def kind_of(self, name: str, *, loosely: bool) -> str:
        """What the end of a stage is to one that waits for it."""
        end = self.ends[name]
        if end.absent:
            return GOOD if loosely else SKIPPED
        return GOOD if end.status.is_good else FAILED

    def is_left_out(self, spec: Spec, name: str) -> bool:
        """Whether a condition leaves it out, whatever happens."""
        return spec.when == "no" or (spec.when == "not a" and name.endswith("@a"))

    def end_of(self, spec: Spec, name: str) -> End:
        """What becomes of an instance, with those before it as they ended."""
        before = self.is_before(spec, name)
        if not spec.is_selected(name):
            return End(Status.SKIPPED, known=not spec.foreach or "@" in name, before=before)
        if self.is_left_out(spec, name):
            return End(Status.SKIPPED, absent=True)
        end = self.turn_of(spec, name)
        end.before = before
        return end

    def is_before(self, spec: Spec, name: str) -> bool:
        """Whether its scraps are known in the plan, in which it has to be."""
        if (spec.is_selected(name) and not spec.reused) or (spec.foreach and "@" not in name):
            return False
        return not spec.foreach or all(self.ends[other].before for other in self.ids[spec.foreach])

    def turn_of(self, spec: Spec, name: str) -> End:
        """The same for one that takes part."""
        ends = [self.kind_of(other, loosely=loosely) for other, loosely in self.upstream(spec, name)]
        match verdict(spec.trigger, ends):
            case "block":
                return End(Status.BLOCKED)
            case "skip":
                return End(Status.SKIPPED, absent=True)
        if spec.foreach and "@" not in name:
            assert not self.items_of(spec), "it has a list, and nobody went over it"
            return End(Status.SKIPPED, absent=True)
        for other in filter(None, (spec.condition, spec.reads)):
            if not all(self.ends[one].known for one in self.ids[other]) or self.is_empty(other):
                return End(Status.FAILED, attempts=1)
            if other == spec.condition and not any(self.fates.of(one).ok for one in self.ids[other]):
                return End(Status.SKIPPED, absent=True)
        if spec.reused:
            return End(Status.REUSED, known=True)
        fate = self.fates.of(name)
        most = 1 if fate.hopeless else spec.retries + 1
        if fate.fails >= most:
            return End(Status.FAILED, attempts=most)
        return End(Status.COMPLETED, known=True, attempts=fate.fails + 1)

    def is_empty(self, stage: str) -> bool:
        """Whether it is a foreach that has no instances."""
        return bool(self.fates.specs[stage].foreach) and self.ids[stage] == [stage]


# -- plans by hand --------------------------------------------------------------------------------


class HandJudge:
    """Stands for the judge: what is reused is reused."""

    def __init__(self, fates: Fates) -> None:
        self._fates = fates

    def judge(self, stage: PlannedStage, *_: Any) -> Judgement:
        """What becomes of a stage."""
        if not self._fates.specs[stage.stage].reused or stage.foreach is not None:
            return Judgement(decision=Decision.RUN, reasons=("so",))
        scraps = {name: {"value": value} for name, value in self._fates.scraps(stage.id).items()}
        result = Result(
            number=7, pipeline="p", stage=stage.id, run="q", attempt=1, at=0.0, fingerprint="", scraps=scraps
        )
        return Judgement(decision=Decision.REUSE, reasons=("as it was",), result=result)

    def from_disk(self, stage: PlannedStage, scraps: Mapping[str, Any]) -> Made:
        """What a stage that takes no part leaves."""
        return Made(scraps=scraps)

    def forget(self) -> None:
        """Look at the disk anew."""


class HandPlanner:
    """Stands for the planner: plans of a case, with the lists that are known."""

    def __init__(self, case: Case, fates: Fates) -> None:
        self.case = case
        self.fates = fates
        self.judge = HandJudge(fates)
        self.made: list[Plan] = []

    def plan(self) -> Plan:
        """The plan of the run."""
        scraps: dict[str, Mapping[str, Any]] = {}
        while True:
            plan = self.grow(scraps)
            more = [one.id for one in plan.stages if self.fates.is_known_before(one) and not one.foreach]
            if set(more) == set(scraps):
                break
            scraps = {name: self.fates.scraps(name) for name in more}
        stages = tuple(
            dataclasses.replace(one, judgement=self.judge.judge(one)) if one.selected else one
            for one in plan.stages
        )
        kept = {one.id: scraps[one.id] for one in stages if not one.selected and one.id in scraps}
        return dataclasses.replace(plan, stages=stages, scraps=kept, relied=frozenset(scraps))

    def grow(self, scraps: Mapping[str, Mapping[str, Any]], held: Collection[str] = ()) -> Plan:
        """The plan again."""
        ids: dict[str, list[str]] = {}
        stages = []
        for spec in self.case.specs:
            items = None if spec.name in held else self._items(spec, ids, scraps)
            ids[spec.name] = [f"{spec.name}@{item}" for item in items] if items else [spec.name]
            stages += [self._stage(spec, name, ids) for name in ids[spec.name]]
        left = {one.id: self.fates.scraps(one.id) for one in stages if not one.selected and not one.foreach}
        self.made.append(Plan(pipeline="p", path="p.yaml", stages=tuple(stages), scraps=left))
        return self.made[-1]

    def _items(
        self, spec: Spec, ids: Mapping[str, list[str]], scraps: Mapping[str, Mapping[str, Any]]
    ) -> list[str] | None:
        if not spec.foreach or not all(name in scraps for name in ids[spec.foreach]):
            return None
        if self.fates.specs[spec.foreach].foreach:
            return [scraps[name]["name"] for name in ids[spec.foreach]]
        return list(scraps[spec.foreach]["items"])

    def _stage(self, spec: Spec, name: str, ids: Mapping[str, list[str]]) -> PlannedStage:
        item = name.partition("@")[2]
        data: dict[str, None] = {}
        for other in spec.joins:
            own = f"{other}@{item}"
            data |= dict.fromkeys([own] if own in ids[other] else ids[other])
        for other in (*spec.needs, *spec.in_values):
            data |= dict.fromkeys(ids[other])
        after = [one for other in spec.after for one in ids[other] if one not in data]
        stands_in = bool(spec.foreach) and not item
        return PlannedStage(
            id=name,
            stage=spec.name,
            notebook="n.ipynb",
            point={"item": item} if item else {},
            upstream=(*data, *dict.fromkeys(after)),
            loosely=tuple(after),
            foreach=scrap(spec.foreach) if stands_in else None,
            when=self._condition(spec.condition),
            deferred={"p": scrap(spec.reads)} if spec.reads else {},
            trigger=spec.trigger,
            retries=spec.retries,
            retry_delay=0.5,
            selected=spec.is_selected(name),
            absent=spec.when == "no" or (spec.when == "not a" and item == "a"),
        )

    def _condition(self, stage: str) -> Template | None:
        if not stage:
            return None
        many = bool(self.fates.specs[stage].foreach)
        return _compiled(
            f"${{sum(stages.{stage}.scraps.ok) > 0}}" if many else f"${{stages.{stage}.scraps.ok}}"
        )


_templates: dict[str, Template] = {}


def _compiled(text: str) -> Template:
    if text not in _templates:
        _templates[text] = compile_value(text)
    return _templates[text]


def scrap(stage: str) -> Template:
    """An expression with a scrap of a stage."""
    return _compiled(f"${{stages.{stage}.scraps.ok}}")


# -- plans from files -----------------------------------------------------------------------------


def text_of(case: Case, fates: Fates) -> str:
    """The pipeline file of a case."""
    stages: dict[str, Any] = {}
    for spec in case.specs:
        inputs = {f"in{at}": f"{need}.out" for at, need in enumerate(spec.needs)}
        inputs |= {f"at{at}": f"{other}@${{item}}.out" for at, other in enumerate(spec.joins)}
        path = f"x://{spec.name}/${{item}}" if spec.foreach else f"x://{spec.name}"
        stage: dict[str, Any] = {
            "notebook": "notebooks/n.ipynb",
            "inputs": inputs,
            "outputs": {"out": {"path": path, "kind": "external"}},
            "after": list(spec.after),
            "trigger": spec.trigger,
            "retries": spec.retries,
            "retry_delay": 0.5,
        }
        if spec.foreach:
            key = "name" if fates.specs[spec.foreach].foreach else "items"
            stage["foreach"] = f"${{stages.{spec.foreach}.scraps.{key}}}"
        if spec.reads:
            stage["params"] = {"p": f"${{stages.{spec.reads}.scraps.ok}}"}
        if spec.when in {"no", "not a"}:
            stage["when"] = False if spec.when == "no" else "${item != 'a'}"
        elif spec.when:
            many = bool(fates.specs[spec.when].foreach)
            said = f"stages.{spec.when}.scraps.ok"
            stage["when"] = f"${{sum({said}) > 0}}" if many else f"${{{said}}}"
        stages[spec.name] = stage
    return json.dumps({"stages": stages})


class FilePlanner(Planner):
    """The planner, and the plans that it made."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.made: list[Plan] = []

    def grow(self, scraps: Mapping[str, Mapping[str, Any]], held: Collection[str] = ()) -> Plan:
        self.made.append(super().grow(scraps, held))
        return self.made[-1]


def planner_of(case: Case, fates: Fates, workspace: Workspace) -> FilePlanner:
    """The planner of a case's file."""
    loaded = load_pipeline(text_of(case, fates), "pipelines/p.yaml")
    left_out = tuple(spec.name for spec in case.specs if not spec.selected)
    left_out += tuple(f"{spec.name}@a" for spec in case.specs if spec.skips)
    return FilePlanner(
        loaded.pipeline,
        {},
        workspace,
        selection=Selection(skip=left_out) if left_out else None,
        earlier=fates.scraps,
        problems=loaded.problems,
    )


# -- runs -----------------------------------------------------------------------------------------


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
    """Hold what a run came to against the model."""
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


# -- making cases smaller -------------------------------------------------------------------------


def smaller(case: Case) -> Iterator[Case]:
    """Cases that are a little simpler."""
    for spec in reversed(case.specs):
        if not any(spec.name in other.names for other in case.specs):
            yield dataclasses.replace(case, specs=tuple(one for one in case.specs if one is not spec))
    for change in ({"jobs": 1}, {"stop_at": None}, {"in_batches": False}, {"keep_going": True}, {"waits": 0}):
        yield dataclasses.replace(case, **change)
    plain: dict[str, Any] = {
        "after": (), "needs": (), "joins": (), "when": "", "reads": "", "trigger": "all_success",
        "retries": 0, "selected": True, "skips": False, "reused": False,
    }  # fmt: skip
    for at, spec in enumerate(case.specs):
        changes = [{key: value} for key, value in plain.items()]
        if not any(spec.name in other.joins for other in case.specs):
            when = "" if spec.when == "not a" else spec.when
            changes.append({"foreach": "", "joins": (), "skips": False, "when": when})
        for change in changes:
            less = dataclasses.replace(spec, **change)
            if not less.names:
                less = dataclasses.replace(less, trigger="all_success")
            yield dataclasses.replace(case, specs=(*case.specs[:at], less, *case.specs[at + 1 :]))


def failure_of(case: Case, root: Path, workspace: Workspace | None) -> BaseException | None:
    """What is wrong with a case, if anything; what the planner refuses is no case."""
    try:
        run(case, root, workspace)
    except (PipelineInvalid, UsageError):
        return None
    except Exception as error:
        return error
    return None


def smallest(case: Case, root: Path, workspace: Workspace | None) -> Case:
    """The smallest case in reach that fails too."""
    while True:
        less = next((one for one in smaller(case) if one != case and failure_of(one, root, workspace)), None)
        if less is None:
            return case
        case = less


def explain(case: Case, root: Path, workspace: Workspace | None = None) -> str:
    """A case that fails, made small, as text."""
    case = smallest(case, root, workspace)
    error = failure_of(case, root, workspace)
    fates = Fates(case)
    lines = [f"STAGEBOOK_FAULTS_SEED={SEED}", f"{type(error).__name__}: {error}", repr(case)]
    lines += [f"{spec.name}: {fates.of(spec.name)}" for spec in case.specs]
    return "\n".join(lines)


# -- tests ----------------------------------------------------------------------------------------


def look(case: Case, seen: Seen, counts: collections.Counter[str]) -> None:
    """Count what happened, so that the cases can be seen to hold what they should."""
    watcher = seen.watcher
    counts.update({f"{watcher.stages[name].trigger} {status}" for name, status in watcher.final.items()})
    counts.update(f"{growth} grew at once" for growth in watcher.growths)
    for spec in case.specs:
        names = [name for name in watcher.final if name.split("@")[0] == spec.name]
        if spec.foreach and spec.name in watcher.final:
            counts[f"a foreach {watcher.final[spec.name]}"] += 1
        elif spec.foreach:
            counts[f"{len(names)} items"] += 1
            counts["a list of lists"] += bool(seen.model.fates.specs[spec.foreach].foreach)
        counts["joined"] += bool(spec.joins)
        counts["fan-in"] += any(seen.model.fates.specs[need].foreach for need in spec.needs)
    reasons = " ".join(watcher.reasons.values())
    counts["a failure stopped it"] += "not started, since" in reasons
    counts["not tried again"] += "not tried again" in reasons
    counts["a condition was false"] += "is false" in reasons
    counts["tried again"] += any(number > 1 for number in watcher.attempts.values())
    counts["stopped"] += watcher.started_before_stop is not None
    counts["exact"] += case.keep_going and watcher.started_before_stop is None
    counts["not selected"] += not all(spec.selected for spec in case.specs)
    counts["an item is not selected"] += any(
        spec.skips and f"{spec.name}@a" in watcher.final for spec in case.specs
    )


ALWAYS = [
    *(f"{trigger} {status}" for trigger in TRIGGERS for status in ("completed", "failed", "cancelled", "skipped")),
    *(f"{trigger} reused" for trigger in TRIGGERS if trigger != "one_failed"),  # which is rare
    *(f"{trigger} blocked" for trigger in ("all_success", "none_failed", "one_success")),
    "a foreach skipped", "a foreach blocked", "a foreach cancelled", "1 items", "2 items", "3 items",
    "1 grew at once", "2 grew at once", "3 grew at once", "a list of lists", "joined", "fan-in",
    "a failure stopped it", "not tried again", "a condition was false", "tried again", "stopped", "exact",
    "not selected", "an item is not selected",
]  # fmt: skip


def cases(amount: int) -> Iterator[Case]:
    """So many cases, or a multiple of it."""
    return (random_case(f"{SEED}/{at}") for at in range(max(1, round(amount * FACTOR))))


def test_any_run_of_any_graph_comes_to_what_the_model_says(tmp_path: Path) -> None:
    counts: collections.Counter[str] = collections.Counter()
    for case in cases(CASES):
        try:
            seen = run(case, tmp_path)
        except Exception:
            pytest.fail(explain(case, tmp_path))
        look(case, seen, counts)
    if CASES * FACTOR >= 2_000:
        lacking = [what for what in ALWAYS if not counts[what]]
        assert not lacking, f"no case has: {lacking}"


def test_runs_of_a_file_through_the_planner_come_to_the_same(builder: ProjectBuilder) -> None:
    names = ("in0", "in1", "at0", "at1", "p", "out")
    builder.notebook("n", params="\n".join(f"{name} = None" for name in names))
    workspace = Workspace(builder.root)
    counts: collections.Counter[str] = collections.Counter()
    for drawn in cases(PLANNED_CASES):
        case = dataclasses.replace(drawn, specs=tuple(_for_a_file(spec) for spec in drawn.specs))
        if is_refused(case, workspace):
            everything = tuple(dataclasses.replace(one, selected=True, skips=False) for one in case.specs)
            case = dataclasses.replace(case, specs=everything)
        try:
            seen = run(case, builder.root, workspace)
        except Exception:
            pytest.fail(explain(case, builder.root, workspace))
        look(case, seen, counts)
    if PLANNED_CASES * FACTOR >= 200:
        for what in ("1 grew at once", "2 items", "a list of lists", "joined", "fan-in", "not selected"):
            assert counts[what], f"no case has: {what}"


def _for_a_file(spec: Spec) -> Spec:
    """A stage as a file can have it: that nothing is reused is not in the file."""
    joins = tuple(other for other in spec.joins if other not in spec.needs)
    return dataclasses.replace(spec, reused=False, joins=joins)


def is_refused(case: Case, workspace: Workspace) -> bool:
    """Whether the planner refuses a selection, for the reasons that there are to do so."""
    try:
        planner_of(case, Fates(case), workspace).plan()
    except (UsageError, PipelineInvalid) as error:
        found = [problem.message for problem in getattr(error, "problems", [error])]
        known = ("what instances it has is not known", "left none", "leaves no stage to run")
        assert all(message.endswith(known) for message in found), found
        return True
    return False

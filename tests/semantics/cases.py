"""Random graphs of stages, how each is run, and what each stage would do; and cases that are a little simpler."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from typing import Any

from stagebook.pipeline.model import Trigger
from stagebook.planning.plan import PlannedStage

TRIGGERS: tuple[Trigger, ...] = (
    "all_success", "all_done", "one_failed", "all_failed", "one_success", "none_failed",
)  # fmt: skip


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

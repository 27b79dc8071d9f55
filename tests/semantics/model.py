"""What becomes of each stage, once it is known what became of those before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence

from semantics.cases import Case, Fates, Spec
from stagebook.events import (
    Status,
)
from stagebook.pipeline.model import Trigger

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

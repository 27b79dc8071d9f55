"""The points of a matrix and the items of a foreach: their values, and how they are called.

A value of an axis is called by its name where the file gives one (`small: {depth: 2}`), by the key `name` or `id`
where the axis has mappings that all have a different one, and else by itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from stagebook.pipeline.evaluator import Named
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Location, Stage
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import Value, describe, is_sequence, shorten
from stagebook.planning.scopes import UNKNOWN, Evaluator

MAX_INSTANCES = 20_000
_KEYS = ("name", "id")  # of a mapping, that it may be called by


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One point: its values by axis, and how each is called (`labels`)."""

    values: dict[str, Value]
    labels: dict[str, Value]


@dataclasses.dataclass(frozen=True, slots=True)
class _Axis:
    """The values of an axis, and how each is called. `named`: the file gives the names."""

    values: list[Value]
    labels: list[Value]
    named: bool = False

    def find(self, value: Value) -> tuple[Value, Value] | None:
        """The value that is equal to this one or has it as its name, and what it is called."""
        pairs = zip(self.values, self.labels, strict=True)
        return next((pair for pair in pairs if _equal(pair[0], value) or _equal(pair[1], value)), None)


def items(values: Sequence[Value], stage: Stage) -> list[Point]:
    """The items of a foreach as points."""
    axis = _listed(values, stage)
    return [
        Point({"item": value}, {"item": label}) for value, label in zip(axis.values, axis.labels, strict=True)
    ]


class Matrix:
    """The matrix of one stage. What is wrong is reported to the evaluator, what leaves out nothing to `warnings`."""

    def __init__(self, stage: Stage, evaluator: Evaluator, warnings: ProblemCollector) -> None:
        self._stage = stage
        self._evaluator = evaluator
        self._report = evaluator.problems.report
        self._warn = warnings.report_once
        self._base: Location = ("stages", stage.name)

    def points(self, room: int) -> list[Point]:
        """All points, the last axis changing fastest; none where the matrix has a mistake. `room`: how many there may be."""
        axes: dict[str, _Axis] = {}
        for name, template in self._stage.matrix.items():
            axis = self._axis(name, template)
            if axis is None:
                return []
            axes[name] = axis
        groups = self._groups(axes)
        if groups is None:
            return []
        count = math.prod(len(axes[group[0]].values) for group in groups)
        count += len(self._stage.instances.include)
        if count > room:
            self._report((*self._base, "matrix"), *too_many(f"the matrix makes {count:,} points"))
            return []
        return self._chosen(axes, list(_combinations(axes, groups)))

    def _axis(self, name: str, template: Template) -> _Axis | None:
        location: Location = (*self._base, "matrix", name)
        value = self._evaluator.value(template, location)
        if value is UNKNOWN:
            return None
        if isinstance(value, Mapping) and value:
            return _named(value)
        if not is_sequence(value) and not isinstance(value, Mapping):
            message = f"'{name}' has to be a list, not {describe(value)}"
            self._report(location, message, f"{name}: [1, 2]")
            return None
        if not value:
            what = "list" if is_sequence(value) else "mapping"
            message = f"the matrix has no points: '{name}' is an empty {what}"
            self._report(location, message, "give it at least one value")
            return None
        return _listed(value, self._stage)

    def _groups(self, axes: Mapping[str, _Axis]) -> list[tuple[str, ...]] | None:
        """The axes in groups that go together, most of them alone, in the order of the file."""
        groups: list[tuple[str, ...]] = []
        for name in axes:
            zipped = ((at, it) for at, it in enumerate(self._stage.instances.zipped) if name in it)
            at, group = next(zipped, (0, (name,)))
            if group in groups:
                continue
            lengths = [len(axes[one].values) for one in group]
            if len(set(lengths)) > 1:
                shown = ", ".join(f"{one} {count}" for one, count in zip(group, lengths, strict=True))
                message = f"axes that go together have one length, and here it is: {shown}"
                hint = "give them as many values each, or combine them without 'zip'"
                self._report((*self._base, "instances", "zip", at), message, hint)
                return None
            groups.append(group)
        return groups

    def _chosen(self, axes: Mapping[str, _Axis], made: list[Point]) -> list[Point]:
        """The points that are not left out, and the further ones."""
        for at, templates in enumerate(self._stage.instances.exclude):
            location: Location = (*self._base, "instances", "exclude", at)
            values = self._values(templates, location)
            if values is None:
                return []
            kept = [point for point in made if not all(_is(point, *pair) for pair in values.items())]
            if len(kept) == len(made):
                hint = "its values are compared with those of the matrix: look at their spelling and type"
                self._warn(location, f"no point has {_shown(values)}, so nothing is left out", hint)
            made = kept
        for at, templates in enumerate(self._stage.instances.include):
            values = self._values(templates, (*self._base, "instances", "include", at))
            if values is None:
                return []
            pairs = {
                axis: axes[axis].find(value) or _called([value], _names([value]))[0]
                for axis, value in values.items()
            }
            ordered = [(axis, pairs[axis]) for axis in axes]
            made.append(
                Point({axis: one for axis, (one, _) in ordered}, {axis: one for axis, (_, one) in ordered})
            )
        if not made:
            hint = "leave out fewer of them, or give the stage a 'when'"
            message = "the matrix has no points: all are left out"
            self._report((*self._base, "instances", "exclude"), message, hint)
        return made

    def _values(self, templates: Mapping[str, Template], location: Location) -> dict[str, Value] | None:
        found = {axis: self._evaluator.value(one, (*location, axis)) for axis, one in templates.items()}
        return None if any(value is UNKNOWN for value in found.values()) else found


def too_many(what: str) -> tuple[str, str]:
    """That there are too many instances, and what to do."""
    message = f"{what}; the limit is {MAX_INSTANCES:,} in all stages together"
    return message, "split the pipeline, or let a notebook go over the values itself"


def _combinations(axes: Mapping[str, _Axis], groups: Sequence[tuple[str, ...]]) -> Iterator[Point]:
    for places in itertools.product(*(range(len(axes[group[0]].values)) for group in groups)):
        at = {name: place for group, place in zip(groups, places, strict=True) for name in group}
        yield Point(
            {name: axis.values[at[name]] for name, axis in axes.items()},
            {name: axis.labels[at[name]] for name, axis in axes.items()},
        )


def _named(values: Mapping[str, Value]) -> _Axis:
    named = [Named(one, key) if isinstance(one, Mapping) else one for key, one in values.items()]
    return _Axis(named, list(values), named=True)


def _listed(values: Sequence[Value], stage: Stage) -> _Axis:
    pairs = _called(values, _names(values))
    # Where what a stage did before is found by its name alone, and not by what its result depends on, names stay.
    keeps = not stage.outputs or stage.bookmark or any(it.kind != "file" for it in stage.outputs.values())
    return _Axis([value for value, _ in pairs], [value if keeps else label for value, label in pairs])


def _names(values: Sequence[Value]) -> Sequence[Any]:
    """What mappings are called by: their `name` or `id`, if all have one and no two the same; else themselves."""
    for key in _KEYS:
        found = [value.get(key) if isinstance(value, Mapping) else None for value in values]
        usable = all(isinstance(one, str | int) and not isinstance(one, bool) and str(one) for one in found)
        if usable and len(set(map(str, found))) == len(found):
            return found
    return values


def _called(values: Sequence[Value], labels: Collection[Any]) -> list[tuple[Value, Value]]:
    return [
        (Named(value, str(label)) if isinstance(value, Mapping) and label is not value else value, label)
        for value, label in zip(values, labels, strict=True)
    ]


def _is(point: Point, axis: str, value: Value) -> bool:
    return _equal(point.values[axis], value) or _equal(point.labels[axis], value)


def _equal(one: Value, other: Value) -> bool:
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _shown(values: Mapping[str, Value]) -> str:
    return shorten(", ".join(f"{axis}: {value}" for axis, value in values.items()))

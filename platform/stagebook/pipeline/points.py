"""Reading `instances` of a stage: which points of its matrix there are, and how the instances are called."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Instances, Location
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.schema import StageFile
from stagebook.pipeline.types import Value

Compile = Callable[[Value, Location], Template | None]
"""Compiles the value at a place, or reports what is wrong with it."""


def read_instances(
    spec: StageFile, base: Location, problems: ProblemCollector, *, name: Compile, value: Compile
) -> Instances | None:
    """`instances` of a stage; `None` where it has a mistake, which is reported. `name` compiles the name of an instance,
    `value` a value of a point."""
    raw = spec.instances
    if raw is None:
        return Instances()
    before = len(problems.found)
    reader = _Reader(problems, tuple(spec.matrix), value)
    if not spec.matrix:
        reader.check_alone(spec, base)
    template = None if raw.name is None else name(raw.name, (*base, "name"))
    if template is not None and not (template.mentions("matrix") or template.mentions("item")):
        what = "${item}" if spec.foreach is not None else "${matrix.AXIS}"
        message = "every instance would have the same name"
        problems.report((*base, "name"), message, f"put what differs into it, such as {what}")
    found = Instances(
        name=template,
        zipped=reader.groups(raw.zip, (*base, "zip")),
        include=reader.points(raw.include, (*base, "include"), is_whole=True),
        exclude=reader.points(raw.exclude, (*base, "exclude"), is_whole=False),
    )
    return found if len(problems.found) == before else None


class _Reader:
    def __init__(self, problems: ProblemCollector, axes: Collection[str], compiled: Compile) -> None:
        self._report = problems.report
        self._axes = axes
        self._compiled = compiled

    def check_alone(self, spec: StageFile, base: Location) -> None:
        """What is left to say where there is no matrix: names of the items of a foreach."""
        assert spec.instances is not None
        keys = [key for key in ("zip", "include", "exclude") if getattr(spec.instances, key)]
        for key in keys:
            hint = "give the stage a matrix: matrix: {month: [1, 2]}"
            self._report((*base, key), f"'{key}' is about the points of a matrix, and there is none", hint)
        if spec.foreach is None and not keys:
            hint = "give the stage a matrix or a foreach, or remove it"
            self._report(base, "the stage has one instance, which is called by its own name", hint)

    def groups(self, raw: list[list[str]], base: Location) -> tuple[tuple[str, ...], ...]:
        """The axes that go together."""
        seen: set[str] = set()
        for at, names in enumerate(raw):
            if len(names) < 2:
                hint = "name two axes or more: zip: [[city, station]]"
                self._report((*base, at), "what goes together are two axes at least", hint)
            for axis in names:
                self._is_axis(axis, (*base, at))
                if axis in seen:
                    self._report((*base, at), f"the axis '{axis}' is named twice", "name each axis once")
                seen.add(axis)
        return tuple(map(tuple, raw))

    def points(
        self, raw: list[dict[str, Any]], base: Location, *, is_whole: bool
    ) -> tuple[dict[str, Template], ...]:
        """Points, each with its values by axis. `is_whole`: it has one for every axis."""
        made = []
        for at, values in enumerate(raw):
            point: dict[str, Template] = {}
            for axis, value in values.items():
                place = (*base, at, axis)
                if self._is_axis(axis, place) and (one := self._compiled(value, place)) is not None:
                    point[axis] = one
            missing = [axis for axis in self._axes if axis not in values] if is_whole else []
            if missing:
                message = f"the point has no value for {' and '.join(missing)}"
                self._report((*base, at), message, "a further point has a value for every axis of the matrix")
            if not values and not is_whole:
                self._report((*base, at), "it names no values", "name those of the points that are left out")
            made.append(point)
        return tuple(made)

    def _is_axis(self, name: str, location: Location) -> bool:
        if name in self._axes:
            return True
        if self._axes:
            hint = did_you_mean(name, self._axes)
            self._report(location, f"the matrix has no axis '{name}'", hint)
        return False

"""From stages to stage instances: the points of a matrix, the items of a foreach, and their names."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from stagebook.pipeline.evaluator import Named
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Location, Stage
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import Value, describe, is_sequence, shorten
from stagebook.planning import matrix
from stagebook.planning.matrix import Matrix, Point
from stagebook.planning.plan import PlannedInput, PlannedOutput
from stagebook.planning.scopes import UNKNOWN, Evaluator, scraps_scope, stages_named

MAX_SLUG = 100  # characters
MAX_SLUG_BYTES = 180  # in UTF-8; a name in a file system takes 255


@dataclasses.dataclass(slots=True, kw_only=True)
class Instance:
    """One point of a stage, while it is being put together: its values by axis, and how each is called (`labels`).

    A foreach without items stands in for its instances: `pending`, as long as its list is not known.
    `skip` is why a condition leaves it out, and `absent` that it does so whatever happens in the run.
    Of `upstream`, `loosely` are those that only `after` names.
    """

    id: str
    stage: Stage
    point: Mapping[str, Value]
    labels: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    params: dict[str, Value] = dataclasses.field(default_factory=dict)
    deferred: dict[str, Template] = dataclasses.field(default_factory=dict)
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    inputs: dict[str, PlannedInput] = dataclasses.field(default_factory=dict)
    outputs: dict[str, PlannedOutput] = dataclasses.field(default_factory=dict)
    upstream: dict[str, None] = dataclasses.field(default_factory=dict)
    loosely: set[str] = dataclasses.field(default_factory=set)
    pending: bool = False
    when: Template | None = None  # a condition that is still open
    skip: str = ""
    absent: bool = False
    input_places: dict[tuple[str, str], Location] = dataclasses.field(default_factory=dict)

    @property
    def stands_in(self) -> bool:
        """Whether it stands for the instances of a foreach."""
        return self.stage.foreach is not None and not self.point


class Points:
    """The instances of all stages of a pipeline. `scraps` are those that are known, by instance; a foreach
    over others stays `pending`, and so do the stages that are `held`."""

    def __init__(
        self, evaluator: Evaluator, scraps: Mapping[str, Mapping[str, Value]], held: Collection[str] = ()
    ) -> None:
        self.instances: dict[str, Instance] = {}
        self.by_stage: dict[str, list[Instance]] = {}
        self._evaluator = evaluator
        self._report = evaluator.problems.report
        self._scraps = scraps
        self._held = held
        self.warnings = ProblemCollector(evaluator.pipeline.path, evaluator.pipeline.positions)
        self._make()

    def find(self, stage: str, name: str) -> Instance | None:
        """The instance of a stage with this name, or with values that read like it."""
        if made := self.instances.get(f"{stage}@{name}"):
            return made
        points = [item for item in self.of(stage) if item.point]
        readings: Sequence[Callable[[Instance], str]] = (
            lambda one: slug_of(one.labels),
            lambda one: "-".join(map(str, one.labels.values())),
            lambda one: "-".join(map(str, one.point.values())),
            lambda one: slug_of(one.point),  # this and the next are what names were once
            lambda one: "-".join(map(_ascii_slug, one.point.values())),
        )
        for reading in readings:
            if one := next((item for item in points if reading(item) == name), None):
                return one
        return None

    def like(self, stage: str, item: Value) -> Instance | None:
        """The instance of a stage with a foreach that is of this item."""
        shown = repr(item)  # `True` is not `1`
        return next((one for one in self.of(stage) if repr(one.point.get("item")) == shown), None)

    def of(self, stage: str) -> Sequence[Instance]:
        """The instances of a stage; none if it could not be read."""
        return self.by_stage.get(stage, ())

    def are_known(self, stages: Collection[str]) -> bool:
        """Whether the scraps of these stages are known, of all their instances."""
        return all(
            stage in self.by_stage and all(made.id in self._scraps for made in self.by_stage[stage])
            for stage in stages
        )

    def scraps_of(self, stages: Collection[str]) -> dict[str, Any]:
        """What an expression sees of these stages."""
        found = {stage: [(made.id, bool(made.point)) for made in self.of(stage)] for stage in stages}
        return scraps_scope(found, self._scraps, stages)

    def _make(self) -> None:
        stages = self._evaluator.pipeline.stages.values()
        for stage in stages:
            if stage.foreach is None:
                self._add(stage, self._combinations(stage) if stage.expandable else [])
        left = [stage for stage in stages if stage.foreach is not None and stage.name not in self._held]
        while left:  # the list of one may come from the instances of another
            known = [stage for stage in left if self.are_known(stages_named(stage.foreach))]
            for stage in known:
                self._add(stage, self._items(stage) if stage.expandable else [])
            if not known:
                break
            left = [stage for stage in left if stage.name not in self.by_stage]
        for stage in stages:
            if stage.name not in self.by_stage:
                self._stand_in(stage, pending=True)
        self.instances = {made.id: made for stage in stages for made in self.by_stage[stage.name]}

    def _combinations(self, stage: Stage) -> list[Point]:
        if not stage.matrix:
            return [Point({}, {})]
        room = matrix.MAX_INSTANCES - len(self.instances)
        return Matrix(stage, self._evaluator, self.warnings).points(room)

    def _add(self, stage: Stage, points: Sequence[Point]) -> None:
        made = self.by_stage.setdefault(stage.name, [])
        for point in points:
            called = self._name_of(stage, point)
            if called is None:
                continue
            name = f"{stage.name}@{called}" if point.values else stage.name
            if name in self.instances:
                self._report_twins(stage, self.instances[name], point.values)
                continue
            one = Instance(id=name, stage=stage, point=point.values, labels=point.labels)
            self.instances[name] = one
            made.append(one)

    def _name_of(self, stage: Stage, point: Point) -> str | None:
        """The name of a point, as the file chooses it; `None` where it is none, which is reported."""
        template = stage.instances.name
        if template is None or not point.values:
            return slug_of(point.labels)
        location: Location = ("stages", stage.name, "instances", "name")
        value = self._evaluator.value(template, location, point.values)
        if value is UNKNOWN:
            return None
        if isinstance(value, Named):
            value = value.name
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            hint = "write text with the values in it, such as ${matrix.city}-${matrix.year}"
            what = f"the name of an instance has to be text, not {describe(value)}"
            self._evaluator.problems.report_once(location, what, hint)
            return None
        slug = slug_of({"name": value})
        if isinstance(value, str) and not value.strip(" -."):
            what = f"the name of the instance for {shorten(str(dict(point.labels)))} is empty"
            self._evaluator.problems.report_once(location, what, "put a value into it that is not empty")
            return None
        return slug

    def _stand_in(self, stage: Stage, **more: Any) -> None:
        made = Instance(id=stage.name, stage=stage, point={}, **more)
        self.instances[made.id] = made
        self.by_stage[stage.name] = [made]

    def _report_twins(self, stage: Stage, first: Instance, point: Mapping[str, Value]) -> None:
        axes: Location = ("stages", stage.name, "matrix" if stage.foreach is None else "foreach")
        if stage.instances.name is not None:
            hint = "put all that differs into the name, such as ${matrix.city}-${matrix.year}"
            message = f"two instances are called '{first.id}'"
            self._evaluator.problems.report_once(("stages", stage.name, "instances", "name"), message, hint)
            return
        what, one = ("points of the matrix", "point") if stage.foreach is None else ("items", "item")
        message, hint = f"two {what} are called '{first.id}'", f"give every {one} a value of its own"
        if first.point != point:
            hint = "in a name, all but letters, digits and '_.+-' becomes '-'; use values that stay different"
        if stage.foreach is None and len(point) == 1:
            axes = (*axes, next(iter(point)))
        self._evaluator.problems.report_once(axes, message, hint)

    def _items(self, stage: Stage) -> list[Point]:
        assert stage.foreach is not None
        location: Location = ("stages", stage.name, "foreach")
        lists = stages_named(stage.foreach)
        value = self._evaluator.value(stage.foreach, location, stages=self.scraps_of(lists))
        if value is UNKNOWN:
            return []
        if not is_sequence(value):
            hint = "it goes over the items of a list, such as ${stages.NAME.scraps.KEY}"
            self._report(location, f"'foreach' has to be a list, not {describe(value)}", hint)
            return []
        if not value:
            self._stand_in(stage, skip="the list of its foreach is empty", absent=not lists)
            return []
        if len(value) + len(self.instances) > matrix.MAX_INSTANCES:
            self._report(location, *matrix.too_many(f"'foreach' makes {len(value):,} stages"))
            return []
        return matrix.items(value, stage)


def slug_of(point: Mapping[str, Value]) -> str:
    """The name of a point, short enough for a folder's name."""
    slug = "-".join(_slug(value) for value in point.values())
    if len(slug) <= MAX_SLUG and len(slug.encode()) <= MAX_SLUG_BYTES:
        return slug
    mark = hashlib.sha256(repr(point).encode()).hexdigest()[:8]
    head = slug[: MAX_SLUG - 9].encode()[: MAX_SLUG_BYTES - 9].decode("utf-8", "ignore")
    return f"{head}-{mark}"


def _slug(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # with its sign
    text = str(value).lower() if isinstance(value, bool | None) else str(value)
    if text.isascii():
        return _ascii_slug(value)
    text = unicodedata.normalize("NFC", text)
    slug = re.sub(r"[^\w.+-]+", "-", text).strip("-.")
    # Signs alone, such as emoji, leave nothing: then a mark tells the values apart.
    return slug or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _ascii_slug(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    text = str(value).lower() if isinstance(value, bool | None) else str(value)
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.") or "empty"

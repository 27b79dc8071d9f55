"""Sweeps: one run for each point of a grid of parameters, under one parent."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from stagebook.errors import UsageError, did_you_mean
from stagebook.events import Status
from stagebook.journal.history import RunHistory, figures
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.types import Value, accepts, is_sequence
from stagebook.tracking.state import TrackingState

MAX_POINTS = 10_000
_RULE = re.compile(r"\s*([A-Za-z][\w@.+-]*)\.([A-Za-z_]\w*)\s*(<=|>=|==|<|>)\s*([-+0-9.eE]+)\s*")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The swept parameters with their values, and those that are the same at every point."""

    axes: Mapping[str, tuple[Value, ...]]
    fixed: Mapping[str, Value]

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(map(len, self.axes.values()))

    def points(self) -> list[dict[str, Value]]:
        """All points, the last axis changing fastest."""
        return [
            dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())
        ]


def grid_of(pipeline: Pipeline, values: Mapping[str, Value]) -> Grid:
    """What is swept: each parameter that is given a list although its type is not that of the list.

    Raises:
        UsageError: nothing is swept, an axis is empty, or there are too many points.
    """
    axes: dict[str, tuple[Value, ...]] = {}
    fixed: dict[str, Value] = {}
    for name, value in values.items():
        param = pipeline.params.get(name)
        if (
            param is None
            or not is_sequence(value)
            or (param.type.kind != "Any" and accepts(param.type, value))
        ):
            fixed[name] = value  # what is wrong with it, the plan tells
            continue
        if not value:
            raise UsageError(f"'{name}' is swept over no values", hint=f"-p '{name}=[1, 2, 3]'")
        axes[name] = tuple(value)
    if not axes:
        names = [name for name, param in pipeline.params.items() if param.type.kind != "list"]
        msg = "nothing is swept: give a parameter a list of values"
        raise UsageError(msg, hint=f"-p '{names[0]}=[…, …]'" if names else "the pipeline has no parameters")
    grid = Grid(axes=axes, fixed=fixed)
    if grid.size > MAX_POINTS:
        msg = f"the sweep has {grid.size:,} points; the limit is {MAX_POINTS:,}"
        raise UsageError(msg, hint="give fewer values")
    return grid


@dataclasses.dataclass(frozen=True, slots=True)
class StopRule:
    """Stop once a metric of a stage fulfils this: `train.auc >= 0.9`."""

    stage: str
    metric: str
    relation: str
    limit: float

    @classmethod
    def parse(cls, text: str, stages: Sequence[str]) -> StopRule:
        """From its text. Raises `UsageError`."""
        found = _RULE.fullmatch(text)
        try:
            limit = float(found[4]) if found else None
        except ValueError:
            limit = None
        if found is None or limit is None:
            msg = f"cannot read the rule '{text[:80]}'"
            raise UsageError(msg, hint="write STAGE.METRIC >= NUMBER, such as 'train.auc >= 0.9'")
        if found[1].split("@")[0] not in stages:
            msg = f"no stage '{found[1]}' for the rule '{text}'"
            raise UsageError(msg, hint=did_you_mean(found[1], stages))
        return cls(found[1], found[2], found[3], limit)

    def value(self, history: RunHistory) -> float | None:
        """The metric in a run; None if it has none."""
        stage = history.stages.get(self.stage)
        if stage is None or stage.status not in {Status.COMPLETED, Status.REUSED}:
            return None
        value = figures(stage.scraps).get(self.metric)
        return None if value is None else float(value)

    def holds(self, history: RunHistory) -> bool:
        """Whether a run fulfils it."""
        value = self.value(history)
        return value is not None and _COMPARE[self.relation](value, self.limit)

    def __str__(self) -> str:
        return f"{self.stage}.{self.metric} {self.relation} {self.limit:g}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point that was run: its parameters, its run, and what became of it."""

    params: Mapping[str, Value]
    run: str
    status: Status
    metrics: Mapping[str, float]
    history: RunHistory


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What became of a sweep. `left` counts the points that were not run, `why` says why. `undelivered` and `tracking`
    are as in `RunReport`."""

    run: str
    status: Status
    points: Sequence[Point]
    left: int = 0
    why: str = ""
    undelivered: int = 0
    tracking: TrackingState = dataclasses.field(default_factory=TrackingState)


def metrics_of(history: RunHistory) -> dict[str, float]:
    """The numbers that the stages of a run left, as `stage.name`."""
    return {
        f"{name}.{key}": float(value)
        for name, stage in history.stages.items()
        for key, value in figures(stage.scraps).items()
    }

"""What the expressions of a pipeline see, and what they come to before a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.errors import Problem
from stagebook.pipeline.expressions import ExpressionError, Template, evaluate
from stagebook.pipeline.model import Location, Pipeline
from stagebook.pipeline.types import Value


def stages_named(*templates: Template | None) -> set[str]:
    """The names of the stages whose scraps these refer to."""
    return {
        reference[1]
        for template in templates
        if template is not None
        for reference in template.references
        if reference[0] == "stages"
    }


def point_scope(point: Mapping[str, Value]) -> dict[str, Value]:
    """What expressions see of a point besides `matrix`: the `item` of a foreach."""
    return {"item": point["item"]} if "item" in point else {}


def scrap_scope(
    instances: Mapping[str, Sequence[tuple[str, bool]]],
    scraps: Mapping[str, Mapping[str, Any]],
    names: Iterable[str],
) -> dict[str, Any]:
    """`{stage: {"scraps": {name: value}}}` of the stages with these `names`. `instances` has those of
    each stage, as (id, one of several).

    Of a stage with a matrix or foreach a list of values in its order, for the names that every
    instance has: a list with gaps would be taken for a shorter one.
    """
    scope: dict[str, Any] = {}
    for stage in names:
        found = instances.get(stage, ())
        if any(many for _, many in found):
            known = [scraps.get(name, {}) for name, _ in found]
            shared = set(known[0]).intersection(*known[1:])
            lists = {key: [one[key] for one in known] for key in known[0] if key in shared}
            scope[stage] = {"scraps": lists}
        elif found and found[0][0] in scraps:
            scope[stage] = {"scraps": scraps[found[0][0]]}
    return scope


class Unknown:
    """Marks a value that could not be computed; why is noted already."""


UNKNOWN = Unknown()


class Evaluator:
    """Evaluates the expressions of one pipeline before a run. `problems` collects what is wrong."""

    def __init__(self, pipeline: Pipeline, params: Mapping[str, Value], env: Mapping[str, str]) -> None:
        self.pipeline = pipeline
        self.problems: list[Problem] = []
        self._reported: set[Location] = set()
        self._params = dict(params)
        self._env = dict(env)

    def report(self, location: Location, message: str, hint: str = "") -> None:
        """Note a problem at a place of the pipeline file."""
        self.problems.append(self.pipeline.problem(location, message, hint))

    def report_once(self, location: Location, message: str, hint: str = "") -> None:
        """As `report`, for what every point of a matrix may meet: the first one tells of it."""
        if location not in self._reported:
            self._reported.add(location)
            self.report(location, message, hint)

    def value(
        self,
        template: Template,
        location: Location,
        point: Mapping[str, Value] | None = None,
        stages: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a template comes to at a point, or `UNKNOWN`."""
        for reference in template.references:
            if reference[0] == "params" and reference[1] not in self._params:
                return UNKNOWN  # the parameter itself is wrong, which is reported
        scope = {
            "params": self._params,
            "env": self._env,
            "matrix": point or {},
            **point_scope(point or {}),
            **({"stages": stages} if stages is not None else {}),
        }
        try:
            return evaluate(template, scope)
        except ExpressionError as error:
            self.report_once(location, str(error), error.hint)
            return UNKNOWN

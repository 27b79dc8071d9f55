"""What the expressions of a pipeline see, and their values: before a run, and once the stages that they name
have run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.pipeline.evaluator import Effort, NoValue
from stagebook.pipeline.expressions import ExpressionError, Template, evaluate
from stagebook.pipeline.model import Location, Pipeline
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.timing.interval import Interval

MAX_EFFORT = 50_000_000  # steps of all expressions of a pipeline together, some seconds at the most
UNKNOWN: Final = object()
"""In place of a value that could not be computed; the problem is reported already."""


def stages_named(*templates: Template | None) -> set[str]:
    """The names of the stages whose scraps these expressions refer to."""
    return {name for template in templates if template for _, name, *_ in template.under("stages")}


def scraps_scope(
    instances: Mapping[str, Sequence[tuple[str, bool]]],
    scraps: Mapping[str, Mapping[str, Any]],
    names: Iterable[str],
) -> dict[str, Any]:
    """`{stage: {"scraps": {name: value}}}` of the stages called `names`.

    A stage with a matrix or foreach has a list of values in the order of its instances, for each name that
    all of them have: a list with gaps would be taken for a shorter one.

    Args:
        instances: of each stage, the pairs of an instance's id and whether it is one of several.
        scraps: the known values, by instance.
        names: the stages that the expressions name.
    """
    scope: dict[str, Any] = {}
    for stage in names:
        found = instances.get(stage, ())
        if any(many for _, many in found):
            known = [scraps.get(name, {}) for name, _ in found]
            shared = set(known[0]).intersection(*known[1:])
            lists = {key: _together([one[key] for one in known]) for key in known[0] if key in shared}
            scope[stage] = {"scraps": lists}
        elif found and found[0][0] in scraps:
            scope[stage] = {"scraps": scraps[found[0][0]]}
    return scope


def _together(values: list[Any]) -> Any:
    """The values of all instances; none of which one has none."""
    return next((value for value in values if isinstance(value, NoValue)), values)


def _point_scope(point: Mapping[str, Value]) -> dict[str, Any]:
    """`matrix`, and `item` in an instance of a foreach."""
    return {"matrix": point, **({"item": point["item"]} if "item" in point else {})}


def _interval_scope(interval: Interval | None) -> dict[str, Any]:
    """`interval`, if the run is about one."""
    return {} if interval is None else {"interval": interval.to_scope()}


class Evaluator:
    """Evaluates the expressions of one pipeline before a run, and collects its `problems`."""

    def __init__(
        self,
        pipeline: Pipeline,
        params: Mapping[str, Value],
        env: Mapping[str, str],
        interval: Interval | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.problems = ProblemCollector(pipeline.path, pipeline.positions)
        self._params = dict(params)
        self._env = dict(env)
        self._interval = interval
        self._scope = {"params": self._params, "env": self._env, **_interval_scope(interval)}
        self._effort = Effort(MAX_EFFORT)

    def value(
        self,
        template: Template,
        location: Location,
        point: Mapping[str, Value] | None = None,
        stages: Mapping[str, Any] | None = None,
        *,
        is_path: bool = False,
        interval: Interval | None = None,
    ) -> Any:
        """The value of a template, or `UNKNOWN`. `stages` is a scope as `scraps_scope` makes it; `is_path` as for
        `evaluate`; `interval` takes the place of the one that the run is about."""
        if any(name not in self._params for _, name, *_ in template.under("params")):
            return UNKNOWN  # the parameter itself is wrong, which is reported
        if interval is None and self._interval is None and template.mentions("interval"):
            return UNKNOWN  # planning reports once that there is none
        scope = {**self._scope, **_point_scope(point or {}), **_interval_scope(interval)}
        try:
            full = scope if stages is None else {**scope, "stages": stages}
            return evaluate(template, full, is_path=is_path, effort=self._effort)
        except ExpressionError as error:
            self.problems.report_once(location, str(error), error.hint)
            return UNKNOWN


class Scopes:
    """The scopes of the stages of one plan. `instances` are triples: stage, id, whether it is one of
    several."""

    def __init__(
        self,
        pipeline: str,
        params: Mapping[str, Value],
        env: Mapping[str, str],
        instances: Iterable[tuple[str, str, bool]],
        *,
        interval: Interval | None = None,
    ) -> None:
        self._interval = _interval_scope(interval)
        self._pipeline = pipeline
        self._params = params
        self._env = env
        self._instances: dict[str, list[tuple[str, bool]]] = {}
        for stage, name, many in instances:
            self._instances.setdefault(stage, []).append((name, many))

    @classmethod
    def of_plan(cls, plan: Plan) -> Scopes:
        """The scopes of a whole plan."""
        instances = ((stage.stage, stage.id, bool(stage.point)) for stage in plan.stages)
        return cls(plan.pipeline, plan.params, plan.env, instances, interval=plan.interval)

    def needs(self, stage: PlannedStage) -> list[str]:
        """The instances whose scraps the parameters and conditions of a stage depend on."""
        return [name for other in sorted(needed_stages(stage)) for name, _ in self._instances.get(other, ())]

    def of(
        self,
        stage: PlannedStage,
        scraps: Mapping[str, Mapping[str, Any]],
        *,
        run: str | None = None,
        failed: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The scope of a stage. `scraps` are the known ones by instance, `run` is the run's id (without it the
        scope has no `run`), and `failed` are the stage instances that failed in it."""
        scope: dict[str, Any] = {
            "params": self._params,
            "env": self._env,
            "stages": scraps_scope(self._instances, scraps, needed_stages(stage)),
            **_point_scope(stage.point),
            **self._interval,
        }
        if run is not None:
            names = {"id": run, "pipeline": self._pipeline, "started": run[:15], "failed": list(failed)}
            scope["run"] = names
        return scope


def needed_stages(stage: PlannedStage) -> set[str]:
    """The names of the stages whose scraps the parameters and conditions of a stage depend on."""
    return stages_named(*stage.open)


def depends_on_run(stage: PlannedStage) -> bool:
    """Whether a parameter depends on the run itself, such as its id."""
    return any(template.mentions("run") for template in stage.deferred.values())


def reads_run(stage: PlannedStage) -> bool:
    """Whether a parameter or the condition of a stage refers to the run."""
    return depends_on_run(stage) or (stage.when is not None and stage.when.mentions("run"))


def params_of(stage: PlannedStage, scope: Mapping[str, Any]) -> dict[str, Value]:
    """The parameters of a stage, the deferred ones evaluated. Raises `StageFailure`."""
    params = dict(stage.params)
    for name, template in stage.deferred.items():
        try:
            value = evaluate(template, scope)
            params[name] = accept(stage.types.get(name, Type("Any")), value)
        except (ExpressionError, ValueMismatch) as error:
            raise StageFailure(f"the parameter '{name}': {error}", cause=Cause.PARAMS) from error
    return params


def condition_of(stage: PlannedStage, scope: Mapping[str, Any]) -> bool:
    """Whether the condition of a stage holds; true where it has none. Raises `StageFailure`."""
    if stage.when is None:
        return True
    try:
        return bool(evaluate(stage.when, scope))
    except ExpressionError as error:
        raise StageFailure(f"when: {error}", cause=Cause.PARAMS) from error

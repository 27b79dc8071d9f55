"""Values that are known only once other stages ran: parameters, conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.pipeline.expressions import ExpressionError, evaluate
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.scope import point_scope, scrap_scope, stages_named


class Scopes:
    """What the expressions of the stages of one plan see. `instances` are given as (stage, id, one of
    several)."""

    def __init__(
        self,
        pipeline: str,
        params: Mapping[str, Value],
        env: Mapping[str, str],
        instances: Iterable[tuple[str, str, bool]],
    ) -> None:
        self._pipeline = pipeline
        self._params = params
        self._env = env
        self._instances: dict[str, list[tuple[str, bool]]] = {}
        for stage, name, many in instances:
            self._instances.setdefault(stage, []).append((name, many))

    @classmethod
    def of_plan(cls, plan: Plan) -> Scopes:
        """Those of a plan."""
        return cls(
            plan.pipeline, plan.params, plan.env, ((s.stage, s.id, bool(s.point)) for s in plan.stages)
        )

    def of(
        self,
        stage: PlannedStage,
        scraps: Mapping[str, Mapping[str, Any]],
        *,
        run: str | None = None,
        failed: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The scope of a stage. Without a `run`, what depends on it is not there."""
        scope: dict[str, Any] = {
            "params": self._params,
            "matrix": stage.point,
            **point_scope(stage.point),
            "env": self._env,
            "stages": scrap_scope(self._instances, scraps, needed_stages(stage)),
        }
        if run is not None:
            names = {"id": run, "pipeline": self._pipeline, "started": run[:15], "failed": list(failed)}
            scope["run"] = names
        return scope


def needed_stages(stage: PlannedStage) -> set[str]:
    """The names of the stages whose scraps the parameters and conditions of a stage depend on."""
    return stages_named(*stage.deferred.values(), stage.when, stage.foreach)


def depends_on_run(stage: PlannedStage) -> bool:
    """Whether a parameter depends on the run itself, such as its id."""
    return any(template.mentions("run") for template in stage.deferred.values())


def reads_run(stage: PlannedStage) -> bool:
    """Whether any expression of a stage refers to the run."""
    return depends_on_run(stage) or (stage.when is not None and stage.when.mentions("run"))


def params_of(stage: PlannedStage, scope: Mapping[str, Any]) -> dict[str, Value]:
    """The parameters with what was open. Raises `StageFailure`."""
    params = dict(stage.params)
    for name, template in stage.deferred.items():
        try:
            value = evaluate(template, scope)
            params[name] = accept(stage.types.get(name, Type("Any")), value)
        except (ExpressionError, ValueMismatch) as error:
            msg = f"the parameter '{name}': {error}"
            raise StageFailure(msg, cause=Cause.PARAMS) from error
    return params


def condition_of(stage: PlannedStage, scope: Mapping[str, Any]) -> bool:
    """Whether the condition of a stage holds; it does where there is none. Raises `StageFailure`."""
    if stage.when is None:
        return True
    try:
        return bool(evaluate(stage.when, scope))
    except ExpressionError as error:
        msg = f"when: {error}"
        raise StageFailure(msg, cause=Cause.PARAMS) from error

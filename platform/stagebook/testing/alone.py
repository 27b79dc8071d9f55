"""One stage of a pipeline by itself: a pipeline that has no other one, so that nothing else has to be there."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stagebook.errors import PipelineInvalid, UsageError, did_you_mean
from stagebook.pipeline.evaluator import Named
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.loader import LoadedPipeline
from stagebook.pipeline.model import Instances, Param, Pipeline, Stage
from stagebook.pipeline.types import Value
from stagebook.pipeline.variables import templates_in
from stagebook.planning.instances import Points
from stagebook.planning.scopes import Evaluator
from stagebook.timing.interval import Interval
from stagebook.workspace.catalog import Catalog, bind

Point = Mapping[str, Value] | str


def find_stage(catalog: Catalog, name: str, pipeline: str | None = None) -> tuple[Pipeline, Stage]:
    """The stage of that name, and its pipeline, which may be left out where only one has such a stage.

    Raises:
        UsageError: no pipeline has it, or several have.
        PipelineInvalid: the pipeline has mistakes.
    """
    loaded = [catalog.load(one) for one in ([pipeline] if pipeline else catalog.names())]
    having = [one for one in loaded if name in {*one.pipeline.stages, *one.pipeline.broken}]
    if len(having) > 1:
        names = [one.pipeline.name for one in having]
        raise UsageError(f"{' and '.join(names)} have a stage '{name}'", hint=f"pipeline='{names[0]}'")
    if not having:
        raise _unknown(name, loaded, pipeline)
    if having[0].problems:
        raise PipelineInvalid(having[0].problems)
    return having[0].pipeline, having[0].pipeline.stages[name]


def _unknown(name: str, loaded: Sequence[LoadedPipeline], pipeline: str | None) -> UsageError:
    where = f"the pipeline {pipeline}" if pipeline else "any pipeline" if loaded else "the project"
    known = [stage for one in loaded for stage in one.pipeline.stages]
    return UsageError(f"there is no stage '{name}' in {where}", hint=did_you_mean(name, known))


def literal(value: Value) -> Template:
    """A value as it is: nothing in it is an expression."""
    return Template(value, value, frozenset())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A pipeline of one stage instance, with values for its parameters, and the interval that it is about."""

    pipeline: Pipeline
    params: Mapping[str, Value]
    stage: Stage
    point: Mapping[str, Value]
    interval: Interval | None = None


def alone(
    pipeline: Pipeline,
    stage: Stage,
    *,
    given: tuple[Mapping[str, Value], Mapping[str, Value]],
    point: Point | None,
    env: Mapping[str, str],
    interval: Interval | None = None,
) -> Alone:
    """A stage without the others.

    Args:
        pipeline: which has it.
        stage: of that.
        given: values for parameters of the notebook, and for those of the pipeline, as `sort_params` makes them.
        point: which instance of the stage: values of its axes, or what its id has after the `@`.
        env: the environment variables that expressions may read.
        interval: what it is about.

    Raises:
        UsageError: a name is not known, or a value is lacking.
        PipelineInvalid: a value does not fit its type.
    """
    own, others = given
    params = {**stage.params, **{name: literal(value) for name, value in own.items()}}
    stage = dataclasses.replace(
        stage,
        params=params,
        when=None,
        after=(),
        trigger="all_success",
        retries=0,
        bookmark=None,
        frozen=False,
        cache=False,
    )
    _check_scraps(stage)
    small = dataclasses.replace(
        pipeline,
        params={name: _optional(param) for name, param in pipeline.params.items()},
        stages={stage.name: stage},
        broken=frozenset(pipeline.stages) - {stage.name},
    )
    values, problems = bind(small, values=others)
    if problems:
        raise PipelineInvalid(problems)
    _check_params(pipeline, stage, others)
    stage, chosen = _at(stage, Evaluator(small, values, env, interval), point)
    return Alone(
        pipeline=dataclasses.replace(small, stages={stage.name: stage}),
        params=values,
        stage=stage,
        point=chosen,
        interval=interval,
    )


def _plain(value: Any) -> Any:
    """A value as YAML has it: dates and paths as text."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if hasattr(value, "__fspath__") else value


def _optional(param: Param) -> Param:
    return dataclasses.replace(param, required=False)


def sort_params(
    pipeline: Pipeline, stage: Stage, values: Mapping[str, Any], declared: Collection[str]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """What a test gives: values for the notebook, of which `declared` are the parameters, and for other parameters of the
    pipeline. Raises `UsageError`."""
    given = {key: _plain(value) for key, value in values.items()}
    paths = {*stage.inputs, *stage.outputs}
    takes_any = stage.inject == "first" and not declared  # nothing says what its notebook takes
    own = {
        name: value
        for name, value in given.items()
        if name in {*stage.params, *declared} - paths
        or (takes_any and name not in paths and name not in pipeline.params)
    }
    others = {name: value for name, value in given.items() if name not in own}
    for name in others:
        if name in stage.inputs:
            raise UsageError(f"'{name}' is an input of {stage.name}", hint=f"inputs={{'{name}': …}}")
        if name in stage.outputs:
            raise UsageError(f"'{name}' is an output of {stage.name}; where it goes is not for a test to say")
        if name not in pipeline.params:
            known = [*stage.params, *sorted({*declared} - paths), *pipeline.params]
            hint = did_you_mean(name, dict.fromkeys(known))
            raise UsageError(f"neither {stage.name} nor its pipeline has a parameter '{name}'", hint=hint)
    return own, others


def _check_scraps(stage: Stage) -> None:
    for name, template in stage.params.items():
        if template.mentions("stages"):
            message = f"the parameter '{name}' of {stage.name} is {template.source}, and no other stage runs in a test"
            raise UsageError(message, hint=f"give it: params={{'{name}': …}}")


def _check_params(pipeline: Pipeline, stage: Stage, given: Collection[str]) -> None:
    """What has no default and is used has to be given."""
    templates = [
        *stage.params.values(),
        *stage.matrix.values(),
        *stage.instances.templates.values(),
        *(output.path for output in stage.outputs.values()),
        *(template for text in stage.variables.values() for template in templates_in(text)),
    ]
    used = {name for template in templates for _, name, *_ in template.under("params")}
    for name, param in pipeline.params.items():
        if param.required and name in used and name not in given:
            raise UsageError(
                f"the parameter '{name}' of the pipeline has no default", hint=f"params={{'{name}': …}}"
            )


# -- the instance ----------------------------------------------------------------------------------


def _at(stage: Stage, evaluator: Evaluator, point: Point | None) -> tuple[Stage, Mapping[str, Value]]:
    """The stage with one instance alone, and its point. Raises `UsageError` and `PipelineInvalid`."""
    if stage.foreach is not None:
        item = point.get("item") if isinstance(point, Mapping) and set(point) == {"item"} else point
        if item is None or isinstance(item, Mapping):
            message = f"{stage.name} is executed for each item of a list"
            raise UsageError(message, hint="name the item: point={'item': …}")
        return dataclasses.replace(stage, foreach=literal([item])), {"item": item}
    if not stage.matrix:
        if point:
            raise UsageError(
                f"{stage.name} has no matrix, so there is no point of it", hint="leave out point="
            )
        return stage, {}
    points = Points(evaluator, {})
    if evaluator.problems.found:
        raise PipelineInvalid(evaluator.problems.found)
    chosen = _chosen(stage, points, point)
    return dataclasses.replace(
        stage,
        matrix={axis: literal(_alone(value)) for axis, value in chosen.items()},
        instances=Instances(name=stage.instances.name),
    ), chosen


def _alone(value: Value) -> Value:
    """The axis that has this value alone, by the name that it has."""
    return {value.name: value} if isinstance(value, Named) else [value]


def _chosen(stage: Stage, points: Points, point: Point | None) -> Mapping[str, Value]:
    known = points.of(stage.name)
    names = [one.id.partition("@")[2] for one in known]
    if isinstance(point, str):
        if (found := points.find(stage.name, point)) is not None:
            return found.point
        hint = did_you_mean(point, names)
        raise UsageError(f"there is no stage instance '{stage.name}@{point}'", hint=hint)
    if point is not None:
        for axis in point:
            if axis not in stage.matrix:
                hint = did_you_mean(axis, stage.matrix)
                raise UsageError(f"the matrix of {stage.name} has no axis '{axis}'", hint=hint)
    fitting = [one for one in known if (point or {}).items() <= one.point.items()]
    if len(fitting) == 1:
        return fitting[0].point
    axes = ", ".join(f"'{axis}': …" for axis in stage.matrix)
    if not fitting:
        hint = (
            f"its points are {', '.join(names)}; other values of parameters of the pipeline make other ones"
        )
        raise UsageError(f"the matrix of {stage.name} has no point {dict(point or {})}", hint=hint)
    hint = f"point={{{axes}}}, or '{fitting[0].id}'; there are {', '.join(names)}"
    raise UsageError(f"{stage.name} has {len(fitting)} instances", hint=hint)

"""From the text of a pipeline file to a `Pipeline`, with every mistake that the file alone shows."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath
from typing import Any

from stagebook.errors import Problem
from stagebook.pipeline.forms import Forms
from stagebook.pipeline.model import Location, Param, Pipeline, Stage
from stagebook.pipeline.names import DefinedNames
from stagebook.pipeline.problems import NAME_HINT, STAGE_NAME, ProblemCollector
from stagebook.pipeline.schedules import read_schedule
from stagebook.pipeline.schema import DefaultsFile, ParamFile, PipelineFile, read_model, read_what_can_be
from stagebook.pipeline.stages import StageReader
from stagebook.pipeline.types import TypeNotUnderstood, ValueMismatch, accept, parse_type, type_of
from stagebook.pipeline.variables import read_variables, split_env
from stagebook.pipeline.yaml import read_document


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """What could be read of a pipeline file, and everything that is wrong with it."""

    pipeline: Pipeline
    problems: tuple[Problem, ...]


def load_pipeline(text: str | bytes, path: str) -> LoadedPipeline:
    """Read the text of a pipeline file. Never raises for what the text holds. `path` is the file's path
    relative to the project root; its stem is the default name."""
    document = read_document(text, path)
    stem = PurePosixPath(path).stem
    if document.data is None:
        hint = "a pipeline has at least one stage: stages: {name: {notebook: path}}"
        nothing = Problem(path=path, message="the file is empty", hint=hint)
        empty = Pipeline(name=stem, path=path, positions=document.positions)
        return LoadedPipeline(empty, document.problems or (nothing,))
    positions = dict(document.positions)
    problems = ProblemCollector(path, positions, document.problems)
    pipeline = _load(document.data, stem, problems, Forms(problems, positions))
    return LoadedPipeline(pipeline, tuple(problems.found))


def _load(data: Any, stem: str, problems: ProblemCollector, forms: Forms) -> Pipeline:
    values: dict[str, Any] = {}
    if isinstance(data, dict) and isinstance(data.get("defaults"), dict):
        defaults_data, values = split_env(data["defaults"])
        data = {**data, "defaults": defaults_data}
    head, mistakes = read_what_can_be(PipelineFile, data, {"stages": {}})
    problems.report_all(mistakes)
    wrong = {where[0] for where, _, _ in mistakes if where}
    head = head or PipelineFile(stages={})
    name = stem if head.name is None else head.name
    if not STAGE_NAME.fullmatch(name):
        problems.report(("name",), f"'{name[:60]}' is not a name", NAME_HINT)
    defaults = head.defaults
    if "defaults" in wrong and isinstance(data.get("defaults"), dict):
        defaults = read_what_can_be(DefaultsFile, data["defaults"], {})[0] or defaults
    problems.check_env(defaults.env, ("defaults", "env"))
    found = {name: _read_param(name, value, problems) for name, value in head.params.items()}
    params = {name: param for name, param in found.items() if param is not None}
    names = DefinedNames(params=None if "params" in wrong else tuple(head.params), stages=tuple(head.stages))
    variables = read_variables(values, ("defaults", "env"), problems, names)
    if isinstance(data, dict) and data.get("stages") == {}:
        problems.report(("stages",), "the pipeline has no stage", "add one: name: {notebook: path}")
    reader = StageReader(problems, names, defaults, variables, forms)
    stages: dict[str, Stage] = {}
    broken: set[str] = set()
    for stage_name, raw in head.stages.items():
        before = len(problems.found)
        stage = reader.read(stage_name, raw)
        if stage is not None:
            stages[stage_name] = stage
        if stage is None or len(problems.found) > before:
            broken.add(stage_name)
    schedules = {key: read_schedule(key, raw, problems, params) for key, raw in head.schedules.items()}
    return Pipeline(
        schedules={key: one for key, one in schedules.items() if one is not None},
        name=name,
        path=problems.path,
        description=head.description,
        params=params,
        stages=stages,
        broken=frozenset(broken),
        broken_params=frozenset(head.params) - set(params),
        positions=problems.positions,
    )


def _read_param(name: str, value: Any, problems: ProblemCollector) -> Param | None:
    location: Location = ("params", name)
    if not problems.is_identifier(name, location):
        return None
    is_long_form = isinstance(value, dict) and ("type" in value or "default" in value)
    if not is_long_form:
        return Param(name=name, type=type_of(value), default=value)
    spec, mistakes = read_model(ParamFile, value)
    problems.report_all(mistakes, location)
    if spec is None:
        return None
    try:
        kind = parse_type(spec.type) if spec.type is not None else type_of(spec.default)
    except TypeNotUnderstood as error:
        hint = "types are int, float, bool, str, date, Path, list[int], int | None, Literal['a', 'b'] …"
        problems.report((*location, "type"), str(error), hint)
        return None
    if "default" not in value:
        return Param(name=name, type=kind, required=True, help=spec.help)
    try:
        default = accept(kind, spec.default)
    except ValueMismatch as error:
        problems.report((*location, "default"), f"the default of '{name}' does not fit: {error}")
        return None
    return Param(name=name, type=kind, default=default, help=spec.help)

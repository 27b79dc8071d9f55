"""The form of parameters: how each one is edited, and the mistakes in what was typed."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from stagebook.errors import Problem, UsageError
from stagebook.pipeline.model import Param, Pipeline
from stagebook.pipeline.params import bind_params, parse_pairs
from stagebook.pipeline.types import Type, Value, is_sequence
from stagebook.planning.intervals import NO_INTERVAL
from stagebook.runs.intervals import interval_for
from stagebook.runs.request import RunRequest, text_of
from stagebook.timing.reading import HOW
from stagebook_lab import wire

INTERVAL = "--interval"  # the name of its field
_KINDS: Mapping[str, wire.ParamKind] = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "text",
    "Path": "text",
    "date": "date",
    "datetime": "datetime",
    "Literal": "choice",
}


def param_info(param: Param) -> wire.ParamInfo:
    """A parameter, and how its field in the form edits it."""
    kinds = [kind for kind in _parts(param.type) if kind.kind != "None"]
    only = kinds[0] if len(kinds) == 1 else Type("Any")
    return wire.ParamInfo(
        name=param.name,
        type=str(param.type),
        default=param.default,
        required=param.required,
        help=param.help,
        kind=_KINDS.get(only.kind, "yaml"),
        choices=tuple(text_of(choice) for choice in only.choices),
        optional=len(kinds) < len(_parts(param.type)),
        text="" if param.required else text_of(param.default),
    )


def _parts(kind: Type) -> Sequence[Type]:
    return kind.args if kind.kind == "union" else (kind,)


def pairs_of(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Texts as `-p` takes them: `name=text`."""
    return tuple(f"{name}={text}" for name, text in texts.items())


def field_errors(pipeline: Pipeline, texts: Mapping[str, str], *, sweep: bool = False) -> dict[str, str]:
    """The first mistake in each parameter, by its name; a required one that is not given is a mistake."""
    found = {}
    required = [param.name for param in pipeline.params.values() if param.required]
    for name in dict.fromkeys([*texts, *required]):
        known = {name: pipeline.params[name]} if name in pipeline.params else {}
        alone = dataclasses.replace(pipeline, params=known)
        values, problems = parse_pairs(
            alone, pairs_of({name: texts[name]}) if name in texts else (), lists=sweep
        )
        problems = problems or _mistakes(alone, values, sweep=sweep)
        if problems:
            found[name] = problems[0].message.removeprefix(f"'{name}' ")
    return found


def _mistakes(pipeline: Pipeline, values: Mapping[str, Value], *, sweep: bool) -> list[Problem]:
    """The mistakes in values; in a sweep, each item of a list is checked on its own."""
    problems = bind_params(pipeline, values)[1]
    for name, value in values.items():
        if problems and sweep and is_sequence(value):
            return [problem for item in value for problem in bind_params(pipeline, {name: item})[1]]
    return problems


def interval_error(pipeline: Pipeline, text: str, problems: Sequence[Problem]) -> dict[str, str]:
    """What is wrong with the interval of a run, or that one has to be given as `problems` say; by the name of its field."""
    if not text.strip():
        found = [problem for problem in problems if problem.message == NO_INTERVAL]
        return {INTERVAL: f"say what the run is about: {HOW}"} if found else {}
    now = dt.datetime.now(dt.UTC)
    try:
        interval_for(pipeline, RunRequest(interval=text), pipeline.schedules, now)
    except UsageError as error:
        message = error.message.removeprefix(f"{INTERVAL}: ")
        return {INTERVAL: f"{message}; {error.hint}" if error.hint else message}
    return {}


class FieldsWrong(UsageError):
    """What was typed into the fields of a form cannot be: `fields` has the mistakes, by the names of the fields."""

    def __init__(self, message: str, fields: Mapping[str, str]) -> None:
        super().__init__(message, hint="; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)

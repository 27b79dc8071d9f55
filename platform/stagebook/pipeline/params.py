"""The parameters of a run: the pipeline's defaults, and the values given for them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from stagebook.errors import Problem, did_you_mean
from stagebook.pipeline.model import Pipeline, find_position, make_problem
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept, accepts
from stagebook.pipeline.yaml import parse_scalar, read_document

COMMAND_LINE = "-p"


def parse_pairs(
    pipeline: Pipeline, pairs: Sequence[str], *, lists: bool = False
) -> tuple[dict[str, Value], list[Problem]]:
    """Values from `name=value` texts, and the problems with them.

    Args:
        pipeline: the types of its parameters decide: a `str` takes the text as it is, other types read it
            as YAML.
        pairs: the texts.
        lists: a list of values that fit the type is also taken, for a sweep.
    """
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            problems.append(_problem(f"'{pair}' is not of the form name=value", "-p months=[1,2]"))
            continue
        param = pipeline.params.get(name)
        try:
            values[name] = _read(text, param.type, lists=lists) if param else parse_scalar(text)
        except ValueError as error:
            problems.append(_problem(f"'{pair}' cannot be read: {error}"))
    return values, problems


def _read(text: str, wanted: Type, *, lists: bool) -> Value:
    if lists:
        with contextlib.suppress(ValueError):
            value = parse_scalar(text)
            if isinstance(value, list) and not accepts(wanted, value):
                return value
    if _is_text(wanted):
        return text
    value = parse_scalar(text)
    if not accepts(wanted, value) and accepts(wanted, text):
        return text  # such as 12 for `str | None`
    return value


def _is_text(kind: Type) -> bool:
    is_choice = kind.kind == "Literal" and all(isinstance(choice, str) for choice in kind.choices)
    return is_choice or kind.kind in {"str", "Path", "date", "datetime"}


Origins = dict[str, tuple[str, int, int]]
"""The origins of values: name → file, line and column."""


def parse_file(text: bytes, path: str) -> tuple[dict[str, Value], Origins, list[Problem]]:
    """Values from a YAML file of `name: value`, their origins, and the problems with them."""
    document = read_document(text, path)
    if document.problems:
        return {}, {}, list(document.problems)
    if not isinstance(document.data, dict):
        return {}, {}, [Problem(path=path, message="a params file is a mapping of name: value")]
    origins = {name: (path, *find_position(document.positions, (name,))) for name in document.data}
    return dict(document.data), origins, []


def bind_params(
    pipeline: Pipeline, given: Mapping[str, Value], origins: Mapping[str, tuple[str, int, int]] | None = None
) -> tuple[dict[str, Value], list[Problem]]:
    """The values of all parameters of a run, each of its type, and the problems with them. Values without an
    origin were given with `-p`."""
    origins = origins or {}
    problems: list[Problem] = []
    for name in given:
        if name not in pipeline.params and name not in pipeline.broken_params:
            hint = did_you_mean(name, pipeline.params) or "the pipeline has no parameters"
            problems.append(_problem(f"unknown parameter '{name}'", hint, origins.get(name)))
    values: dict[str, Value] = {}
    for name, param in pipeline.params.items():
        if name in given:
            try:
                values[name] = accept(param.type, given[name])
            except ValueMismatch as error:
                values[name] = param.default
                hint = f"{name}: {param.help}" if param.help else ""
                problems.append(_problem(f"'{name}' does not fit: {error}", hint, origins.get(name)))
        else:
            values[name] = param.default
            if param.required:
                hint = f"-p {name}=…" + (f" ({param.help})" if param.help else "")
                problems.append(_problem(f"'{name}' has no default and was not given", hint))
    return values, problems


def _problem(message: str, hint: str = "", origin: tuple[str, int, int] | None = None) -> Problem:
    path, line, column = origin or (COMMAND_LINE, 0, 0)
    return make_problem(path, (line, column), message, hint)

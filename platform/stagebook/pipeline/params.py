"""The parameters of a run: the pipeline's defaults, and the values given for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stagebook.errors import Problem, did_you_mean
from stagebook.pipeline.model import Param, Pipeline, find_position, problem_at
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept
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
            swept = _read_list(text, param.type) if param and lists else None
            values[name] = (
                swept if swept is not None else _read(text, param.type) if param else parse_scalar(text)
            )
        except ValueError as error:
            problems.append(_problem(f"'{pair}' cannot be read: {error}"))
    return values, problems


def _read_list(text: str, wanted: Type) -> list[Value] | None:
    """The list that a text is in YAML; None if it is not one, or is one value of the type."""
    try:
        value = parse_scalar(text)
    except ValueError:
        return None
    return value if isinstance(value, list) and not _accepts(wanted, value) else None


def _read(text: str, wanted: Type) -> Value:
    if _is_text(wanted):
        return text
    value = parse_scalar(text)
    if not _accepts(wanted, value) and _accepts(wanted, text):
        return text  # such as 12 for `str | None`
    return value


def _accepts(wanted: Type, value: Value) -> bool:
    try:
        accept(wanted, value)
    except ValueMismatch:
        return False
    return True


def _is_text(kind: Type) -> bool:
    return kind.kind in {"str", "Path", "date", "datetime"} or (
        kind.kind == "Literal" and all(isinstance(choice, str) for choice in kind.choices)
    )


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
                problems.append(_problem(f"'{name}' does not fit: {error}", _help(param), origins.get(name)))
        else:
            values[name] = param.default
            if param.required:
                hint = f"-p {name}=…" + (f" ({param.help})" if param.help else "")
                problems.append(_problem(f"'{name}' has no default and was not given", hint))
    return values, problems


def _help(param: Param) -> str:
    return f"{param.name}: {param.help}" if param.help else ""


def _problem(message: str, hint: str = "", origin: tuple[str, int, int] | None = None) -> Problem:
    path, line, column = origin or (COMMAND_LINE, 0, 0)
    return problem_at(path, {(): (line, column)} if line else {}, (), message, hint)

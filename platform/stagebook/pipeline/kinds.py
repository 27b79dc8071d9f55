"""The kinds of values that a pipeline file has: durations, lists, conditions. A door to pydantic, like `schema`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import pydantic

from stagebook.pipeline.types import describe

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 1e9  # seconds
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def parse_duration(value: object) -> float:
    """Seconds from `90`, `45s`, `30m`, `1h30m`. Raises `ValueError`."""
    seconds = -1.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if 0 <= value < _LONGEST else -1.0
    elif isinstance(value, str) and _DURATION.fullmatch(text := value.replace(" ", "")):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    if not 0 <= seconds < _LONGEST:
        raise ValueError(f"expected a duration such as 90, 45s, 30m or 1h30m, got {describe(value)}")
    return float(seconds)


def _parse_timeout(value: object) -> float | None:
    seconds = None if value is None else parse_duration(value)
    if seconds == 0:
        raise ValueError("expected a time above 0; leave it out for no limit")
    return seconds


def listed(value: object) -> object:
    """A list, also where one text stands for it."""
    return [value] if isinstance(value, str) else value


def only(expected: str, *kinds: type) -> Callable[[object], object]:
    """A check with one message, where pydantic has one for each member of a union."""

    def check(value: object) -> object:
        if value is not None and not isinstance(value, kinds):
            raise ValueError(f"expected {expected}, got {describe(value)}")
        return value

    return check


def as_empty(value: object) -> object:
    """An empty mapping where nothing is written."""
    return {} if value is None else value


Seconds = Annotated[float, pydantic.BeforeValidator(parse_duration, json_schema_input_type=float | str)]
Timeout = Annotated[
    float | None, pydantic.BeforeValidator(_parse_timeout, json_schema_input_type=float | str | None)
]
ListOf = Annotated[
    str | list[Any] | None,
    pydantic.BeforeValidator(
        only("a list, or an expression that gives one", str, list),
        json_schema_input_type=str | list[Any] | None,
    ),
]
Condition = Annotated[
    str | bool | None,
    pydantic.BeforeValidator(
        only("an expression, true or false", str, bool), json_schema_input_type=str | bool | None
    ),
]
Command = Annotated[
    str | list[Any] | None,
    pydantic.BeforeValidator(
        only("a list of words, or a text for the shell", str, list),
        json_schema_input_type=str | list[Any] | None,
    ),
]
ArgList = Annotated[
    list[Any] | None,
    pydantic.BeforeValidator(only("a list of arguments", list), json_schema_input_type=list[Any] | None),
]
TextList = Annotated[list[str], pydantic.BeforeValidator(listed, json_schema_input_type=list[str] | str)]
# A mapping of names to values is taken out before (`variables`).
Env = Annotated[
    list[str],
    pydantic.BeforeValidator(
        listed, json_schema_input_type=list[str] | dict[str, str | float | bool | None] | str
    ),
]
Table = Annotated[
    dict[str, Any], pydantic.BeforeValidator(as_empty, json_schema_input_type=dict[str, Any] | None)
]

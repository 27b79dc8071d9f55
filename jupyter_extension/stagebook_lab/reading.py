"""From JSON to the dataclasses of `wire`, with every value checked against its annotation."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from stagebook.errors import UsageError

T = TypeVar("T")


def read(kind: type[T], body: bytes) -> T:
    """The request in `body`.

    Raises:
        UsageError: it is no JSON object, lacks a field, has one too many, or one of the wrong type.
    """
    try:
        data = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        msg = "the request is not JSON"
        raise UsageError(msg) from error
    if not isinstance(data, dict):
        msg = "the request is not a JSON object"
        raise UsageError(msg)
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            msg = f"the request has an unknown field '{name}'"
            raise UsageError(msg)
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            msg = f"the request lacks '{name}'"
            raise UsageError(msg)
    return kind(**values)


def _value(wanted: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if origin in {types.UnionType, Union}:
        if value is None and type(None) in arguments:
            return None
        return _value(next(kind for kind in arguments if kind is not type(None)), value, name)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, name) for item in value)
    if origin is dict and isinstance(value, Mapping):
        return dict(value)
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    msg = f"'{name}' of the request has the wrong type"
    raise UsageError(msg)

"""Pieces of SQL: names and values, quoted."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stagebook.pipeline.types import Value


def name(text: str) -> str:
    """A name of a column or table."""
    return '"' + text.replace('"', '""') + '"'


def names(texts: Iterable[str]) -> str:
    """Several names, with commas."""
    return ", ".join(name(text) for text in texts)


def literal(value: Value) -> str:
    """A value: text, a number, true, false or null. Raises `ValueError` for another one."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"'{value}'::DOUBLE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    msg = f"expected text, a number, true, false or null, not {type(value).__name__}"
    raise ValueError(msg)

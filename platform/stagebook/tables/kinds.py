"""The types of DuckDB (https://duckdb.org/docs/stable/sql/data_types/overview), in classes."""

from __future__ import annotations

import re

_WHOLE = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    "BIGNUM",
}  # fmt: skip
_REAL = {"FLOAT", "DOUBLE"}
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT")
_NAME = re.compile(r"[A-Z_ ]+")


def base(kind: str) -> str:
    """The name of a type without what it is made of: `DECIMAL`, `STRUCT`; `LIST` for a list or an array."""
    if kind.endswith("]"):
        return "LIST"
    found = _NAME.match(kind)
    return found[0].strip() if found else kind


def is_whole(kind: str) -> bool:
    """Whole numbers."""
    return kind in _WHOLE or (base(kind) == "DECIMAL" and kind.endswith(",0)"))


def is_real(kind: str) -> bool:
    """Numbers with a floating point, among which NaN can be."""
    return kind in _REAL


def is_number(kind: str) -> bool:
    """Numbers."""
    return kind in _WHOLE or kind in _REAL or base(kind) == "DECIMAL"


def is_text(kind: str) -> bool:
    """Text."""
    return kind in {"VARCHAR", "UUID"} or base(kind) == "ENUM"


def is_moment(kind: str) -> bool:
    """Dates, times of the day, and both."""
    return base(kind).startswith(("DATE", "TIME"))


def is_simple(kind: str) -> bool:
    """One value, and not several or a piece of bytes."""
    return (
        not kind.endswith("]")
        and not kind.startswith(_NESTED)
        and base(kind) not in {"BLOB", "BIT", "JSON", "GEOMETRY"}
    )


LOGICAL = ("integer", "number", "string", "boolean", "date", "timestamp", "time", "array", "object", "map")
"""Types of the Open Data Contract Standard; `vector` is an array, too."""


def logical(kind: str) -> str:
    """The type of the standard that a type is; empty if it has none."""
    if is_whole(kind):
        return "integer"
    if is_number(kind):
        return "number"
    if is_text(kind):
        return "string"
    match base(kind):
        case "BOOLEAN":
            return "boolean"
        case "DATE":
            return "date"
        case "LIST":
            return "array"
        case "STRUCT":
            return "object"
        case "MAP":
            return "map"
    name = base(kind)
    return "timestamp" if name.startswith("TIMESTAMP") else "time" if name.startswith("TIME") else ""

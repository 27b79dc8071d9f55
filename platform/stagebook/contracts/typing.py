"""Types of a contract and types of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

from stagebook.contracts.contract import Column
from stagebook.tables import kinds, sql

RECORD = "stagebook_record"  # a row as it is in the file, in SQL: no dataset has a column of that name
_CASTS = {
    "integer": "HUGEINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP",
    "time": "TIME",
}  # fmt: skip


def physical_matches(kind: str, logical: str, physical: str) -> bool | None:
    """Whether a column of the type `kind` is as a contract says; `None` where its values decide."""
    if physical and kind.upper() != physical.upper():
        return False
    if logical == "integer" and kinds.is_real(kind):
        return None  # pandas keeps whole numbers as floats where some are missing
    found = kinds.logical(kind)
    return (
        not logical
        or found == {"vector": "array"}.get(logical, logical)
        or (logical, found) == ("number", "integer")
    )


def typed_columns(wanted: Mapping[str, Column], found: Mapping[str, str], *, is_text: bool) -> dict[str, str]:
    """By column, the expression of SQL that gives its values as the contract wants them: those of a text file become
    what they stand for, whole numbers that are kept as floats become whole ones, and NaN is no value. What cannot be
    made so is null."""
    typed = {}
    for name, kind in found.items():
        column, quoted = wanted.get(name), sql.name(name)
        logical = column.logical if column else ""
        if is_text and logical == "integer":  # a cast alone would round
            typed[name] = (
                f"CASE WHEN regexp_full_match({quoted}, '\\s*[+-]?[0-9]+([.]0*)?\\s*') THEN TRY_CAST({quoted} AS HUGEINT) END"
            )
        elif is_text and logical in _CASTS:
            typed[name] = f"TRY_CAST({quoted} AS {_CASTS[logical]})"
        elif kinds.is_real(kind) and logical == "integer":
            typed[name] = f"CASE WHEN {quoted} = trunc({quoted}) THEN TRY_CAST({quoted} AS HUGEINT) END"
        elif kinds.is_real(kind):
            typed[name] = f"CASE WHEN NOT isnan({quoted}) THEN {quoted} END"
        else:
            typed[name] = quoted
    return typed


def unreadable(name: str, kind: str) -> str:
    """The condition of SQL, over a row `RECORD` and its typed columns, that there is a value which cannot be made what the
    contract wants."""
    present = f"{RECORD}.{sql.name(name)} IS NOT NULL"
    if kinds.is_real(kind):
        present += f" AND NOT isnan({RECORD}.{sql.name(name)})"
    return f"({sql.name(name)} IS NULL AND {present})"

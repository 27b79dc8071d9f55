"""Statements of DuckDB about the tables of a stage of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stagebook.tables import sql

_OPTIONS = {
    ".csv": "FORMAT csv, HEADER true",
    ".tsv": "FORMAT csv, HEADER true, DELIMITER '\t'",
    ".json": "FORMAT json, ARRAY true",
    ".jsonl": "FORMAT json",
    ".ndjson": "FORMAT json",
}


def copy_of(table: str, path: Path) -> str:
    """The statement that writes a table to a file: in the format of its suffix, Parquet where that is of no other."""
    options = _OPTIONS.get(path.suffix.lower(), "FORMAT parquet")
    return f"COPY (FROM {sql.name(table)}) TO {sql.literal(str(path))} ({options})"


def union_of(view: str, parts: Sequence[str]) -> str:
    """The statement that makes several tables one view, by the names of their columns."""
    selects = " UNION ALL BY NAME ".join(f"FROM {sql.name(part)}" for part in parts)
    return f"CREATE VIEW {sql.name(view)} AS {selects}"


def count_of(table: str) -> str:
    """The query for the number of rows of a table."""
    return f"FROM {sql.name(table)} SELECT count(*)"

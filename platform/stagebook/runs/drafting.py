"""A contract proposed for an output, from what lies in its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stagebook.contracts.contract import FOLDER
from stagebook.contracts.draft import ENOUGH, draft
from stagebook.errors import UsageError
from stagebook.runs.datasets import Dataset
from stagebook.runs.stored import connected
from stagebook.system.files import write_whole
from stagebook.tables import sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.profile import TableProfile, profile
from stagebook.tables.source import NoTable, source_of
from stagebook.tables.text_types import as_typed

_MOST = 50  # instances that are looked at
_NEARLY = 0.9  # of the rows: as many different values, by estimate, make it worth to count them


def draft_for(instances: Sequence[Dataset], root: Path) -> str:
    """The text of a contract for a dataset, from its profile: of all `instances` together, but for those that are not there.

    Raises:
        UsageError: no output is there, or one is no table.
    """
    first = instances[0]
    found = [one.path for one in instances if (root / one.path).exists()][:_MOST]
    if not found:
        hint = f"stagebook run {first.pipeline} {first.base}"
        raise UsageError(f"there is no '{first.path}' yet", hint=hint)
    try:
        tables = {f"part {number}": source_of(root / path) for number, path in enumerate(found)}
        with connected(tables, root) as connection:
            seen = _profiled(
                connection, list(tables), is_text=all(table.is_text for table in tables.values())
            )
            counts = [connection.rows(f"SELECT count(*) FROM {sql.name(part)}")[0][0] for part in tables]  # noqa: S608 - quoted
            rows = (min(counts), max(counts))
            return draft(first.whole, seen, unique=_unique(connection, seen), rows=rows)
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"no contract can be drafted for '{found[0]}': {error}") from error


def write_draft(instances: Sequence[Dataset], root: Path) -> str:
    """Write a drafted contract to its file; the path, relative to the project. Raises `UsageError`, as `draft_for`, and where
    the file is there already."""
    path = f"{FOLDER}/{instances[0].whole}.yaml"
    if (root / path).exists():
        raise UsageError(f"{path} is there already", hint="edit it, or move it away")
    text = draft_for(instances, root)
    (root / FOLDER).mkdir(exist_ok=True)
    write_whole(root / path, text.encode())
    return path


def _profiled(connection: Connection, parts: Sequence[str], *, is_text: bool) -> TableProfile:
    """The profile of several tables as one, which is `typed` then."""
    whole = " UNION ALL BY NAME ".join(f"SELECT * FROM {sql.name(part)}" for part in parts)  # noqa: S608 - quoted
    connection.do(f"CREATE VIEW whole AS {whole}")
    typed, _ = as_typed(connection, "whole", is_text=is_text)
    connection.do(f"CREATE VIEW typed AS SELECT {typed} FROM whole")  # noqa: S608 - names are quoted
    return profile(connection, "typed")


def _unique(connection: Connection, seen: TableProfile) -> frozenset[str]:
    """The columns that have no value twice."""
    likely = [
        name
        for name, column in seen.columns.items()
        if seen.rows >= ENOUGH and not column.nulls and column.distinct >= _NEARLY * seen.rows
    ]
    if not likely:
        return frozenset()
    asked = ", ".join(f"count(DISTINCT {sql.name(name)})" for name in likely)
    counts = connection.rows(f"SELECT {asked} FROM typed")[0]  # noqa: S608 - names are quoted
    return frozenset(name for name, count in zip(likely, counts, strict=True) if count == seen.rows)

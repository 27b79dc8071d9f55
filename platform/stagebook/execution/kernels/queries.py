"""The statements of a stage of SQL: run by DuckDB, whose tables are the stage's inputs, or through a connection."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.connections.connection import connect
from stagebook.connections.statements import Rows, StatementRefused, run_all
from stagebook.errors import StagebookError
from stagebook.pipeline.sql_text import Statement, statements_of
from stagebook.tables import duck
from stagebook.tables.source import Format, NoTable, Source, source_of
from stagebook.tables.statements import copy_of, count_of, union_of

_RESULT = "stagebook_result"


class StatementFailed(Exception):
    """A statement failed, or its tables cannot be read; the text says which, and why."""


def run(
    root: str,
    path: str,
    connection: str,
    *,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any],
    output: str,
) -> int | None:
    """Run the statements of a file in order; arguments as of `stagebook_program.sql`.

    Returns:
        The number of rows that were written; `None` where there is no output.

    Raises:
        StatementFailed: one failed.
    """
    try:
        statements = statements_of((Path(root) / path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise StatementFailed(f"{path}: {error}") from error
    last = next((one for one in reversed(statements) if one.gives_rows), None) if output else None
    job = _Job(
        path=path, statements=statements, last=last, params=params, output=Path(output) if output else None
    )
    return _in_connection(job, connection) if connection else _in_duckdb(job, inputs)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """The statements to run, and that whose rows are written."""

    path: str
    statements: Sequence[Statement]
    last: Statement | None
    params: Mapping[str, Any]
    output: Path | None

    def values(self, statement: Statement) -> dict[str, Any]:
        return {name: self.params[name] for name in statement.params if name in self.params}

    def failed(self, statement: Statement, error: object) -> StatementFailed:
        text = str(error).strip()
        if text.startswith("Permission Error: Cannot access "):
            text = f"{text.partition(' - ')[0]}: declare it as an input, and name that in its place"
        return StatementFailed(f"{self.path}:{statement.line}: {text}")


# -- DuckDB ---------------------------------------------------------------------------------------


def _in_duckdb(job: _Job, inputs: Mapping[str, Any]) -> int | None:
    beside = job.output.parent if job.output is not None else None
    spill = Path(tempfile.mkdtemp(prefix=".spill-", dir=beside))
    writes = [job.output] if job.output is not None else []
    try:
        with _opened(job, inputs, spill, writes) as found:
            for statement in job.statements:
                is_last = statement is job.last
                text = (
                    f"CREATE OR REPLACE TEMP TABLE {_RESULT} AS {statement.text}"
                    if is_last
                    else statement.text
                )
                try:
                    found.do(text, job.values(statement))
                except duck.QueryFailed as error:
                    raise job.failed(statement, error) from error
            if job.last is None or job.output is None:
                return None
            try:
                found.do(copy_of(_RESULT, job.output))
                return int(found.rows(count_of(_RESULT))[0][0])
            except duck.QueryFailed as error:
                raise job.failed(job.last, error) from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _opened(job: _Job, inputs: Mapping[str, Any], spill: Path, writes: Sequence[Path]) -> duck.Connection:
    """A connection with the inputs as views."""
    tables: dict[str, Source] = {}
    several: dict[str, list[str]] = {}
    try:
        for name, value in inputs.items():
            paths = value if isinstance(value, list) else [value]
            named = (
                [name] if not isinstance(value, list) else [f"{name}_{at}" for at in range(1, len(paths) + 1)]
            )
            tables |= {one: _source(name, path) for one, path in zip(named, paths, strict=True)}
            several |= {name: named} if isinstance(value, list) else {}
        found = duck.Connection(tables, spill=spill, writes=writes, is_bounded=False)
        for name, parts in several.items():
            found.do(union_of(name, parts))
    except NoTable as error:
        raise StatementFailed(f"{job.path}: {error}") from error
    except duck.QueryFailed as error:
        raise StatementFailed(f"{job.path}: the files of an input do not fit together: {error}") from error
    return found


def _source(name: str, path: Any) -> Source:
    """The table of an input. Raises `NoTable`."""
    try:
        found = source_of(Path(str(path)))
    except NoTable as error:
        raise NoTable(f"the input '{name}' is no table: {error}") from error
    return dataclasses.replace(found, guessed=True) if found.format is Format.CSV else found


# -- a connection -----------------------------------------------------------------------------------


def _in_connection(job: _Job, name: str) -> int | None:
    try:
        found = run_all(connect(name), job.statements, job.params, job.last)
    except StatementRefused as error:
        raise job.failed(error.statement, error) from error
    except StagebookError as error:
        raise StatementFailed(f"{job.path}: {error}") from error
    if found is None or job.output is None:
        return None
    _write(found, job.output)
    return len(found.rows)


def _write(found: Rows, output: Path) -> None:
    """Write rows to a file, in the format of its suffix."""
    import pandas as pd  # noqa: PLC0415 - slow to import, for SQL through a connection alone

    frame = pd.DataFrame(found.rows, columns=list(found.columns))
    match output.suffix.lower():
        case ".csv" | ".tsv" as suffix:
            frame.to_csv(output, index=False, sep="," if suffix == ".csv" else "\t")
        case ".json":
            frame.to_json(output, orient="records", date_format="iso")
        case ".jsonl" | ".ndjson":
            frame.to_json(output, orient="records", lines=True, date_format="iso")
        case _:
            frame.to_parquet(output, index=False)

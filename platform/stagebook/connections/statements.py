"""Statements of SQL, run through a connection. A door to SQLAlchemy, as `connection`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.connections.connection import Connection
from stagebook.pipeline.sql_text import Statement, with_params

_BATCH = 10_000  # rows that are fetched at once


class StatementRefused(Exception):
    """A database refused a `statement`; the text says why, in its words."""

    def __init__(self, statement: Statement, message: str) -> None:
        super().__init__(message)
        self.statement = statement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a query, and the names of their columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def run_all(
    connection: Connection, statements: Sequence[Statement], params: Mapping[str, Any], last: Statement | None
) -> Rows | None:
    """Run statements in order, in one transaction, with the values of their `$name`; the rows of `last`, which is one of
    them.

    Raises:
        StatementRefused: one failed; nothing of the transaction stays.
        ConnectionUnusable: there is no engine for the connection.
    """
    engine = connection.engine()
    from sqlalchemy import exc, text  # noqa: PLC0415 - an extra, which is there: it made the engine

    found: Rows | None = None
    statement = statements[0]
    try:
        with engine.begin() as opened:
            for statement in statements:
                values = {name: params[name] for name in statement.params if name in params}
                result = opened.execute(text(with_params(statement, ":")), values)
                if statement is last:
                    found = _fetched(result)
    except exc.SQLAlchemyError as error:
        raise StatementRefused(statement, str(getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()
    return found


def _fetched(result: Any) -> Rows:
    rows: list[tuple[Any, ...]] = []
    while some := result.fetchmany(_BATCH):
        rows += map(tuple, some)
    return Rows(columns=tuple(result.keys()), rows=rows)

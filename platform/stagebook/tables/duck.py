"""DuckDB, reading tables in bounded memory. The only door to duckdb.

No connection is shared across a fork: each audit opens one of its own, in memory, and closes it. A connection may read
the files that it was opened for and no others, nor write any but those it is told to; what people wrote in SQL is one
`SELECT`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.tables import sql
from stagebook.tables.delta import DeltaFailed, dataset
from stagebook.tables.reasons import reason_of
from stagebook.tables.source import Format, NoTable, Source

MEMORY = "300MB"
THREADS = 2
INSTALL = "pip install 'stagebook[data]'"

_BOUNDS = (f"memory_limit = '{MEMORY}'", f"threads = {THREADS}")
_SETTINGS = (
    "TimeZone = 'UTC'",
    "python_enable_replacements = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
)

Row = tuple[Any, ...]


class QueryFailed(Exception):
    """A query could not be answered; the text says why, in DuckDB's words without its trailers."""


def _duckdb() -> Any:
    """The module. Raises `NoTable` where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415 - an extra, and slow to import for commands that read no table
    except ImportError as error:
        raise NoTable(f"DuckDB is needed, and cannot be imported: {reason_of(error)}; {INSTALL}") from error
    return duckdb


class Connection:
    """One connection, see the module. It is a context manager."""

    def __init__(
        self,
        tables: Mapping[str, Source],
        *,
        spill: Path,
        writes: Sequence[Path] = (),
        is_open: bool = False,
        is_bounded: bool = True,
    ) -> None:
        """`tables` become views by these names, with the values as they are in the files. What does not fit into memory
        goes to the folder `spill`. `is_open`: more tables may be added later, so that nothing a person wrote may be asked. `is_bounded`: it takes little memory, and two threads.

        Raises:
            NoTable: one cannot be read; its `name` says which.
        """
        self._duck = _duckdb().connect(":memory:")
        self._count = 0
        try:
            bounds = _BOUNDS if is_bounded else ()
            for setting in (*bounds, *_SETTINGS, f"temp_directory = {sql.literal(str(spill))}"):
                self._duck.execute(f"SET {setting}")
            # In Jupyter without ipywidgets there is none, and DuckDB refuses to switch it off.
            if self._duck.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
                self._duck.execute("SET enable_progress_bar = false")
            for name, source in tables.items():
                self.add(name, source)
            if not is_open:
                self._lock(tables, spill, writes)
        except BaseException:
            self._duck.close()
            raise

    def _lock(self, tables: Mapping[str, Source], spill: Path, writes: Sequence[Path]) -> None:
        do = self._duck.execute
        folders = {str(source.path) for source in tables.values() if source.path.is_dir()} | {str(spill)}
        files = {str(source.path) for source in tables.values() if not source.path.is_dir()}
        files |= {str(path) for path in writes}
        do(f"SET allowed_directories = [{', '.join(sql.literal(f'{path}/') for path in sorted(folders))}]")
        do(f"SET allowed_paths = [{', '.join(sql.literal(path) for path in sorted(files))}]")
        do("SET enable_external_access = false")
        do("SET lock_configuration = true")

    def add(self, name: str, source: Source) -> None:
        """Make a table a view, in the place of one of that name. Raises `NoTable`."""
        self._count += 1
        try:
            self._view(name, source, f"source_{self._count}")
        except (_duckdb().Error, NoTable, OSError) as error:
            text = reason_of(error).replace(str(source.path), source.path.name)
            raise NoTable(text) from error

    def _view(self, name: str, source: Source, alias: str) -> None:
        relation = source.relation
        if source.format is Format.DUCKDB:
            self._duck.execute(f"ATTACH {sql.literal(str(source.path))} AS {alias} (READ_ONLY)")
            relation = f"{alias}.{sql.name(self._table_in(alias, source.table))}"
        elif source.format is Format.DELTA:
            try:
                self._duck.register(alias, dataset(source.path, source.version))
            except DeltaFailed as error:
                raise NoTable(f"the Delta table cannot be read: {error}") from error
            relation = alias
        self._duck.execute(f"CREATE OR REPLACE VIEW {sql.name(name)} AS SELECT * FROM {relation}")

    def _table_in(self, alias: str, wanted: str) -> str:
        query = "SELECT table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY 1"
        names = [row[0] for row in self._duck.execute(query, [alias]).fetchall()]
        if wanted in names:
            return wanted
        if len(names) == 1:
            return str(names[0])
        listed = ", ".join(names) or "none"
        raise NoTable(
            f"the database has no table '{wanted}'; it has {listed}"
            if wanted
            else f"which of its tables is meant: {listed}"
        )

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._duck.close()

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table, with their types."""
        return {row[0]: row[1] for row in self.rows(f"DESCRIBE {sql.name(table)}")}

    def do(self, text: str, params: Mapping[str, Any] | None = None) -> None:
        """Execute a statement, with the values of its `$name`. Raises `QueryFailed`."""
        with _told():
            self._duck.execute(text, dict(params) if params else None)

    def rows(self, text: str) -> list[Row]:
        """The rows of a query of ours. Raises `QueryFailed`."""
        return self._fetched(text)[1]

    def named_rows(self, text: str) -> list[dict[str, Any]]:
        """As `rows`, by the names of the columns."""
        names, rows = self._fetched(text)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _fetched(self, text: str) -> tuple[list[str], list[Row]]:
        """The names of the columns, and the rows. Times with a zone are text where DuckDB lacks pytz to make values of
        them."""
        with _told():
            found = self._duck.execute(text)
            names = [column[0] for column in found.description or ()]
            try:
                return names, found.fetchall()
            except _duckdb().InvalidInputException as error:
                if "pytz" not in str(error):
                    raise
            kinds = self._duck.execute(f"DESCRIBE {text}").fetchall()
            zoned = (row[0] for row in kinds if "WITH TIME ZONE" in row[1])
            replaced = ", ".join(f"{sql.name(name)}::VARCHAR AS {sql.name(name)}" for name in zoned)
            return names, self._duck.execute(f"SELECT * REPLACE ({replaced}) FROM ({text})").fetchall()

    def select(self, text: str) -> tuple[tuple[tuple[str, str], ...], Iterator[Row]]:
        """The columns, with their types, and the rows of a query that a person wrote. Times with a zone are text. Raises
        `QueryFailed` where it is no single `SELECT`, or cannot be answered; the rows raise it, too."""
        with _told():
            statements = self._duck.extract_statements(text)
            if len(statements) != 1 or statements[0].type is not _duckdb().StatementType.SELECT:
                raise QueryFailed("it is not one SELECT: data is read here, and nothing is written")
            described = self._duck.execute(f"DESCRIBE {text}").fetchall()
            columns = tuple((row[0], row[1]) for row in described)
            zoned = [
                f"{sql.name(name)}::VARCHAR AS {sql.name(name)}"
                for name, kind in columns
                if "WITH TIME ZONE" in kind
            ]
            asked = f"SELECT * REPLACE ({', '.join(zoned)}) FROM ({text}\n)" if zoned else text
            found = self._duck.execute(asked)

        def rows() -> Iterator[Row]:
            with _told():
                while some := found.fetchmany(1000):
                    yield from some

        return columns, rows()

    def number(self, text: str, *, seconds: float) -> float | None:
        """The one number that a query gives which a person wrote; `None` for null.

        Raises:
            QueryFailed: it is no single `SELECT`, takes longer than `seconds`, or gives something else.
        """
        with _told():
            statements = self._duck.extract_statements(text)
            if len(statements) != 1 or statements[0].type is not _duckdb().StatementType.SELECT:
                raise QueryFailed("it is not one SELECT")
            with _limited(self._duck, seconds):
                found = self._duck.execute(statements[0]).fetchmany(2)
        if len(found) != 1 or len(found[0]) != 1:
            raise QueryFailed(
                f"it gives {len(found) if len(found) < 2 else 'several'} rows of {len(found[0]) if found else 0} columns, not one number"
            )
        value = found[0][0]
        if value is None:
            return None
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise QueryFailed(f"it gives {value!r:.60}, which is no number") from None

    def frame(self, table: str) -> Any:
        """A table as a pandas DataFrame, all of it in memory."""
        with _told():
            return self._duck.execute(f"SELECT * FROM {sql.name(table)}").df()


@contextlib.contextmanager
def _limited(duck: Any, seconds: float) -> Iterator[None]:
    passed = threading.Event()

    def stop() -> None:
        passed.set()
        duck.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield
    except _duckdb().Error as error:
        if passed.is_set():
            raise QueryFailed(f"it was not done after {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _duckdb().Error as error:
        raise QueryFailed(reason_of(error)) from error

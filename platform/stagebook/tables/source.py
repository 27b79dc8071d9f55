"""Where a table is: a file or folder, read as a relation of DuckDB."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

from stagebook.system.delta_log import is_table
from stagebook.tables import sql
from stagebook.tables.csv_dialect import Dialect, NotRead, dialect_of


class Format(enum.StrEnum):
    """How a table is kept."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    DUCKDB = "duckdb"
    DELTA = "delta"


_SUFFIXES = {
    ".parquet": Format.PARQUET, ".pq": Format.PARQUET, ".csv": Format.CSV, ".tsv": Format.CSV,
    ".jsonl": Format.JSON, ".ndjson": Format.JSON, ".json": Format.JSON, ".duckdb": Format.DUCKDB, ".db": Format.DUCKDB,
}  # fmt: skip
_PACKED = {".gz", ".zst"}


class NoTable(Exception):
    """The file is no table that can be read; the text says why, in one sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A table in a file or folder. `table`: its name within a database; `dialect`: how a text file is read,
    `None` where DuckDB is to find it out; `guessed`: its values have the types that its first 20,000 rows suggest;
    `version`: that of a Delta table, the present one by default."""

    path: Path
    format: Format
    table: str = ""
    dialect: Dialect | None = None
    guessed: bool = False
    version: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether all values are text in the file."""
        return self.format is Format.CSV and not self.guessed

    @property
    def relation(self) -> str:
        """It as a relation of SQL, with the values as they are in the file."""
        where = sql.literal(str(self.path))
        match self.format:
            case Format.PARQUET:
                union = ", union_by_name = true" if self.path.is_dir() else ""
                # The statistics of a file say nothing of NaN, and DuckDB takes them for all that there is.
                return f"read_parquet({_files(self.path, '*.parquet')}{union}, can_have_nan = true)"
            case Format.CSV if self.dialect is not None:
                return f"read_csv({where}, {self.dialect.options(guessed=self.guessed)})"
            case Format.CSV:
                types = "" if self.guessed else ", all_varchar = true"
                return f"read_csv({where}, null_padding = false, header = true{types})"
            case Format.JSON:
                return f"read_json({where}, sample_size = -1)"
            case Format.DUCKDB:
                return f"source.{sql.name(self.table)}"
            case Format.DELTA:
                return "delta_table"
        raise AssertionError(self.format)


def _files(path: Path, pattern: str) -> str:
    return sql.literal(str(path / "**" / pattern) if path.is_dir() else str(path))


def source_of(path: Path, table: str = "") -> Source:
    """The table at a path. Raises `NoTable`."""
    if not path.exists():
        raise NoTable("it is not there")
    if path.is_dir():
        return _of_folder(path, table)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None and _is_parquet(path):
        found = Format.PARQUET
    if found is None:
        known = ", ".join(sorted(_SUFFIXES))
        raise NoTable(
            f"nothing is known of files named *{path.suffix}: tables are {known}, and Delta folders"
        )
    if found is not Format.DUCKDB and path.stat().st_size == 0:
        raise NoTable("the file is empty")
    try:
        return Source(path, found, table, dialect_of(path) if found is Format.CSV else None)
    except NotRead as error:
        raise NoTable(str(error)) from error
    except (OSError, EOFError) as error:
        raise NoTable(getattr(error, "strerror", None) or str(error)) from error


def _of_folder(path: Path, table: str) -> Source:
    if is_table(path):
        return Source(path, Format.DELTA, table)
    if next(path.rglob("*.parquet"), None) is not None:
        return Source(path, Format.PARQUET, table)
    raise NoTable("the folder holds no Parquet files, and no Delta table")


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"

"""Where a table is: a file or folder, read as a relation of DuckDB."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

from stagebook.system.delta_log import is_table
from stagebook.tables import sql


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
    """A table in a file or folder. `table`: its name within a database; `version`: that of a Delta table, the present one
    by default."""

    path: Path
    format: Format
    table: str = ""
    version: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether all values are text in the file."""
        return self.format is Format.CSV

    @property
    def relation(self) -> str:
        """It as a relation of SQL, with the values as they are in the file."""
        where = sql.literal(str(self.path))
        match self.format:
            case Format.PARQUET:
                together = ", union_by_name = true" if self.path.is_dir() else ""
                return f"read_parquet({_files(self.path, '*.parquet')}{together})"
            case Format.CSV:
                return f"read_csv({where}, all_varchar = true, null_padding = false, header = true)"
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
        if is_table(path):
            return Source(path, Format.DELTA, table)
        if next(path.rglob("*.parquet"), None) is not None:
            return Source(path, Format.PARQUET, table)
        raise NoTable("the folder holds no Parquet files, and no Delta table")
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
    return Source(path, found, table)


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def reason_of(error: BaseException) -> str:
    """What is wrong, in one line of at most 300 characters."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:300]

"""Delta tables, by deltalake: the only door to it. Without the library everything here raises `DeltaFailed`.

deltalake raises bare `Exception`s and errors with a stack of its own; what leaves this module is a `DeltaFailed` with one
sentence. It is imported when a table is looked at, since most projects have none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import math
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.system import delta_log
from stagebook.tables import sql
from stagebook.tables.reasons import reason_of

_UNREAD = {"deletionVectors", "columnMapping"}


class DeltaFailed(Exception):
    """A Delta table could not be read or written; the text says why, in one sentence."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file of a version. `path` is as the log has it, percent-encoded; `rows` is `None` where nobody counted;
    `partition` has the values of the columns that the table is partitioned by, as the log has them."""

    path: str
    size: int
    rows: int | None
    partition: Mapping[str, str | None]

    @property
    def name(self) -> str:
        """Its path relative to the table's folder."""
        return urllib.parse.unquote(self.path)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A version of a table: its data files by `DataFile.name`, and what the log says of their columns. `schema` is the
    JSON of the log, `protocol` its action, `id` the table's own."""

    id: str
    version: int
    files: Mapping[str, DataFile]
    schema: str
    partition_by: tuple[str, ...]
    protocol: Mapping[str, Any]
    configuration: Mapping[str, str]

    @property
    def rows(self) -> int | None:
        """How many rows there are; `None` where nobody counted those of a file."""
        counts = [file.rows for file in self.files.values()]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def size(self) -> int:
        """Of all data files, in bytes."""
        return sum(file.size for file in self.files.values())

    @property
    def columns(self) -> dict[str, str]:
        """The columns with their types, in Delta's words."""
        fields = json.loads(self.schema)["fields"]
        return {field["name"]: _kind(field["type"]) for field in fields}


def _kind(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.get("type", kind))


@contextlib.contextmanager
def _told() -> Iterator[Any]:
    """Gives the library."""
    try:
        import deltalake  # noqa: PLC0415 - an extra, and start-up cost
    except ImportError as error:
        raise DeltaFailed("deltalake is not installed: pip install 'stagebook[data]'") from error
    try:
        yield deltalake
    except Exception as error:
        raise DeltaFailed(reason_of(error)) from error


def dataset(path: Path, version: int | None = None) -> Any:
    """A version of a table as a dataset of pyarrow; the present one by default. Raises `DeltaFailed`."""
    with _told() as library:
        return library.DeltaTable(path, version=version).to_pyarrow_dataset()


def state(path: Path, version: int | None = None) -> State:
    """A version of a table; the present one by default. Raises `DeltaFailed`."""
    with _told() as library:
        import pyarrow as pa  # noqa: PLC0415 - start-up cost

        table = library.DeltaTable(path, version=version)
        rows = pa.table(table.get_add_actions()).to_pylist()
        protocol, metadata = table.protocol(), table.metadata()
        if odd := _UNREAD.intersection(protocol.reader_features or ()):
            raise DeltaFailed(f"it has {min(odd)}, a feature of Delta that is not read here")
        columns = tuple(metadata.partition_columns)
        files = [_data_file(row, columns) for row in rows]
        if outside := next((file.name for file in files if not _is_inside(file.name)), ""):
            raise DeltaFailed(f"it has a file outside of its folder: {outside}")
        return State(
            id=metadata.id,
            version=table.version(),
            files={file.name: file for file in files},
            schema=table.schema().to_json(),
            partition_by=columns,
            protocol={
                "minReaderVersion": protocol.min_reader_version,
                "minWriterVersion": protocol.min_writer_version,
                **({"readerFeatures": list(protocol.reader_features)} if protocol.reader_features else {}),
                **({"writerFeatures": list(protocol.writer_features)} if protocol.writer_features else {}),
            },
            configuration=dict(metadata.configuration),
        )


def _is_inside(name: str) -> bool:
    return "://" not in name and not name.startswith("/") and ".." not in name.split("/")


def arrow_schema(state: State) -> Any:
    """The columns of a version as a schema of pyarrow. Raises `DeltaFailed`."""
    with _told() as library:
        import pyarrow as pa  # noqa: PLC0415 - start-up cost

        return pa.schema(library.Schema.from_json(state.schema).to_arrow())


def _data_file(row: Mapping[str, Any], columns: Sequence[str]) -> DataFile:
    values = row.get("partition") or {}
    return DataFile(
        path=row["path"],
        size=int(row["size_bytes"]),
        rows=row.get("num_records"),
        partition={name: _partition_value(values.get(name)) for name in columns},
    )


def _partition_value(value: Any) -> str | None:
    """A value as the log has it (PROTOCOL.md, "Partition Value Serialization")."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        moment = value.astimezone(datetime.UTC) if value.tzinfo else value
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)


def _properties(library: Any) -> dict[str, Any]:
    """Of a commit to a branch: one try, and nothing done afterwards."""
    return {
        "commit_properties": library.CommitProperties(max_commit_retries=0),
        "post_commithook_properties": library.PostCommitHookProperties(
            create_checkpoint=False, cleanup_expired_logs=False
        ),
    }


def write(path: Path, rows: Any, *, replaces: bool, partition_by: Sequence[str]) -> None:
    """Add rows (a reader of pyarrow) to a table, or replace all of its rows and its columns by them. A table that is not
    there is made. New columns are added. Raises `DeltaFailed`."""
    with _told() as library:
        library.write_deltalake(
            path,
            rows,
            mode="overwrite" if replaces else "append",
            schema_mode="overwrite" if replaces else "merge",
            partition_by=list(partition_by) or None,
            **_properties(library),
        )


def merge(path: Path, rows: Any, key: Sequence[str]) -> bool:
    """Put rows in the place of those with the same key, and add those whose key is new; whether anything changed. New
    columns are added. Raises `DeltaFailed`."""
    with _told() as library:
        table = library.DeltaTable(path)
        known = {field.name for field in table.schema().fields}
        names = list(rows.schema.names)
        if odd := [name for name in names if "`" in name]:
            raise DeltaFailed(f"a table with a column named {odd[0]} cannot be merged: rename it")
        pairs = {sql.name(name): f"s.{sql.name(name)}" for name in names}
        same = " AND ".join(f"t.{sql.name(name)} = s.{sql.name(name)}" for name in key)
        compared = [name for name in names if name in known and name not in key]
        differs = " OR ".join(
            f"(t.{sql.name(name)} IS DISTINCT FROM s.{sql.name(name)})" for name in compared
        )
        is_wider = not known.issuperset(names)
        merger = table.merge(
            rows, same, source_alias="s", target_alias="t", merge_schema=is_wider, **_properties(library)
        )
        if compared or is_wider:
            merger = merger.when_matched_update(pairs, predicate=None if is_wider else differs)
        done = merger.when_not_matched_insert(pairs).execute()
        return bool(is_wider or done["num_target_rows_updated"] or done["num_target_rows_inserted"])


def checkpoint(path: Path) -> None:
    """Write the present version out as a checkpoint, so that the log is read from there on. Raises `DeltaFailed`."""
    with _told() as library:
        library.DeltaTable(path).create_checkpoint()


def unused(path: Path, *, before: float, keep: Sequence[int]) -> list[Path]:
    """The data files in the folder of a table that no version has which came after a time (seconds since the epoch), nor
    any of those to `keep`, and that were written before that time themselves. Raises `DeltaFailed`."""
    present = state(path)
    needed = set(present.files)
    for number in delta_log.versions(path):
        if number == present.version:
            continue
        if number in keep or _ended(path, number) >= before:
            needed |= set(state(path, number).files)
    found = [
        (file, name)
        for file in sorted(path.rglob("*.parquet"))
        if not (name := file.relative_to(path).as_posix()).startswith((f"{delta_log.LOG}/", "_change_data/"))
    ]
    return [file for file, name in found if name not in needed and file.stat().st_mtime < before]


def _ended(path: Path, number: int) -> float:
    """When a version was followed by the next one, in seconds since the epoch."""
    try:
        return float(delta_log.info(path, number + 1)["timestamp"]) / 1000
    except (delta_log.LogDamaged, KeyError, TypeError, ValueError):
        return math.inf  # nobody knows

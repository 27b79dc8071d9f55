"""What a stage wrote, put into a Delta table: added, merged by a key, or in the place of what was there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.model import DeltaOptions
from stagebook.tables import delta, lake
from stagebook.tables.delta import DeltaFailed, State
from stagebook.tables.lake import LakeRefused, Prepared
from stagebook.tables.source import Format, Source

_INDEX = re.compile(r"__index_level_\d+__")  # of pandas


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a stage wrote (`rows`), and the table that it goes into: where that is, and how an error names it (`shown`).
    `attempt` is run/stage/attempt; the rows that the attempts of `replaces` added are taken out."""

    rows: Source
    table: Path
    shown: str
    options: DeltaOptions
    attempt: str
    replaces: tuple[str, ...] = ()


def prepare(change: Change, folder: Path) -> Prepared:
    """Work out what becomes of a table; `folder` is for what is put together.

    Raises:
        LakeRefused: the rows do not fit the table, or it cannot be read.
        OSError: the disk is full.
    """
    options = change.options
    before = lake.state_of(change.table, change.shown)
    rows = _Rows(change)
    rows.check_columns()
    if before is not None:
        _check_partitions(before, options)
        rows.check_types(before)
    is_merge = options.mode == "merge"
    if is_merge:
        rows.check_key()
    branch = lake.branch_of(change.table, folder, before, with_data=is_merge)
    replaces = options.mode == "overwrite" and not options.partition_by
    try:
        if is_merge and before is not None:
            if not delta.merge(branch, rows.reader(), options.key):
                return Prepared(table=change.table, folder=folder, before=before, after=before, places={})
        else:
            delta.write(branch, rows.reader(), replaces=replaces, partition_by=options.partition_by)
        after = delta.state(branch)
    except DeltaFailed as error:
        raise LakeRefused(f"what the stage wrote does not go into '{change.shown}': {error}") from error
    tag = lake.tag_of(change.attempt) if options.mode == "append" else ""
    files, places, stats = lake.renamed(branch, before, after, tag)
    gone = _gone(change, before, after)
    kept = {name: file for name, file in files.items() if name in places or name not in gone}
    return Prepared(
        table=change.table,
        folder=folder,
        before=before,
        after=dataclasses.replace(after, files=kept),
        places={name: place for name, place in places.items() if before is None or name not in before.files},
        stats=stats,
        operation="MERGE" if is_merge else "WRITE",
    )


def _gone(change: Change, before: State | None, after: State) -> set[str]:
    """The files of the version before that go, besides those that deltalake removed."""
    if before is None:
        return set()
    gone: set[str] = set()
    for attempt in change.replaces:
        gone |= lake.added_by(change.table, attempt)
    if change.options.mode == "overwrite" and change.options.partition_by:
        new = [file.partition for name, file in after.files.items() if name not in before.files]
        gone |= {name for name, file in before.files.items() if file.partition in new}
    return gone


def _check_partitions(before: State, options: DeltaOptions) -> None:
    if before.partition_by != tuple(options.partition_by):
        there = ", ".join(before.partition_by) or "no column"
        wanted = ", ".join(options.partition_by) or "none"
        raise LakeRefused(
            f"partition_by is {wanted}, and the table is partitioned by {there}: move its folder away, and run the stage again"
        )


class _Rows:
    """The rows of a change."""

    def __init__(self, change: Change) -> None:
        self._options = change.options
        self._dataset = _opened(change.rows)
        names = list(self._dataset.schema.names)
        self._names = [name for name in names if not _INDEX.fullmatch(name)]

    def reader(self) -> Any:
        """All of them, as a stream."""
        return self._dataset.scanner(columns=self._names).to_reader()

    def check_columns(self) -> None:
        """Raises `LakeRefused` where columns lack, or nothing is left beside those of the partition."""
        if twice := next((name for name in self._names if self._names.count(name) > 1), ""):
            raise LakeRefused(f"what the stage wrote has two columns {twice}")
        for key, columns in (("partition_by", self._options.partition_by), ("key", self._options.key)):
            for name in columns:
                if name not in self._names:
                    hint = did_you_mean(name, self._names)
                    raise LakeRefused(f"{key} names {name}, which the stage did not write; {hint}")
        if not set(self._names) - set(self._options.partition_by):
            raise LakeRefused("every column is in partition_by: one at least has to be left out")

    def check_types(self, before: State) -> None:
        """Raises `LakeRefused` where a column has another type than in the table, so that values would be lost."""
        if self._options.mode == "overwrite" and not self._options.partition_by:
            return
        there = delta.arrow_schema(before)
        for name in self._names:
            at = there.get_field_index(name)
            if at < 0:
                continue
            old, new = there.field(at).type, self._dataset.schema.field(name).type
            if not _fits(new, old):
                raise LakeRefused(
                    f"the column {name} is {new} in what the stage wrote, and {old} in the table"
                )

    def check_key(self) -> None:
        """Raises `LakeRefused` where a key is not there, or there twice."""
        key = list(self._options.key)
        table = self._dataset.to_table(columns=key)
        empty = next((name for name in key if table[name].null_count), "")
        if empty:
            raise LakeRefused(f"{table[empty].null_count:,} rows have no {empty}, which is the key")
        groups = table.group_by(key).aggregate([([], "count_all")])
        twice = table.num_rows - groups.num_rows
        if twice:
            raise LakeRefused(f"{twice:,} rows repeat the key ({', '.join(key)}) of another one")


def _opened(source: Source) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - start-up cost

    try:
        if source.format is Format.DELTA:
            return delta.dataset(source.path)
        if source.format is Format.PARQUET:
            return _of_files(source.path)
    except (DeltaFailed, OSError, pa.ArrowException) as error:
        raise LakeRefused(f"what the stage wrote cannot be read: {error}") from error
    raise LakeRefused(f"a Delta table is written as Parquet or as a Delta table, not as {source.format}")


def _of_files(path: Path) -> Any:
    """The Parquet files of a folder, or one, with the columns of all of them."""
    import pyarrow as pa  # noqa: PLC0415 - start-up cost
    import pyarrow.dataset as ds  # noqa: PLC0415 - as above

    options: dict[str, Any] = {"format": "parquet", "partitioning": "hive" if path.is_dir() else None}
    found = ds.dataset(path, **options)
    parts = [found.schema, *(fragment.physical_schema for fragment in found.get_fragments())]
    whole = pa.unify_schemas(parts, promote_options="permissive")
    return found if whole.equals(found.schema) else ds.dataset(path, schema=whole, **options)


def _fits(new: Any, old: Any) -> bool:
    """Whether the values of a type of pyarrow are those of another one, once they are cast."""
    kinds = _kind(new), _kind(old)
    return (
        kinds[0] == kinds[1]
        or kinds in {("integer", "floating"), ("integer", "decimal")}
        or kinds[0] == "null"
    )


def _kind(kind: Any) -> str:
    from pyarrow import types  # noqa: PLC0415 - start-up cost

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_timestamp(kind):
        return "timestamp with zone" if kind.tz else "timestamp"
    kinds: Sequence[str] = ("integer", "floating", "decimal", "boolean", "date", "null")
    for name in kinds:
        if getattr(types, f"is_{name}")(kind):
            return name
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        return "text"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "binary"
    return "list" if types.is_list(kind) or types.is_large_list(kind) else str(kind)

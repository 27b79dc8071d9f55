"""Tables as pandas DataFrames: read, written in the format of a path, and compared."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from stagebook.errors import UsageError
from stagebook.system.delta_log import is_table
from stagebook.tables import delta
from stagebook.views.formatting import plural, value

_TABS = {".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_PACKED = {".gz", ".zst", ".bz2", ".xz"}
_WRITTEN = "parquet, csv, tsv, jsonl, json or a Delta table"
_CELLS = 5  # differing cells that are shown


def suffix_of(path: Path) -> str:
    """The suffix that says how a file is written, without that of a compression; empty for a folder."""
    suffixes = [part.lower() for part in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_binary(path: Path) -> bool:
    """Whether files of equal rows may differ in their bytes: Parquet and folders of it, Delta tables."""
    return path.is_dir() or suffix_of(path) in {".parquet", ".pq"}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What pandas and pyarrow have to say to each other is none of the test's, which may take warnings for errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@_quietly()
def read(path: Path, **options: Any) -> pd.DataFrame:
    """The table at a path. `options` go to the function of pandas that reads it. Raises `UsageError` where it is none."""
    if path.is_dir() and is_table(path):
        return pd.DataFrame(delta.dataset(path).to_table().to_pandas())
    suffix = suffix_of(path)
    try:
        if suffix in {".parquet", ".pq"} or path.is_dir():
            return pd.read_parquet(path, **options)
        if suffix in {".csv", ".tsv"}:
            return pd.DataFrame(pd.read_csv(path, **{"sep": _TABS.get(suffix, ","), **options}))
        if suffix in _JSON_LINES:
            return pd.DataFrame(pd.read_json(path, **{"lines": True, **options}))
        if suffix == ".json":
            return pd.DataFrame(pd.read_json(path, **options))
    except (ValueError, OSError, delta.DeltaFailed) as error:
        raise UsageError(f"'{path.name}' cannot be read as a table: {error}") from error
    raise UsageError(f"'{path.name}' is no table that pandas reads by its name", hint=f"known: {_WRITTEN}")


@_quietly()
def write(frame: pd.DataFrame, path: Path, *, is_delta: bool = False) -> None:
    """Write a frame to a path, without its index, in the format that its name says. Raises `UsageError`."""
    suffix = suffix_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_delta:
        rows = pa.Table.from_pandas(frame, preserve_index=False)
        try:
            delta.write(path, rows, replaces=True, partition_by=())
        except delta.DeltaFailed as error:
            raise UsageError(f"the frame cannot be written as a Delta table: {error}") from error
    elif suffix in {".parquet", ".pq"}:
        frame.to_parquet(path, index=False)
    elif suffix in {".csv", ".tsv"}:
        frame.to_csv(path, index=False, sep=_TABS.get(suffix, ","))
    elif suffix in {".json", *_JSON_LINES}:
        frame.to_json(path, orient="records", lines=suffix in _JSON_LINES)
    else:
        hint = f"pass a file, bytes, or a function that writes it; frames are written as {_WRITTEN}"
        raise UsageError(f"a frame cannot be written as '{path.name}'", hint=hint)


def differences(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """How two tables differ, a line for each difference: columns, their types, the number of rows, the first cells. None
    where they are equal."""
    return [*_columns(before, after), *_rows(before, after)]


def _columns(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    old, new = [str(name) for name in before.columns], [str(name) for name in after.columns]
    if gone := [name for name in old if name not in new]:
        yield f"without the {plural(len(gone), 'column')} {', '.join(gone)}"
    if added := [name for name in new if name not in old]:
        yield f"with the new {plural(len(added), 'column')} {', '.join(added)}"
    if old != new and sorted(old) == sorted(new):
        yield f"with the columns in another order: {', '.join(new)}"
    for name in before.columns.intersection(after.columns):
        if before[name].dtype != after[name].dtype:
            yield f"{name} is {after[name].dtype}, before {before[name].dtype}"


def _rows(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{plural(len(after), 'row')}, before {len(before):,}"
    common = [name for name in before.columns if name in after.columns]
    least = min(len(before), len(after))
    old, new = before[common].head(least), after[common].head(least)
    cells = _cells(old, new)
    shown = list(itertools.islice(cells, _CELLS))
    yield from shown
    if more := sum(1 for _ in cells):
        yield f"and {plural(more, 'cell')} more"


def _cells(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    for name in old.columns:
        one, other = old[name].reset_index(drop=True), new[name].reset_index(drop=True)
        if one.equals(other):
            continue
        for row, (a, b) in enumerate(zip(one, other, strict=True), start=1):
            if not _is_same(a, b):
                yield f"row {row}, {name}: {value(_plain(b))}, before {value(_plain(a))}"


def _is_same(a: Any, b: Any) -> bool:
    if pd.api.types.is_scalar(a) and pd.api.types.is_scalar(b):
        return bool((pd.isna(a) and pd.isna(b)) or a == b)
    return str(a) == str(b)


def _plain(cell: Any) -> Any:
    return cell if isinstance(cell, int | float | str) else str(cell)

"""Comparing the contents of two versions of a dataset: as tables, as images, as texts."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.comparing.difference import DatasetDifference, ValueDifference
from stagebook.comparing.images import is_image, share_of_pixels
from stagebook.comparing.side import SideDataset
from stagebook.contracts.probe import masked
from stagebook.runs.stored import connected
from stagebook.system.blobs import BlobDamaged
from stagebook.system.store import Store
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.profile import ColumnProfile, profile
from stagebook.tables.row_changes import Comparison, NoKey, RowChanges
from stagebook.tables.schema_changes import schema_changes
from stagebook.tables.source import NoTable, Source, source_of
from stagebook.workspace.paths import STATE_FOLDER

_TEXT = 200_000  # bytes of a text that is compared line by line
_LINES = 60  # of one difference
_IMAGE = 5_000_000  # bytes of one image on a page
_FIGURES = 40  # of one table


class Contents:
    """Opens and compares contents of the project at `root`, which are in their places or in the `store`."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store

    def compare(
        self, found: DatasetDifference, before: SideDataset, after: SideDataset, key: Sequence[str]
    ) -> DatasetDifference:
        """`found`, with what differs in the contents; with a remark where they cannot be compared."""
        try:
            with self._placed(before) as old, self._placed(after) as new:
                if is_image(new):
                    return dataclasses.replace(found, pixels=share_of_pixels(old, new))
                if new.suffix == ".json" and (lines := _text_lines(old, new)) is not None:
                    return dataclasses.replace(found, lines=lines)
                personal = sorted({*before.personal, *after.personal})
                try:
                    two = {"before": source_of(old, before.table), "after": source_of(new, after.table)}
                    return self._tables(found, two, tuple(key), personal)
                except NoTable as error:
                    lines = _text_lines(old, new)
                    if lines is None:
                        return dataclasses.replace(found, remark=f"compared by hash alone: {error}")
                    return dataclasses.replace(found, lines=lines)
        except _Gone as error:
            return dataclasses.replace(found, remark=str(error))
        except (QueryFailed, OSError) as error:
            return dataclasses.replace(found, remark=f"it cannot be compared: {error}")

    def image(self, side: SideDataset) -> bytes | None:
        """The bytes of an image; `None` where it cannot be had, or is larger than a page should hold."""
        with contextlib.suppress(_Gone, OSError), self._placed(side) as path:
            if is_image(path) and path.stat().st_size <= _IMAGE:
                return path.read_bytes()
        return None

    @contextlib.contextmanager
    def _placed(self, side: SideDataset) -> Iterator[Path]:
        if side.place is not None and side.place.exists():
            yield side.place
            return
        if not self._store.holds(side.artifact):
            raise _Gone("one of the two is not in the store any more")
        (self._root / STATE_FOLDER).mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._root / STATE_FOLDER) as folder:
            target = Path(folder) / side.artifact.path.rpartition("/")[2]
            try:
                self._store.fetch(side.artifact, target)
            except BlobDamaged as error:
                raise _Gone("one of the two is damaged in the store: stagebook store verify") from error
            yield target

    def _tables(
        self, found: DatasetDifference, two: dict[str, Source], key: tuple[str, ...], personal: Sequence[str]
    ) -> DatasetDifference:
        raw = {f"{name} raw": source for name, source in two.items()}
        with connected(raw, self._root) as connection:
            comparison = Comparison(connection, two)
            rows, remark = _rows(comparison, key)
            figures = _figures(connection, personal)
            # What tells rows apart and what differs is seen first, where not all columns are.
            first = [*rows.key, *(figure.name.rpartition(": ")[0] for figure in figures)]
            samples = {
                what: [_ordered(masked(row, personal), first) for row in some]
                for what, some in rows.samples.items()
            }
            return dataclasses.replace(
                found,
                counts=comparison.counts,
                columns=tuple(schema_changes(comparison.columns["before"], comparison.columns["after"])),
                rows=dataclasses.replace(rows, samples=samples),
                figures=figures,
                remark=remark,
            )


class _Gone(Exception):
    """A content cannot be had; the text says why."""


def _rows(comparison: Comparison, key: tuple[str, ...]) -> tuple[RowChanges, str]:
    """What became of the rows, by the key if it tells them apart; and a remark where it does not."""
    if key and not set(comparison.common).issuperset(key):
        missing = ", ".join(name for name in key if name not in comparison.common)
        return comparison.changes(()), f"rows are compared as a whole: the key {missing} is not in both"
    try:
        return comparison.changes(key), ""
    except NoKey as error:
        return comparison.changes(()), f"rows are compared as a whole: {error}"


def _ordered(row: Mapping[str, Any], first: Sequence[str]) -> dict[str, Any]:
    return {**{name: row[name] for name in first if name in row}, **row}


def _figures(connection: Connection, personal: Sequence[str]) -> tuple[ValueDifference, ...]:
    """The figures of columns that differ; of personal ones not those that show a value."""
    before = profile(connection, "before", values=False).columns
    after = profile(connection, "after", values=False).columns
    found: list[ValueDifference] = []
    for name in (name for name in before if name in after):
        old, new = (_of_column(side[name], is_personal=name in personal) for side in (before, after))
        found += [
            ValueDifference(name=f"{name}: {figure}", before=old.get(figure), after=new.get(figure))
            for figure in {**old, **new}
            if old.get(figure) != new.get(figure)
        ]
    return tuple(found[:_FIGURES])


def _of_column(column: ColumnProfile, *, is_personal: bool) -> dict[str, object]:
    found: dict[str, object] = {"missing": column.nulls, "different, about": column.distinct}
    if not is_personal:
        found |= {"smallest": column.low, "largest": column.high}
        if column.quantiles:
            found["median"] = column.quantiles[len(column.quantiles) // 2]
    return found


def _text_lines(before: Path, after: Path) -> tuple[str, ...] | None:
    """The lines that differ; `None` where one is no text, or too long."""
    texts = []
    for path in (before, after):
        if not path.is_file() or path.stat().st_size > _TEXT:
            return None
        try:
            texts.append(path.read_text(encoding="utf-8").splitlines())
        except UnicodeDecodeError:
            return None
    return lines_between(*texts)


def lines_between(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The lines that differ, with `+` and `-`, at most so many as a person reads."""
    found = [
        line
        for line in list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        if not line.startswith("@@")
    ]
    more = (f"… {len(found) - _LINES} more lines",) if len(found) > _LINES else ()
    return (*found[:_LINES], *more)

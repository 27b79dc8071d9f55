"""What became of a dataset from one version to another; and the first rows of one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.contracts.probe import masked
from stagebook.errors import UsageError, did_you_mean
from stagebook.runs.datasets import Dataset, Datasets, Version, find_version
from stagebook.tables.duck import QueryFailed
from stagebook.tables.row_changes import Comparison, NoKey, RowChanges
from stagebook.tables.schema_changes import SchemaChange, schema_changes
from stagebook.tables.source import NoTable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference of two versions: how many rows there were and are (`counts`), the changes of columns and, where they
    were compared, of rows. Personal values are masked."""

    before: Version
    after: Version
    counts: tuple[int, int]
    columns: tuple[SchemaChange, ...]
    rows: RowChanges | None = None

    @property
    def is_breaking(self) -> bool:
        """Whether who reads the dataset by its columns may fail."""
        return any(change.is_breaking for change in self.columns)


def two_of(dataset: str, known: Sequence[Version], wanted: tuple[str, str]) -> tuple[Version, Version]:
    """Two of the `known` versions of a dataset, each named as `find_version` takes it, of one and the same instance. By
    default the last two; with one that is named, the present one, or the last.

    Raises:
        UsageError: there are no such versions.
    """
    found: list[Version] = []
    for text in filter(None, wanted):
        own = [one for one in known if found and one.stage == found[0].stage]
        found.append(find_version(dataset, own or known, text))
    if len(found) == 2:
        return found[0], found[1]
    stage = next((one.stage for one in (*found, *known)), "")
    others = [one for one in known if one.stage == stage and one not in found]
    if found and others:
        return found[0], next((one for one in others if one.is_present), others[0])
    if len(others) > 1:
        return others[1], others[0]
    if not known:
        raise UsageError(f"there is no version of {dataset} yet")
    raise UsageError(f"there is only one version of {dataset}, so there is nothing to compare")


def difference_of(
    dataset: Dataset, two: tuple[Version, Version], datasets: Datasets, key: Sequence[str] | None = None
) -> Difference:
    """Compare two versions; with a `key` of some columns also their rows, which that tells apart. An empty one stands for
    that of the dataset, if both versions have it.

    Raises:
        UsageError: one cannot be read, or the key does not tell its rows apart.
    """
    try:
        with contextlib.ExitStack() as stack:
            sources = {
                name: stack.enter_context(datasets.opened(dataset, version))
                for name, version in zip(("before", "after"), two, strict=True)
            }
            raw = {f"{name} raw": source for name, source in sources.items()}
            found = Comparison(stack.enter_context(datasets.connected(raw)), sources)
            return Difference(
                before=two[0],
                after=two[1],
                counts=found.counts,
                columns=tuple(schema_changes(found.columns["before"], found.columns["after"])),
                rows=None if key is None else _rows(dataset, found, key),
            )
    except NoKey as error:
        raise UsageError(str(error), hint="name columns that tell rows apart: --key NAME") from error
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"{dataset.name} cannot be compared: {error}") from error


def _rows(dataset: Dataset, found: Comparison, key: Sequence[str]) -> RowChanges:
    if unknown := next((name for name in key if name not in found.common), ""):
        hint = did_you_mean(unknown, found.common)
        raise UsageError(f"there is no column {unknown} in both versions", hint=hint)
    own = tuple(key) or dataset.key
    rows = found.changes(own if set(found.common).issuperset(own) else ())
    samples = {what: _masked(some, dataset) for what, some in rows.samples.items()}
    return dataclasses.replace(rows, samples=samples)


def first_rows(
    datasets: Datasets, dataset: Dataset, version: Version | None, limit: int
) -> list[dict[str, Any]]:
    """The first rows of a version, the present one by default; personal values are masked. Raises `UsageError`."""
    try:
        with datasets.opened(dataset, version) as source, datasets.connected({"t": source}) as connection:
            return _masked(connection.named_rows(f"SELECT * FROM t LIMIT {limit}"), dataset)  # noqa: S608 - a number
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"{dataset.name} cannot be read: {error}") from error


def _masked(rows: Iterable[Mapping[str, Any]], dataset: Dataset) -> list[dict[str, Any]]:
    personal = dataset.contract.personal if dataset.contract is not None else ()
    return [masked(row, personal) for row in rows]

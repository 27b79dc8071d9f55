"""What became of a dataset from one version to another; and the first rows of one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.contracts.probe import masked
from stagebook.errors import UsageError, did_you_mean
from stagebook.runs.data import Dataset, Datasets, DataVersion
from stagebook.tables.duck import QueryFailed
from stagebook.tables.row_changes import Comparison, NoKey, RowChanges
from stagebook.tables.schema_changes import SchemaChange, schema_changes
from stagebook.tables.source import NoTable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataDiff:
    """The difference of two versions: how many rows there were and are (`counts`), the changes of columns and of rows.
    Personal values are masked."""

    before: DataVersion
    after: DataVersion
    counts: tuple[int, int]
    columns: tuple[SchemaChange, ...]
    rows: RowChanges

    @property
    def is_same(self) -> bool:
        """Whether nothing changed."""
        return not (self.columns or self.rows.added or self.rows.removed or self.rows.changed)


def diff_of(dataset: Dataset, versions: tuple[str, str], key: Sequence[str], datasets: Datasets) -> DataDiff:
    """Compare two versions, each named as `Datasets.version` takes it; empty: the last two. Without a `key` that of the
    dataset tells rows apart, if the versions have it.

    Raises:
        UsageError: there are no such versions, they cannot be read, or the key does not tell their rows apart.
    """
    before, after = _chosen(dataset, versions, datasets)
    try:
        with contextlib.ExitStack() as stack:
            sources = {
                name: stack.enter_context(datasets.opened(dataset, version))
                for name, version in (("before", before), ("after", after))
            }
            raw = {f"{name} raw": source for name, source in sources.items()}
            found = Comparison(stack.enter_context(datasets.connected(raw)), sources)
            if unknown := next((name for name in key if name not in found.common), ""):
                hint = did_you_mean(unknown, found.common)
                raise UsageError(f"there is no column {unknown} in both versions", hint=hint)
            own = tuple(key) or dataset.key
            rows = found.changes(own if set(found.common).issuperset(own) else ())
            columns = schema_changes(found.columns["before"], found.columns["after"])
            return DataDiff(
                before=before,
                after=after,
                counts=found.counts,
                columns=tuple(columns),
                rows=dataclasses.replace(
                    rows, samples={what: _masked(some, dataset) for what, some in rows.samples.items()}
                ),
            )
    except NoKey as error:
        raise UsageError(str(error), hint="name columns that tell rows apart: --key NAME") from error
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"{dataset.name} cannot be compared: {error}") from error


def _chosen(
    dataset: Dataset, versions: tuple[str, str], datasets: Datasets
) -> tuple[DataVersion, DataVersion]:
    chosen = [datasets.version(dataset, text) for text in versions if text]
    known = datasets.versions(dataset)
    others = [one for one in known if one not in chosen]
    if len(chosen) == 1 and others:
        return chosen[0], next((one for one in others if one.is_present), others[0])
    if not chosen and len(known) > 1:
        return known[1], known[0]
    if len(chosen) < 2:
        count = "one version" if known else "no version"
        raise UsageError(f"{dataset.name} has {count}, so there is nothing to compare")
    return chosen[0], chosen[1]


def first_rows(
    datasets: Datasets, dataset: Dataset, version: DataVersion | None, limit: int
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

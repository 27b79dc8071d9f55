"""What became of the rows and columns of a dataset from one version to another."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.contracts.probe import MASK
from stagebook.errors import UsageError, did_you_mean
from stagebook.runs.data import Dataset, Datasets, DataVersion
from stagebook.tables import sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.schema_changes import SchemaChange, schema_changes
from stagebook.tables.source import NoTable, Source
from stagebook.tables.text_types import types_of_text

SHOWN = 5  # rows of each kind


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataDiff:
    """The difference of two versions.

    Args:
        rows: how many there were, and are.
        changes: of the columns.
        key: the columns that tell rows apart; without any, a row that changed is one that went and one that came.
        added, removed, changed: how many rows.
        columns: in how many of the rows that changed each column differs, for those that do.
        samples: some of the rows, by what became of them; personal values are masked.
    """

    before: DataVersion
    after: DataVersion
    rows: tuple[int, int]
    changes: tuple[SchemaChange, ...]
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int = 0
    columns: Mapping[str, int] = dataclasses.field(default_factory=dict)
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = dataclasses.field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether nothing changed."""
        return not (self.changes or self.added or self.removed or self.changed)


def diff_of(dataset: Dataset, versions: tuple[str, str], key: Sequence[str], datasets: Datasets) -> DataDiff:
    """Compare two versions, each named as `Datasets.version` takes it; empty: the last two.

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
            connection = stack.enter_context(
                datasets.connected({f"{name} raw": one for name, one in sources.items()})
            )
            personal = dataset.contract.personal if dataset.contract is not None else ()
            return _Comparison(connection, sources, personal).diff(
                before, after, tuple(key) or dataset.key, is_asked=bool(key)
            )
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"{dataset.name} cannot be compared: {error}") from error


def _chosen(
    dataset: Dataset, versions: tuple[str, str], datasets: Datasets
) -> tuple[DataVersion, DataVersion]:
    chosen = [datasets.version(dataset, text) for text in versions if text]
    known = datasets.versions(dataset)
    others = [one for one in known if one not in chosen]
    if len(chosen) == 1 and others:
        latest = next((one for one in others if one.is_present), others[0])
        return chosen[0], latest
    if not chosen and len(known) > 1:
        return known[1], known[0]
    if len(chosen) < 2:
        count = "one version" if known else "no version"
        raise UsageError(f"{dataset.name} has {count}, so there is nothing to compare")
    return chosen[0], chosen[1]


class _Comparison:
    """Two tables, `before` and `after`, in one connection."""

    def __init__(
        self, connection: Connection, sources: Mapping[str, Source], personal: Sequence[str]
    ) -> None:
        self._connection = connection
        self._personal = personal
        self._columns = {name: self._view(name, source) for name, source in sources.items()}

    def _view(self, name: str, source: Source) -> dict[str, str]:
        raw = f"{name} raw"
        columns = self._connection.columns(raw)
        kinds = types_of_text(self._connection, raw, list(columns)) if source.is_text else {}
        typed = (
            f"TRY_CAST({sql.name(one)} AS {kinds[one]}) AS {sql.name(one)}" if one in kinds else sql.name(one)
            for one in columns
        )
        self._connection.do(f"CREATE VIEW {name} AS SELECT {', '.join(typed)} FROM {sql.name(raw)}")  # noqa: S608 - quoted
        return {**columns, **kinds}

    def diff(
        self, before: DataVersion, after: DataVersion, key: tuple[str, ...], *, is_asked: bool
    ) -> DataDiff:
        """The difference."""
        both = [name for name in self._columns["before"] if name in self._columns["after"]]
        if unknown := next((name for name in key if name not in both), ""):
            if is_asked:
                hint = did_you_mean(unknown, both)
                raise UsageError(f"there is no column {unknown} in both versions", hint=hint)
            key = ()
        counts = [self._number(f"SELECT count(*) FROM {name}") for name in ("before", "after")]
        found = self._by_key(key, both) if key else self._by_rows(both)
        changes = schema_changes(self._columns["before"], self._columns["after"])
        return DataDiff(
            before=before, after=after, rows=(counts[0], counts[1]), changes=tuple(changes), key=key, **found
        )

    def _by_key(self, key: tuple[str, ...], both: Sequence[str]) -> dict[str, Any]:
        listed = sql.names(key)
        for name in ("before", "after"):
            twice = self._number(f"SELECT count(*) - count(DISTINCT ({listed})) FROM {name}")
            if twice:
                hint = "name columns that tell rows apart: --key NAME"
                raise UsageError(
                    f"{twice:,} rows repeat the key ({', '.join(key)}) of another one", hint=hint
                )
        same = " AND ".join(f"a.{sql.name(one)} IS NOT DISTINCT FROM b.{sql.name(one)}" for one in key)
        values = [one for one in both if one not in key]
        differs = [f"(a.{sql.name(one)} IS DISTINCT FROM b.{sql.name(one)})" for one in values]
        joined = f"before b JOIN after a ON {same} WHERE {' OR '.join(differs) or 'false'}"
        counts = ["count(*)", *(f"count(*) FILTER (WHERE {one})" for one in differs)]
        changed, *columns = self._connection.rows(f"SELECT {', '.join(counts)} FROM {joined}")[0]
        alone = {
            "added": f"after a WHERE NOT EXISTS (SELECT 1 FROM before b WHERE {same})",
            "removed": f"before a WHERE NOT EXISTS (SELECT 1 FROM after b WHERE {same})",
        }
        pairs = [
            *(f"a.{sql.name(one)}" for one in key),
            *(
                f"CASE WHEN {test} THEN coalesce(b.{sql.name(one)}::VARCHAR, 'null') || ' → ' ||"
                f" coalesce(a.{sql.name(one)}::VARCHAR, 'null') END AS {sql.name(one)}"
                for one, test in zip(values, differs, strict=True)
            ),
        ]
        return {
            **{what: self._number(f"SELECT count(*) FROM {text}") for what, text in alone.items()},
            "changed": changed,
            "columns": {name: count for name, count in zip(values, columns, strict=True) if count},
            "samples": {
                **{what: self._sample(f"SELECT a.* FROM {text}") for what, text in alone.items()},
                "changed": self._sample(f"SELECT {', '.join(pairs)} FROM {joined}"),
            },
        }

    def _by_rows(self, both: Sequence[str]) -> dict[str, Any]:
        listed = sql.names(both)
        texts = {
            "added": f"SELECT {listed} FROM after EXCEPT ALL SELECT {listed} FROM before",
            "removed": f"SELECT {listed} FROM before EXCEPT ALL SELECT {listed} FROM after",
        }
        return {
            **{what: self._number(f"SELECT count(*) FROM ({text})") for what, text in texts.items()},
            "samples": {what: self._sample(f"SELECT * FROM ({text})") for what, text in texts.items()},
        }

    def _number(self, text: str) -> int:
        return int(self._connection.rows(text)[0][0])

    def _sample(self, text: str) -> list[dict[str, Any]]:
        found = self._connection.named_rows(f"{text} LIMIT {SHOWN}")
        return [
            {
                name: MASK if name in self._personal and value is not None else value
                for name, value in row.items()
            }
            for row in found
        ]


def sample_rows(
    datasets: Datasets, dataset: Dataset, version: DataVersion | None, limit: int
) -> Iterator[Mapping[str, Any]]:
    """The first rows of a version; personal values are masked. Raises `UsageError`."""
    personal = dataset.contract.personal if dataset.contract is not None else ()
    try:
        with datasets.opened(dataset, version) as source, datasets.connected({"t": source}) as connection:
            found = connection.named_rows(f"SELECT * FROM t LIMIT {limit}")  # noqa: S608 - a number
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"{dataset.name} cannot be read: {error}") from error
    for row in found:
        yield {name: MASK if name in personal and value is not None else value for name, value in row.items()}

"""What changed from one version of a dataset to another: its columns, and how many rows there are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.runs.datasets import DatasetName, Version, connected, opened, versions_of
from stagebook.runs.history import History
from stagebook.system.store import Store
from stagebook.tables.duck import QueryFailed
from stagebook.tables.schema_changes import SchemaChange, schema_changes
from stagebook.tables.source import NoTable
from stagebook.tables.text_types import as_typed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The difference of two versions of a dataset."""

    before: Version
    after: Version
    rows: tuple[int, int]
    changes: tuple[SchemaChange, ...]

    @property
    def is_breaking(self) -> bool:
        """Whether any change is."""
        return any(change.is_breaking for change in self.changes)


def drift_of(name: DatasetName, runs: tuple[str, str], history: History, store: Store, root: Path) -> Drift:
    """Compare the versions that two runs made, each by the beginning of its id; empty: the last two.

    Raises:
        UsageError: there are no such versions, or one is no table.
    """
    versions = versions_of(name, history)
    before, after = _chosen(name, versions, runs)
    old, new = (_shape(version, store, root) for version in (before, after))
    changes = schema_changes(old[1], new[1])
    return Drift(before=before, after=after, rows=(old[0], new[0]), changes=tuple(changes))


def _chosen(name: DatasetName, versions: list[Version], runs: tuple[str, str]) -> tuple[Version, Version]:
    """Two versions of one and the same instance, the earlier one first."""
    found = [next((one for one in versions if one.run.startswith(run)), None) for run in runs if run]
    if None in found:
        known = ", ".join(dict.fromkeys(one.run for one in versions)) or "none"
        raise UsageError(f"no version of {name} is of that run", hint=f"runs that made one: {known[:300]}")
    chosen = [one for one in found if one is not None]
    if len(chosen) < 2:
        stage = chosen[0].stage if chosen else versions[0].stage if versions else ""
        own = [one for one in versions if one.stage == stage]
        others = [one for one in own if one not in chosen]
        chosen = [*others[: 2 - len(chosen)][::-1], *chosen]
    if len(chosen) < 2:
        raise UsageError(
            f"there is only one version of {name}" if chosen else f"there is no version of {name} yet"
        )
    return chosen[0], chosen[1]


def _shape(version: Version, store: Store, root: Path) -> tuple[int, dict[str, str]]:
    try:
        with (
            opened(version, store, root) as source,
            connected({"raw": source}, root) as connection,
        ):
            _, columns = as_typed(connection, "raw", is_text=source.is_text)
            return int(connection.rows("SELECT count(*) FROM raw")[0][0]), columns
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"the version of {version.run} cannot be read: {error}") from error

"""Two writers of a Delta table: a commit that another one overtook, put after what that made, where both together are what
one after the other would be.

deltalake checks the same for commits of its own, by the actions of each version in between
(https://github.com/delta-io/delta-rs, `conflict_checker.rs`). It takes an overwrite of partitions that is put together as
files for rows that are added, and any files for those of a merge; here it is known what the commit is to do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stagebook.pipeline.model import DeltaOptions
from stagebook.system import delta_log
from stagebook.tables import delta, lake
from stagebook.tables.delta import DataFile, DeltaFailed, State
from stagebook.tables.lake import LakeRefused, Prepared

_AGAIN = "nothing of this attempt is published: run the stage again, which builds on that"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What a commit that was put together does: the files that it adds and removes, by name, what it says of the first, and
    the columns that the table gets, if it gets others."""

    version: int
    added: Mapping[str, DataFile]
    removed: Mapping[str, DataFile]
    stats: Mapping[str, str]
    columns: Mapping[str, Any] | None
    operation: str

    @classmethod
    def read(cls, path: Path) -> _Commit:
        """Read it. Raises `LogDamaged`."""
        version = int(path.stem)
        found = delta_log.actions(path.parent.parent, version)
        added = _files(one["add"] for one in found if "add" in one)
        return cls(
            version=version,
            added={file.name: file for file, _ in added},
            removed={
                file.name: file for file, _ in _files(one["remove"] for one in found if "remove" in one)
            },
            stats={file.name: stats for file, stats in added},
            columns=next((one["metaData"] for one in found if "metaData" in one), None),
            operation=delta_log.info(path.parent.parent, version)["operation"],
        )


def _files(actions: Iterable[Mapping[str, Any]]) -> list[tuple[DataFile, str]]:
    """The files of actions, as `Prepared` wrote them, with what is said of each."""
    found = []
    for one in actions:
        stats = one.get("stats", "")
        rows = json.loads(stats).get("numRecords") if stats else None
        file = DataFile(path=one["path"], size=one["size"], rows=rows, partition=one["partitionValues"])
        found.append((file, stats))
    return found


def overtaken(commit: Path, table: Path, shown: str, options: DeltaOptions, folder: Path) -> Prepared:
    """What becomes of a table by a commit that was put together before other writers made versions of it; `folder` is for
    what is put together, and the new data files are in their places.

    Raises:
        LakeRefused: it does not hold after those versions, or they cannot be read.
    """
    try:
        ours = _Commit.read(commit)
        latest = lake.state_of(table, shown)
        before = delta.state(table, ours.version - 1) if ours.version else None
    except (delta_log.LogDamaged, DeltaFailed) as error:
        raise LakeRefused(f"{_who(table, int(commit.stem))} meanwhile, and {error}; {_AGAIN}") from error
    if latest is None or (why := _conflict(ours, before, latest, options)):
        raise LakeRefused(f"{_who(table, ours.version)} meanwhile, and {why}; {_AGAIN}")
    files = {name: file for name, file in latest.files.items() if name not in ours.removed}
    after = dataclasses.replace(latest, files=files | dict(ours.added))
    if ours.columns is not None:
        after = dataclasses.replace(after, schema=ours.columns["schemaString"])
    return Prepared(
        table=table,
        folder=folder,
        before=latest,
        after=after,
        places={},
        stats=ours.stats,
        operation=ours.operation,
    )


def _who(table: Path, first: int) -> str:
    """Who made the versions from one on, in words."""
    last = max([first, *delta_log.versions(table)[:1]])
    many = f"{first} to {last}" if last > first else f"{first}"
    return f"{delta_log.writer(table, last)} made version {many} of the table"


def _conflict(ours: _Commit, before: State | None, latest: State, options: DeltaOptions) -> str:
    """Why a commit does not go together with what was done meanwhile; empty where it does."""
    if before is None:
        return "this attempt was to make the first one"
    for what in ("schema", "partition_by", "configuration", "protocol"):
        if getattr(before, what) != getattr(latest, what):
            return "its columns or properties were changed"
    if gone := set(ours.removed) - set(latest.files):
        return f"{min(gone)} is no more, which this attempt puts others in the place of"
    theirs = [
        *(file for name, file in latest.files.items() if name not in before.files),
        *(file for name, file in before.files.items() if name not in latest.files),
    ]
    if options.mode == "append" or not theirs:
        return ""
    if not options.partition_by:
        return f"all of its rows are what this attempt {_DOES[options.mode]}"
    if options.mode == "merge" and not set(options.partition_by) <= set(options.key):
        return "the same key may be in any partition, since the key does not name these"
    own = [file.partition for file in (*ours.added.values(), *ours.removed.values())]
    both = next((file.partition for file in theirs if file.partition in own), None)
    if both is not None:
        shown = ", ".join(f"{name}={value}" for name, value in both.items())
        return f"the partition {shown} was changed, which this attempt {_DOES[options.mode]}, too"
    return ""


_DOES = {"overwrite": "overwrites", "merge": "merges into"}

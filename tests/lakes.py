"""Delta tables for tests: written to as a worker and a runner do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stagebook.artifact import Artifact
from stagebook.execution.runner import commits
from stagebook.execution.worker.delta_tables import sealed
from stagebook.pipeline.model import DeltaMode, DeltaOptions
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.tables import delta
from stagebook.tables.lake import READY, Prepared
from stagebook.tables.lake_changes import Change, prepare
from stagebook.tables.source import source_of

Rows = Sequence[tuple[int, int, str]]
ABC: Rows = [(1, 1, "a"), (2, 1, "b"), (3, 2, "c")]


class Lake:
    """Tables in a folder, with a store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        self.count = 0

    def made_ready(
        self,
        rows: Rows | pa.Table,
        mode: DeltaMode = "overwrite",
        *,
        parts: tuple[str, ...] = (),
        key: tuple[str, ...] = (),
        replaces: tuple[str, ...] = (),
    ) -> tuple[Artifact, Path]:
        """Make a change of the table ready, as the worker does; what it will be, and the folder."""
        self.count += 1
        folder = self.root / f"attempt {self.count}"
        folder.mkdir()
        table = rows if isinstance(rows, pa.Table) else frame(rows)
        pq.write_table(table, folder / "rows")
        options = DeltaOptions(mode=mode, partition_by=parts, key=key)
        change = Change(
            rows=source_of(folder / "rows"),
            table=self.table,
            shown="t",
            options=options,
            attempt=f"r/s/{self.count}",
            replaces=replaces,
        )
        return self.sealed(prepare(change, folder / "lake"), folder / "lake")

    def sealed(self, prepared: Prepared, folder: Path) -> tuple[Artifact, Path]:
        note = {"run": "r", "pipeline": "p", "stage": "s", "output": "t", "attempt": self.count}
        return sealed(prepared, "t", note, self.store.folder, None), folder / READY

    def publish(self, ready: Path) -> bool:
        """Publish it, as the runner does; whether there is a new version."""
        self.table.mkdir(exist_ok=True)
        commit = commits.place_files(ready, self.table)
        if commit is not None:
            commits.publish(commit, self.table)
        return commit is not None

    def write(self, rows: Rows | pa.Table, mode: DeltaMode = "overwrite", **options: Any) -> bool:
        """Both; whether there is a new version."""
        content, ready = self.made_ready(rows, mode, **options)
        is_new = self.publish(ready)
        found = describe_path(self.table, "t")
        assert (found.content, found.version) == (content.content, content.version)
        return is_new

    @property
    def table(self) -> Path:
        return self.root / "t"

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """What the table holds, sorted."""
        found = delta.dataset(self.table).to_table(columns=["id", "m", "x"]).to_pylist()
        return sorted(tuple(row.values()) for row in found)


def frame(rows: Rows) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = {"id": pa.int64(), "m": pa.int64(), "x": pa.string()}
    return pa.table(
        {name: pa.array(column, kinds[name]) for name, column in zip(kinds, columns, strict=True)}
    )

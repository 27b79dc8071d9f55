"""Delta tables for tests: written to as a worker and a runner do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from stagebook.artifact import Artifact
from stagebook.execution.attempt import OutputSlot, TableSlot
from stagebook.execution.runner import commits, staging
from stagebook.execution.runner.rebase import Rebase
from stagebook.pipeline.model import DeltaMode, DeltaOptions
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.tables import delta
from stagebook.tables.lake import READY, Prepared, sealed
from stagebook.tables.lake_changes import Change, prepare
from stagebook.tables.source import source_of

Rows = Sequence[tuple[int, int, str]]
ABC: Rows = [(1, 1, "a"), (2, 1, "b"), (3, 2, "c")]

WRITTEN = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from("abc")),
    max_size=5,
    unique_by=lambda row: row[0],
)


def held_after(held: Sequence[Any], rows: Rows, mode: str, key: tuple[str, ...] = ("id",)) -> list[Any]:
    """What a table holds once these rows were written, sorted; the mode `partitions` overwrites those by `m`."""
    match mode:
        case "append":
            kept = held
        case "merge":
            size = len(key)  # the key is (id,) or (id, m)
            kept = [row for row in held if row[:size] not in {one[:size] for one in rows}]
        case "partitions":
            kept = [row for row in held if row[1] not in {one[1] for one in rows}]
        case _:
            kept = []
    return sorted([*kept, *rows])


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
        return sealed(prepared, "t", note, self.store), folder / READY

    def publish(self, ready: Path) -> bool:
        """Publish it, as the runner does; whether there is a new version."""
        self.table.mkdir(exist_ok=True)
        commit = commits.place_files(ready, self.table)
        if commit is not None:
            commits.publish(commit, self.table)
        return commit is not None

    def publish_after(
        self,
        content: Artifact,
        ready: Path,
        mode: DeltaMode = "overwrite",
        *,
        parts: tuple[str, ...] = (),
        key: tuple[str, ...] = (),
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Artifact:
        """Publish it after what others published since it was made ready, as the runner does; what the table is then.
        `meanwhile` is done once the data files are in their places. Raises `StageFailure`."""
        options = DeltaOptions(mode=mode, partition_by=parts, key=key)
        table = TableSlot(options=options, ready=ready.parent.relative_to(self.root).as_posix())
        slots = {"it": OutputSlot(path="t", staged="t", table=table)}
        after = Rebase(self.root, slots, {"it": content}, self.store)
        near = staging.bring_near(self.root, slots, after)
        meanwhile()
        staging.publish(self.root, slots, near, after)
        return after.outputs["it"]

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

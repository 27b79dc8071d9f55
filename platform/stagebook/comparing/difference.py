"""What differs between two sides, as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from stagebook.tables.row_changes import RowChanges
from stagebook.tables.schema_changes import SchemaChange

What = Literal["same", "changed", "added", "removed", "pending"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValueDifference:
    """A parameter, a metric or a figure of a column: `None` where it is not there."""

    name: str
    before: Any = None
    after: Any = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """A code cell of two executed notebooks.

    Args:
        number: its place among the code cells, from 1: after, or before where it is gone.
        what: `added`, `removed`, or `changed`.
        source: the lines of its source that differ, with `+` and `-`.
        outputs: the lines of its text outputs that differ, with `+` and `-`.
        images: for each image that differs the share of its pixels that do, from 0 to 1; 1 where sizes differ.
    """

    number: int
    what: What
    source: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    images: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookDifference:
    """Two executed notebooks. `volatile`: how many texts differ by what differs in every run, and were taken for the
    same: times, durations, addresses in memory. `remark`: why they were not compared."""

    cells: tuple[CellDifference, ...] = ()
    volatile: int = 0
    remark: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageDifference:
    """A stage instance. `reasons`: why it came to something else, or has no result yet."""

    stage: str
    what: What
    reasons: tuple[str, ...] = ()
    notebook: NotebookDifference | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDifference:
    """An output.

    Args:
        name: `stage.output`.
        path: relative to the project.
        sizes: bytes before and after; `None` where nobody measured them.
        counts: of a table, how many rows there were, and are.
        columns: of a table, what became of its columns.
        rows: of a table, what became of its rows.
        figures: of a table, the figures of its columns that differ, as `COLUMN: figure`.
        lines: of a text, the lines that differ, with `+` and `-`.
        pixels: of an image, the share of its pixels that differ, from 0 to 1.
        remark: what could not be compared, and why.
    """

    name: str
    path: str
    what: What
    sizes: tuple[int | None, int | None] = (None, None)
    counts: tuple[int, int] | None = None
    columns: tuple[SchemaChange, ...] = ()
    rows: RowChanges | None = None
    figures: tuple[ValueDifference, ...] = ()
    lines: tuple[str, ...] = ()
    pixels: float | None = None
    remark: str = ""

    @property
    def is_breaking(self) -> bool:
        """Whether who reads it by its columns may fail."""
        return any(change.is_breaking for change in self.columns)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDifference:
    """A pipeline; `what` is `added` or `removed` where one side has none of that name."""

    pipeline: str
    what: What = "changed"
    params: tuple[ValueDifference, ...] = ()
    stages: tuple[StageDifference, ...] = ()
    metrics: tuple[ValueDifference, ...] = ()
    datasets: tuple[DatasetDifference, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs that a reader would see: parameters, results, outputs."""
        return not (
            self.params
            or self.metrics
            or any(stage.what != "same" for stage in self.stages)
            or any(dataset.what != "same" for dataset in self.datasets)
        )

    def datasets_that(self, what: What) -> list[DatasetDifference]:
        """Its datasets that became so."""
        return [one for one in self.datasets if one.what == what]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two sides; `before` and `after` say which, `releases` what code they were made by."""

    before: str
    after: str
    releases: tuple[str, str] = ("", "")
    pipelines: tuple[PipelineDifference, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return all(one.is_same for one in self.pipelines)

    @property
    def is_breaking(self) -> bool:
        """Whether who reads the datasets by their columns may fail."""
        return any(dataset.is_breaking for one in self.pipelines for dataset in one.datasets)

    def to_json(self) -> Mapping[str, Any]:
        """The difference as plain data."""
        return {"same": self.is_same, "breaking": self.is_breaking, **dataclasses.asdict(self)}

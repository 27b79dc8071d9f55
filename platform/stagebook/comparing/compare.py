"""Comparing two sides: parameters, stages with reasons, metrics, datasets, executed notebooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stagebook.comparing.contents import Contents
from stagebook.comparing.difference import (
    DatasetDifference,
    Difference,
    NotebookDifference,
    PipelineDifference,
    StageDifference,
    ValueDifference,
    What,
)
from stagebook.comparing.notebooks import compare_notebooks, images_that_differ
from stagebook.comparing.side import Side, SideDataset, SidePipeline, SideStage
from stagebook.journal.history import figures
from stagebook.planning.fingerprint import changes
from stagebook.system.store import Store

_REASONS = 8  # of one stage
_SKIPPED = "skipped"  # a stage that a run left out

Pair = tuple[bytes | None, bytes | None]
"""An image before and after; `None` where it is not there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is compared beside fingerprints and hashes: the contents of datasets, and executed notebooks. `keys`: columns that
    tell the rows of a dataset apart, by its name `pipeline.stage.output`, in place of those that are known."""

    contents: bool = True
    notebooks: bool = True
    keys: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class Comparer:
    """Compares sides of the project at `root`."""

    def __init__(self, root: Path, store: Store, options: Options | None = None) -> None:
        self._options = options or Options()
        self._contents = Contents(root, store)

    def compare(self, before: Side, after: Side) -> Difference:
        """What differs. A dataset or notebook that cannot be read has a remark that says why."""
        names = [*after.pipelines, *(name for name in before.pipelines if name not in after.pipelines)]
        found = [
            self._pipeline(name, before.pipelines.get(name), after.pipelines.get(name)) for name in names
        ]
        return Difference(
            before=before.label,
            after=after.label,
            releases=(before.release, after.release),
            pipelines=tuple(found),
        )

    def images(self, found: Difference, before: Side, after: Side) -> dict[str, list[Pair]]:
        """The images that differ, before and after, by the names of datasets and stages, `pipeline.…`."""
        shown: dict[str, list[Pair]] = {}
        for one in found.pipelines:
            if one.what != "changed":
                continue
            old, new = before.pipelines[one.pipeline], after.pipelines[one.pipeline]
            for dataset in one.datasets:
                if dataset.pixels:
                    pair = [self._contents.image(side.datasets[dataset.name]) for side in (old, new)]
                    shown[f"{one.pipeline}.{dataset.name}"] = [(pair[0], pair[1])]
            for stage in one.stages:
                if stage.notebook is not None and any(cell.images for cell in stage.notebook.cells):
                    two = [side.stages[stage.stage].notebook for side in (old, new)]
                    if two[0] is not None and two[1] is not None:
                        shown[f"{one.pipeline}.{stage.stage}"] = images_that_differ(two[0], two[1])
        return shown

    def _pipeline(
        self, name: str, before: SidePipeline | None, after: SidePipeline | None
    ) -> PipelineDifference:
        what: What = "added" if before is None else "removed" if after is None else "changed"
        old, new = _without_skipped(before or SidePipeline(), after or SidePipeline())
        stages = _both(old.stages, new.stages, self._stage)
        pending = {one.stage for one in stages if one.what == "pending"}
        skipped = {
            name for side in (old, new) for name, stage in side.stages.items() if stage.status == _SKIPPED
        }
        datasets = _both(old.datasets, new.datasets, lambda *given: self._dataset(name, *given))
        return PipelineDifference(
            pipeline=name,
            what=what,
            params=_values(old.params, new.params) if what == "changed" else (),
            stages=stages,
            metrics=_values(_metrics(old, pending), _metrics(new, pending)),
            # Of a stage that has no result, or was left out, nobody can say what becomes of its outputs.
            datasets=tuple(one for one in datasets if one.name.rpartition(".")[0] not in pending | skipped),
        )

    def _stage(self, stage: str, before: SideStage | None, after: SideStage | None) -> StageDifference:
        if before is None or after is None:
            return StageDifference(stage=stage, what="added" if before is None else "removed")
        if after.pending or before.pending:
            return StageDifference(stage=stage, what="pending", reasons=_pending(before, after))
        if after.status or before.status:
            words = [
                f"{when}: {one.status}" for when, one in (("before", before), ("now", after)) if one.status
            ]
            return StageDifference(stage=stage, what="changed", reasons=tuple(words))
        if before.fingerprint and before.fingerprint == after.fingerprint:
            return StageDifference(stage=stage, what="same")
        reasons = _reasons(before, after) or ("nobody knows why: one of them has no fingerprint",)
        notebook = self._notebook(before.notebook, after.notebook) if self._options.notebooks else None
        return StageDifference(stage=stage, what="changed", reasons=reasons, notebook=notebook)

    def _notebook(self, before: Path | None, after: Path | None) -> NotebookDifference:
        if before is None or after is None:
            which = "both were" if before is after else "one was"
            return NotebookDifference(remark=f"executed notebooks: {which} not kept")
        return compare_notebooks(before, after)

    def _dataset(
        self, pipeline: str, name: str, before: SideDataset | None, after: SideDataset | None
    ) -> DatasetDifference:
        one = after or before
        assert one is not None
        sizes = tuple(side.artifact.size if side is not None else None for side in (before, after))
        found = DatasetDifference(name=name, path=one.artifact.path, what="same", sizes=(sizes[0], sizes[1]))
        if before is None or after is None:
            return dataclasses.replace(found, what="added" if before is None else "removed")
        if one.artifact.external:
            return dataclasses.replace(found, remark="it is outside of the project, and was not compared")
        if before.artifact.content == after.artifact.content:
            return found
        found = dataclasses.replace(found, what="changed")
        if not self._options.contents:
            return found
        key = self._options.keys.get(f"{pipeline}.{name}") or after.key or before.key
        return self._contents.compare(found, before, after, key)


def _both(
    before: Mapping[str, Any], after: Mapping[str, Any], compared: Callable[[str, Any, Any], Any]
) -> tuple[Any, ...]:
    names = [*after, *(name for name in before if name not in after)]
    return tuple(compared(name, before.get(name), after.get(name)) for name in names)


def _without_skipped(before: SidePipeline, after: SidePipeline) -> tuple[SidePipeline, SidePipeline]:
    """Both without the stages that were left out of both, or of the one that has them."""

    def is_told(name: str) -> bool:
        known = [side.stages[name] for side in (before, after) if name in side.stages]
        return any(one.status != _SKIPPED for one in known)

    kept = (
        dataclasses.replace(side, stages={name: one for name, one in side.stages.items() if is_told(name)})
        for side in (before, after)
    )
    first, second = kept
    return first, second


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ValueDifference, ...]:
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        ValueDifference(name=name, before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _metrics(side: SidePipeline, pending: set[str]) -> dict[str, Any]:
    return {
        f"{stage}.{name}": value
        for stage, one in side.stages.items()
        if stage not in pending
        for name, value in figures(one.scraps).items()
    }


def _pending(before: SideStage, after: SideStage) -> tuple[str, ...]:
    """Why there is no result yet: what differs between the two, if that is known, rather than what changed since some run."""
    word, _, own = (after.pending or before.pending).partition(": ")
    first, *rest = _reasons(before, after) or (own,)
    return (f"{word}{': ' if first else ''}{first}", *rest)


def _reasons(before: SideStage, after: SideStage) -> tuple[str, ...]:
    if not before.parts or not after.parts:
        return ()
    texts = [change.text for change in changes(before.parts, after.parts)]
    more = (f"and {len(texts) - _REASONS} more changes",) if len(texts) > _REASONS else ()
    return (*texts[:_REASONS], *more)

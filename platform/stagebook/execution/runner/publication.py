"""Outputs of attempts and of earlier results, into their places; and what makes them recognised later."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifacts
from stagebook.errors import StagebookError, StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import TABLES_FOLDER, Attempt, AttemptResult, OutputSlot, TableSlot
from stagebook.execution.runner import commits, staging
from stagebook.execution.runner.asides import Asides
from stagebook.execution.runner.context import RunContext
from stagebook.execution.runner.rebase import Rebase
from stagebook.observed import Observed
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import News, PlannedStage
from stagebook.planning.result import Result
from stagebook.system.delta_log import is_table
from stagebook.system.file_cache import stat_of
from stagebook.tables.lake import READY, LakeRefused, back_to
from stagebook.workspace.paths import PathRefused


class Publisher:
    """Publishes the outputs of one run. `published`: path → its stat then, and its SHA-256."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._asides = Asides(context.root)
        self._begun: dict[str, Attempt] = {}  # those whose former outputs are moved aside, by their markers
        self.published: dict[str, tuple[object, str]] = {}

    def begin(self, attempt: Attempt) -> StageFailure | None:
        """Move aside what an attempt is about to write anew in its place; why it cannot start, if so."""
        if not any(slot.is_in_place for slot in attempt.outputs.values()):
            return None
        try:
            with self._context.guard():
                self._asides.take(attempt)
        except (OSError, PathRefused) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or error
            return StageFailure(
                f"what is in the place of an output cannot be moved: {reason}", cause=Cause.DISK
            )
        self._begun[attempt.marker] = attempt
        return None

    def put_back(self, attempt: Attempt) -> None:
        """Put back what was there before a failed attempt; called while the pipeline is held."""
        if self._begun.pop(attempt.marker, None):
            self._asides.put_back(attempt)

    def drop(self, attempt: Attempt) -> None:
        """Remove what a completed attempt took the place of, once its end is in the journal."""
        if self._begun.pop(attempt.marker, None):
            self._asides.drop(attempt)

    def close(self) -> None:
        """Put back what is aside when the run breaks off, unless another one has the pipeline by now."""
        if self._begun:
            with contextlib.suppress(StagebookError), self._context.guard():
                for attempt in list(self._begun.values()):
                    self.put_back(attempt)

    def bring_near(
        self, slots: Mapping[str, OutputSlot], result: AttemptResult
    ) -> tuple[Mapping[str, Path], AttemptResult]:
        """The outputs of a completed attempt, as `staging.bring_near`; and its result, failed if that did."""
        if result.cause is None:
            after = self._rebase(slots, result)
            try:
                near = staging.bring_near(self._context.root, slots, after)
                return near, dataclasses.replace(result, outputs=after.outputs)
            except StageFailure as error:
                result = _failed(result, error)
        return {}, result

    def publish(
        self, slots: Mapping[str, OutputSlot], near: Mapping[str, Path], result: AttemptResult
    ) -> AttemptResult:
        """Move the outputs of a completed attempt to their places; its result, failed if that did."""
        if result.cause is None:
            after = self._rebase(slots, result)
            try:
                self._publish(slots, near, result.outputs, after)
                return dataclasses.replace(result, outputs=after.outputs)
            except StageFailure as error:
                return _failed(result, error)
        return result

    def _rebase(self, slots: Mapping[str, OutputSlot], result: AttemptResult) -> Rebase:
        return Rebase(self._context.root, slots, result.outputs, self._context.store)

    @contextlib.contextmanager
    def restored(self, stage: PlannedStage, result: Result | None, paths: Collection[str]) -> Iterator[None]:
        """Put outputs of an earlier result back to their `paths`. While this is held, no other run takes the
        pipeline over.

        Raises:
            BlobDamaged: one is not in the store any more.
            StageFailure: one cannot be written.
        """
        context = self._context
        with (
            _fetched(context, stage, result, paths) as (slots, near),
            context.guard() if slots else contextlib.nullcontext(),
        ):
            self._publish(slots, near, result.outputs if result is not None else {})
            yield

    def brings(self, stage: PlannedStage, result: Result) -> bool:
        """Whether the outputs of an earlier result are in the store now, where the worker looks for them."""
        store, whole = self._context.store, result.whole
        names = [name for name, output in stage.outputs.items() if output.kind != "external"]
        return store is None or all(store.bring(whole[name]) for name in names if name in whole)

    def _publish(
        self,
        slots: Mapping[str, OutputSlot],
        near: Mapping[str, Path],
        outputs: Artifacts,
        after: Rebase | None = None,
    ) -> None:
        staging.publish(self._context.root, slots, near, after)
        for name, slot in slots.items():
            path = self._context.root / slot.path
            if slot.kind != "external" and not path.is_dir():
                with contextlib.suppress(OSError, KeyError):
                    self.published[slot.path] = (stat_of(path), outputs[name].sha256)

    def reusable(
        self, stage: PlannedStage, fingerprint: Fingerprint, observed: Observed | None = None
    ) -> dict[str, Any]:
        """The fields of `AttemptEnded` by which a later run can reuse a result."""
        sources, store = "", self._context.store
        if store is not None:
            with contextlib.suppress(NotebookUnreadable, OSError):  # they only serve to show what changed
                texts = self._context.sources(stage)
                sources = store.blobs.keep_bytes(json.dumps(texts).encode()) or "" if texts else ""
        return {
            "fingerprint": fingerprint.digest,
            "head": fingerprint.head,
            "parts": fingerprint.parts,
            "sources": sources,
            "undeclared": self._context.undeclared(stage, observed),
        }


def with_marks(result: AttemptResult, news: News | None) -> AttemptResult:
    """The result of an attempt, with the marks to which the bookmark of its stage moves once it is published. A file that
    changed while it was read has the mark from before, so that it is read again."""
    if news is None or result.cause is not None:
        return result if result.bookmark is None else dataclasses.replace(result, bookmark=None)
    marks = news.items if news.input else (result.bookmark or {}).get("marks", {})
    return dataclasses.replace(result, bookmark={"marks": dict(marks), "anew": news.anew})


@contextlib.contextmanager
def _fetched(
    context: RunContext, stage: PlannedStage, result: Result | None, paths: Collection[str]
) -> Iterator[tuple[dict[str, OutputSlot], dict[str, Path]]]:
    """Fetch outputs of a result to files beside their places, as `staging.publish` takes them. Those that are
    not published are removed at the end."""
    slots: dict[str, OutputSlot] = {}
    near: dict[str, Path] = {}
    parts: list[Path] = []
    try:
        if context.store is not None and result is not None:
            for name, output in stage.outputs.items():
                if output.path in paths:
                    final = context.root / output.path
                    fetched = final.with_name(f".{final.name}.{os.getpid()}.incoming")
                    parts.append(fetched)
                    staging.remove(fetched)
                    context.store.fetch(result.outputs[name], fetched)
                    slots[name] = OutputSlot(path=output.path, staged=output.path)
                    if output.delta is None or not is_table(final):
                        near[name] = fetched
                        continue
                    folder = context.folder / stage.id / TABLES_FOLDER / name
                    parts.append(folder)
                    table = TableSlot(options=output.delta, ready=context.shown(folder))
                    slots[name] = dataclasses.replace(slots[name], table=table)
                    prepared = back_to(fetched, final, folder, output.path)
                    who = {"pipeline": result.pipeline, "stage": stage.id, "output": name}
                    prepared.seal(result.outputs[name], {"run": context.folder.name, **who})
                    if (commit := commits.place_files(folder / READY, final)) is not None:
                        near[name] = commit
        yield slots, near
    except LakeRefused as error:
        raise StageFailure(f"an output could not be restored: {error}", cause=Cause.PUBLICATION) from error
    except OSError as error:
        msg = f"an output could not be restored: {error.strerror or error}"
        raise StageFailure(msg, cause=Cause.PUBLICATION) from error
    finally:
        for path in parts:
            staging.remove(path)


def _failed(result: AttemptResult, error: StageFailure) -> AttemptResult:
    return dataclasses.replace(result, cause=Cause(error.cause), message=error.message, outputs={})

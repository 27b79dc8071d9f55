"""Outputs of earlier results, fetched from the store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import OutputSlot
from stagebook.execution.runner import staging
from stagebook.planning.plan import PlannedStage
from stagebook.planning.result import Result
from stagebook.system.store import Store


@contextlib.contextmanager
def fetched(
    root: Path, store: Store | None, stage: PlannedStage, result: Result | None, paths: Collection[str]
) -> Iterator[tuple[dict[str, OutputSlot], dict[str, Path]]]:
    """Fetch outputs of a result to files beside their places, as `staging.publish` takes them. Those that are
    not published are removed at the end.

    Raises:
        BlobDamaged: one is not in the store any more.
        StageFailure: one cannot be written.
    """
    slots: dict[str, OutputSlot] = {}
    near: dict[str, Path] = {}
    try:
        if store is not None and result is not None:
            for name, output in stage.outputs.items():
                if output.path in paths:
                    final = root / output.path
                    near[name] = final.with_name(f".{final.name}.{os.getpid()}.incoming")
                    staging.remove(near[name])
                    store.fetch(result.outputs[name], near[name])
                    slots[name] = OutputSlot(path=output.path, staged=output.path)
        yield slots, near
    except OSError as error:
        msg = f"an output could not be restored: {error.strerror or error}"
        raise StageFailure(msg, cause=Cause.PUBLICATION) from error
    finally:
        for path in near.values():
            if os.path.lexists(path):
                staging.remove(path)

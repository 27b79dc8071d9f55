"""Outputs of earlier results, out of the store and into their places."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import OutputSlot
from stagebook.planning.plan import PlannedStage
from stagebook.planning.results import Result
from stagebook.system.blobs import Blobs


def fetch(
    root: Path, blobs: Blobs, stage: PlannedStage, result: Result, paths: Collection[str], folder: Path
) -> dict[str, OutputSlot]:
    """Fetch outputs of a result into `folder`, checked, ready to be published.

    Raises:
        BlobDamaged: one is not in the store any more.
        StageFailure: one cannot be written.
    """
    slots = {}
    try:
        for name, output in stage.outputs.items():
            if output.path not in paths:
                continue
            staged = folder / name / output.path.rsplit("/", maxsplit=1)[-1]
            blobs.fetch(result.outputs[name], staged)
            slots[name] = OutputSlot(path=output.path, staged=staged.relative_to(root).as_posix())
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        msg = f"an output could not be restored: {error.strerror or error}"
        raise StageFailure(msg, cause=Cause.PUBLICATION) from error
    return slots


def clear(folder: Path) -> None:
    """Remove what `fetch` made, and the folder around it if nothing else is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()

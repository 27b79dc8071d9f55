"""Commits of an attempt that other writers of its Delta tables overtook, put after theirs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from stagebook.artifact import Artifact, Artifacts
from stagebook.execution.attempt import OutputSlot
from stagebook.execution.runner.commits import Overtaken
from stagebook.system import delta_log
from stagebook.system.store import Store
from stagebook.tables import lake_writers
from stagebook.tables.lake import READY, LakeRefused, sealed

_FOLDER = "after"


class Rebase:
    """Puts commits after those of others. `outputs`: those of the attempt, as they are to be by then.

    Args:
        root: the project.
        slots: where the outputs of the attempt go.
        outputs: as the worker described them.
        store: what keeps the contents of tables.
    """

    def __init__(
        self, root: Path, slots: Mapping[str, OutputSlot], outputs: Artifacts, store: Store | None
    ) -> None:
        self._root = root
        self._slots = slots
        self._store = store
        self.outputs: dict[str, Artifact] = dict(outputs)

    def __call__(self, name: str, commit: Path) -> Path:
        """The commit of an output, put after those that are there; it is in the same folder. Raises `Overtaken` where it
        does not hold after them, and `OSError`."""
        slot, ready = self._slots[name], commit.parent.parent
        assert slot.table is not None
        table, before, folder = self._root / slot.path, self.outputs[name], ready / _FOLDER
        try:
            prepared = lake_writers.overtaken(commit, table, slot.path, slot.table.options, folder)
            note = delta_log.note(ready, int(commit.stem))
            hashes = self._store.listed(before.sha256) if self._store is not None else None
            most = None if before.kept else 0
            self.outputs[name] = sealed(prepared, slot.path, note, self._store, most, hashes)
        except LakeRefused as error:
            raise Overtaken(str(error)) from error
        new = delta_log.commit_path(ready, prepared.version)
        os.replace(delta_log.commit_path(folder / READY, prepared.version), new)
        commit.unlink()
        shutil.rmtree(folder)
        return new

"""New versions of the Delta tables among the outputs of an attempt, made ready to be published."""

from __future__ import annotations

from pathlib import Path

from stagebook.artifact import Artifact, Artifacts
from stagebook.execution.attempt import Attempt, OutputSlot, TableSlot
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.tables.lake import LakeRefused, sealed
from stagebook.tables.lake_changes import Change, prepare
from stagebook.tables.source import NoTable, source_of


class TableFailed(Exception):
    """What a stage wrote cannot go into a table; the text says where, what and what to do."""


def keep_changes(attempt: Attempt) -> dict[str, Artifact]:
    """What the stage wrote for Delta tables, by output: it is kept, since the table tells of all stages that wrote to it.
    Raises `OSError`."""
    root = Path(attempt.root)
    store = Store(Path(attempt.store)) if attempt.store else None
    return {
        name: describe_path(root / slot.staged, slot.path)
        if store is None
        else store.keep(root / slot.staged, slot.path, most=attempt.store_most)
        for name, slot in attempt.outputs.items()
        if slot.table is not None
    }


def prepare_tables(attempt: Attempt, written: Artifacts) -> dict[str, Artifact]:
    """Make the new versions ready; the tables as they will be, by output.

    Raises:
        TableFailed: what the stage wrote does not fit one of them.
        OSError: the disk is full.
    """
    found = {}
    for name, slot in attempt.outputs.items():
        if slot.table is None:
            continue
        try:
            found[name] = _prepare(attempt, name, slot, slot.table, written[name])
        except (LakeRefused, NoTable) as error:
            raise TableFailed(f"{slot.table.place}: the output '{name}' ({slot.path}): {error}") from error
    return found


def _prepare(attempt: Attempt, name: str, slot: OutputSlot, table: TableSlot, change: Artifact) -> Artifact:
    root = Path(attempt.root)
    prepared = prepare(
        Change(
            rows=source_of(root / slot.staged),
            table=root / slot.path,
            shown=slot.path,
            options=table.options,
            attempt=attempt.marker,
            replaces=tuple(table.replaces),
        ),
        root / table.ready,
    )
    note = {
        "run": attempt.run,
        "pipeline": attempt.pipeline,
        "stage": attempt.stage,
        "output": name,
        "attempt": attempt.number,
        "wrote": change.content,
    }
    store = Store(Path(attempt.store)) if attempt.store else None
    return sealed(prepared, slot.path, note, store, attempt.store_most)

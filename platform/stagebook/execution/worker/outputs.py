"""The files of an attempt: folders to write outputs into, and what inputs and outputs hold at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.execution.attempt import Attempt, OutputSlot
from stagebook.system.files import describe_path
from stagebook.system.store import Store


def make_folders(root: Path, slots: Mapping[str, OutputSlot]) -> None:
    """Make the folders that a stage writes its outputs into. Raises `OSError`."""
    for slot in slots.values():
        if slot.kind == "file":
            (root / slot.staged).parent.mkdir(parents=True, exist_ok=True)


def missing(root: Path, slots: Mapping[str, OutputSlot]) -> list[str]:
    """The names of the declared outputs that were not written."""
    return [name for name, slot in slots.items() if slot.kind == "file" and not (root / slot.staged).exists()]


def describe_outputs(attempt: Attempt) -> dict[str, Artifact]:
    """The outputs as `AttemptResult.outputs` has them, kept in the store on the way. Raises `OSError`."""
    root = Path(attempt.root)
    store = Store(Path(attempt.store)) if attempt.store else None
    found: dict[str, Artifact] = {}
    for name, slot in attempt.outputs.items():
        if slot.kind != "file":
            found[name] = Artifact(path=slot.path, external=True)
        elif store is None:
            found[name] = describe_path(root / slot.staged, slot.path)
        else:
            found[name] = store.keep(root / slot.staged, slot.path, most=attempt.store_most)
    return found


def describe_inputs(attempt: Attempt) -> dict[str, list[Artifact]]:
    """The inputs as `AttemptResult.inputs` has them. Raises `OSError`."""
    root = Path(attempt.root)
    return {
        name: [_describe_input(root, path) for path in (value if isinstance(value, list) else [value])]
        for name, value in attempt.inputs.items()
    }


def _describe_input(root: Path, path: str) -> Artifact:
    if not (root / path).exists():
        return Artifact(path=path, external=True)
    return describe_path(root / path, path)

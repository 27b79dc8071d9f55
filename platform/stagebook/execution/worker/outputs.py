"""The files of an attempt: the paths that its notebook gets, folders to write outputs into, and what inputs and
outputs hold at its end."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from stagebook.artifact import Artifact, Artifacts
from stagebook.execution.attempt import FILES_FOLDER, LOG_FILE, NOTEBOOK_FILE, Attempt, Given, OutputSlot
from stagebook.execution.kernels.executor import CellEnd
from stagebook.pipeline.types import Value
from stagebook.pipeline.workdir import NOTEBOOK, PROJECT, folder_of, leads_out, seen_from, shown, written_from
from stagebook.system.files import describe_path
from stagebook.system.store import Store


def passed(attempt: Attempt) -> dict[str, Value]:
    """The attempt's values as its notebook gets them: paths of files are absolute, so that they are good whatever
    folder the notebook goes to. Texts of `external` outputs stay as they are."""
    root = Path(attempt.root)
    inputs = {
        name: [_absolute(root, path) for path in value] if isinstance(value, list) else _absolute(root, value)
        for name, value in attempt.inputs.items()
    }
    outputs: dict[str, Value] = {
        name: slot.staged if slot.kind == "external" else str(root / slot.staged)
        for name, slot in attempt.outputs.items()
    }
    return attempt.values_of(inputs, outputs)


def _absolute(root: Path, path: Value) -> Value:
    return str(root / path) if isinstance(path, str) and (root / path).exists() else path


def misplaced(end: CellEnd, attempt: Attempt) -> str:
    """What to add to the message of a file that was not found: its path, where it is there as seen from the folder
    of the notebook, or from the project; else nothing."""
    found = re.search(r"'([^'\n]{1,1000})'", end.value) if end.name == "FileNotFoundError" else None
    if found is None or os.path.isabs(found[1]):
        return ""
    here = seen_from(attempt.workdir, found[1])
    for workdir in (NOTEBOOK, PROJECT):
        other = seen_from(folder_of(workdir, attempt.notebook), found[1])
        if other != here and not leads_out(other) and os.path.exists(os.path.join(attempt.root, other)):
            way = written_from(attempt.workdir, other)
            where = shown(attempt.workdir)
            return f"; cells run in {where}, from where it is '{way}': write that, or give the stage 'workdir: {workdir}'"
    return ""


def make_folders(root: Path, slots: Mapping[str, OutputSlot]) -> None:
    """Make the folders that a stage writes its outputs into. Raises `OSError`."""
    for slot in slots.values():
        if slot.kind != "external":
            (root / slot.staged).parent.mkdir(parents=True, exist_ok=True)
        if slot.is_in_place and slot.is_folder:
            (root / slot.staged).mkdir(exist_ok=True)


def replace_links(root: Path, slots: Mapping[str, OutputSlot]) -> str:
    """Put what they lead to in the place of the symlinks among the outputs; why an output cannot be taken, empty if
    all can.

    An output is moved, kept and restored: a link would lead elsewhere afterwards, or into a folder that is removed.
    What is outside of the project is nobody's output, and what is no file has no end.
    """
    real_root = os.path.realpath(root)
    for name, slot in slots.items():
        if slot.kind != "external":
            staged = root / slot.staged
            for path in _parts(staged):
                reason = _replace(path, real_root)
                if reason:
                    within = f"'{path.relative_to(staged).as_posix()}' in " if path != staged else ""
                    return f"{within}the output '{name}' ({slot.path}) {reason}"
    return ""


def _parts(staged: Path) -> Iterator[Path]:
    """An output and all that is in it, from the outside; what a folder is replaced by meanwhile counts."""
    yield staged
    for folder, folders, files in os.walk(staged):
        yield from (Path(folder, name) for name in (*folders, *files))


def _replace(path: Path, real_root: str) -> str:
    """Replace one path that is a symlink; why it cannot be an output."""
    if not os.path.lexists(path):
        return ""
    if not path.is_symlink():
        return "" if path.is_file() or path.is_dir() else "is neither a file nor a folder: write a file"
    target = os.path.realpath(path)
    if not os.path.exists(target):
        return f"is a symlink to {os.readlink(path)}, which is not there: write a file"
    if os.path.commonpath([real_root, target]) != real_root:
        return f"is a symlink to {target}, outside of the project: copy it"
    if os.path.isdir(target) and os.path.commonpath([target, os.path.realpath(path.parent)]) == target:
        return f"is a symlink to {target}, which it is in: remove it"
    if not os.path.isfile(target) and not os.path.isdir(target):
        return f"is a symlink to {target}, which is neither a file nor a folder"
    copy = path.with_name(f".{path.name[:100]}.copy")
    if os.path.isdir(target):
        shutil.copytree(target, copy, symlinks=True)
    else:
        shutil.copy2(target, copy)
    path.unlink()
    copy.rename(path)
    return (
        next(filter(None, (_replace(it, real_root) for it in path.rglob("*"))), "") if path.is_dir() else ""
    )


_OF_NOTEBOOK = (NOTEBOOK_FILE, LOG_FILE, FILES_FOLDER)


def take(attempt: Attempt, given: Given) -> None:
    """Fetch what an earlier attempt wrote to where this one's outputs are expected, and its executed notebook beside it.

    Raises:
        BlobDamaged: something is not in the store any more.
        OSError: it cannot be written.
    """
    root, store = Path(attempt.root), Store(Path(attempt.store))
    for name, artifact in given.outputs.items():
        if not artifact.external:
            store.fetch(artifact, root / attempt.outputs[name].staged)
    for name in _OF_NOTEBOOK:
        source, target = root / given.folder / name, Path(attempt.folder) / name
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.is_file():
            shutil.copy2(source, target)


def missing(root: Path, slots: Mapping[str, OutputSlot]) -> list[str]:
    """The names of the declared outputs that were not written."""
    return [
        name
        for name, slot in slots.items()
        if slot.kind != "external" and not _is_written(root / slot.staged, slot)
    ]


def _is_written(staged: Path, slot: OutputSlot) -> bool:
    if slot.is_in_place and slot.is_folder and staged.is_dir():  # which was made for the notebook
        return any(staged.iterdir())
    return os.path.lexists(staged)


def describe_outputs(attempt: Attempt, tables: Artifacts) -> dict[str, Artifact]:
    """The outputs as `AttemptResult.outputs` has them, kept in the store on the way; of Delta tables that is done. Raises
    `OSError`."""
    root = Path(attempt.root)
    store = Store(Path(attempt.store)) if attempt.store else None
    found: dict[str, Artifact] = {}
    for name, slot in attempt.outputs.items():
        if name in tables:
            found[name] = tables[name]
        elif slot.kind == "external":
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

"""A new project from the templates of this package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from stagebook.contracts.contract import FOLDER
from stagebook.errors import UsageError
from stagebook.workspace.contracts import Contracts

_RENAMED = {"gitignore": ".gitignore"}


def scaffold(folder: Path) -> list[str]:
    """Write a small working project into a folder; the paths of what was written. It has a contract where DuckDB is
    installed, without which no stage with one can run.

    Raises:
        UsageError: one of the files is there already, or the folder cannot be written. Then
            nothing was written over.
    """
    template = resources.files("stagebook") / "templates"
    files = dict(_walk(template, ""))
    if not Contracts(folder).can_audit:
        files = {path: source for path, source in files.items() if not path.startswith(f"{FOLDER}/")}
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        msg = f"'{folder / taken[0]}' is there already"
        raise UsageError(msg, hint="name a new folder: stagebook init NAME; nothing was written")
    try:
        for path, source in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot write to '{folder}': {error.strerror}") from error
    return list(files)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield prefix + _RENAMED.get(item.name, item.name), item

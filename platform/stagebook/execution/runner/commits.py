"""Versions of Delta tables, published: their data files first, which nobody sees, and then the commit by one link.

A link is there whole or not at all, and not where another writer was faster: that is how Delta tables on a file system
are written to by all who write to them. Who was slower goes after the other one, where both together are what one after the
other would be (`tables.lake_writers`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path

from stagebook.system import delta_log
from stagebook.system.files import walk

TRIES = 20  # to be the next one, while others write: each time that it fails another one has got on


class Overtaken(Exception):
    """Another writer was faster, and what was to be published does not hold after that; the text says so."""


def place_files(ready: Path, table: Path) -> Path | None:
    """Put new data files into the folder of a table, where no version has them yet; the commit to publish, `None` where
    there will be no new version. One that is there already is of the same content, or damaged. Raises `OSError`."""
    table.mkdir(parents=True, exist_ok=True)
    if ready.stat().st_dev != table.stat().st_dev:
        near = table.with_name(
            f".{table.name}.{os.getpid()}.incoming"
        )  # a rename does not cross file systems
        shutil.rmtree(near, ignore_errors=True)
        ready = shutil.copytree(ready, near)
    log = ready / delta_log.LOG
    commit = next(log.iterdir()) if log.is_dir() else None
    for name, file, _ in walk(ready):
        if not name.endswith("/"):
            _flush(Path(file))
        if not name.endswith("/") and Path(file) != commit:
            (table / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, table / name)
    if commit is None:
        shutil.rmtree(ready)
    return commit


def is_overtaken(commit: Path, table: Path) -> bool:
    """Whether another writer has made the version that is to be published."""
    return (table / delta_log.LOG / commit.name).exists()


def publish(commit: Path, table: Path, after: Callable[[Path], Path] | None = None) -> Path:
    """Publish a commit; the file that makes it a version. What it was made ready in is gone then.

    Args:
        commit: its file.
        table: the folder of the table.
        after: makes of a commit that another writer overtook one that comes after that, in the same folder; raises
            `Overtaken`. Without it no such commit is published.

    Raises:
        Overtaken: that version is there already.
        OSError: it cannot be written.
    """
    ready = commit.parent.parent
    try:
        _check_files(commit, table)
        for _ in range(TRIES):
            if (target := _linked(commit, table)) is not None:
                return target
            if after is None:
                who, version = delta_log.writer(table, int(commit.stem)), int(commit.stem)
                raise Overtaken(f"{who} made version {version} of the table meanwhile: run it again")
            commit = after(commit)
        last = int(commit.stem) - 1
        raise Overtaken(
            f"others made {TRIES} versions of the table meanwhile, the last one, {last}, {delta_log.writer(table, last)}:"
            " run it again when they are done"
        )
    finally:
        shutil.rmtree(ready, ignore_errors=True)


def _linked(commit: Path, table: Path) -> Path | None:
    """Make a commit a version; `None` where that is there already. Raises `OSError`, and then it is none."""
    target = table / delta_log.LOG / commit.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(commit, target)
    except FileExistsError:
        if not os.path.samefile(commit, target):  # NFS may say so of a link that it has just made
            return None
    try:
        _flush(target.parent)
    except OSError:
        take_back([target])
        raise
    return target


def _check_files(commit: Path, table: Path) -> None:
    """Raises `Overtaken` where data files are gone: another tool may take them for what is left of something."""
    for action in delta_log.actions(commit.parent.parent, int(commit.stem)):
        if "add" in action and not (table / urllib.parse.unquote(action["add"]["path"])).is_file():
            raise Overtaken("another tool removed new data files, which no version had yet: run it again")


def take_back(made: Iterable[Path]) -> None:
    """Take back versions that were published a moment ago, unless another writer went on from them."""
    for commit in made:
        following = delta_log.commit_path(commit.parent.parent, int(commit.stem) + 1)
        with contextlib.suppress(OSError):
            if not following.exists():
                commit.unlink()


def _flush(path: Path) -> None:
    """What is written is on the disk before anything refers to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

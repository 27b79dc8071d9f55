"""Versions of Delta tables, published: their data files first, which nobody sees, and then the commit by one link.

A link is there whole or not at all, and not where another writer was faster: that is how Delta tables on a file system
are written to by all who write to them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from stagebook.system import delta_log
from stagebook.system.files import walk


class Overtaken(Exception):
    """Another writer made the version that was to be published; the text says so."""


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


def publish(commit: Path, table: Path) -> Path:
    """Publish a commit; the file that makes it a version. What it was made ready in is gone then.

    Raises:
        Overtaken: that version is there already.
        OSError: it cannot be written.
    """
    target = table / delta_log.LOG / commit.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(commit, target)
    except FileExistsError as error:
        version = int(commit.stem)
        raise Overtaken(
            f"another writer made version {version} of the table meanwhile: run it again"
        ) from error
    finally:
        shutil.rmtree(commit.parent.parent, ignore_errors=True)
    _flush(target.parent)
    return target


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

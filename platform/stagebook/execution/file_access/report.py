"""The file access of an attempt: what its process reported (`hooks`), as files of the project."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from stagebook.observed import Observed
from stagebook.workspace.paths import STATE_FOLDER, PathRefused, inside, inside_for_input, linked_folders

REPORT_FILE = "observed.jsonl"
MAX_PATHS = 10_000  # of each kind; beyond it, `left_out` counts the rest
_IGNORED = {STATE_FOLDER, ".git", ".ipynb_checkpoints", "mlruns", "site-packages", "dist-packages"}
_STORE = "mlflow.db"
_COMPILED = "__pycache__"
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")  # what marks a folder as one
_SLACK = 0.01  # seconds; a file's time may be a little behind the clock


def read_report(file: Path, root: Path, since: float) -> Observed | None:
    """The project's files that were read (`reads`) and written (`writes`), sorted; `None` without a report.

    A file that the attempt wrote before it read it is no read, nor is a folder that it made, nor the listing of one
    that it would have made had it not been there, and one that is gone at the end is neither. A
    folder stands for a listing of it, or for all that is in it. `since` is when the attempt began, in seconds
    since the epoch.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return None
    accesses = _Accesses(root, since)
    for line in lines:
        # A line may be torn: by a full disk, or at the end of a process.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            noted = json.loads(line)
            accesses.take(noted["kind"], noted["path"])
    reads, writes = sorted(accesses.reads), sorted(accesses.writes)
    left_out = max(0, len(reads) - MAX_PATHS) + max(0, len(writes) - MAX_PATHS)
    return Observed(reads=tuple(reads[:MAX_PATHS]), writes=tuple(writes[:MAX_PATHS]), left_out=left_out)


class _Accesses:
    """The accesses to files of a project, taken in the order in which they were reported."""

    def __init__(self, root: Path, since: float) -> None:
        self._root = os.path.realpath(root)
        self._since = since - _SLACK
        self._folders: dict[str, str | None] = {}  # as noted → inside the project
        self._links = linked_folders(root)
        self._environments: dict[str, bool] = {}
        self._made: set[str] = set()  # folders
        self._wanted: set[str] = set()  # folders that were to be made, and were there
        self.reads: set[str] = set()
        self.writes: set[str] = set()

    def take(self, kind: str, noted: str) -> None:
        for raw in self._expanded(kind, noted):
            path = self._normal(raw)
            if path is None:
                continue
            source = _source_of(path)
            if source != path:
                kind, path = "compiled" if kind == "read" else "", source
            try:
                status = os.stat(os.path.join(self._root, path))
            except (OSError, ValueError):
                continue
            self._sort(kind, path, status)

    def _sort(self, kind: str, path: str, status: os.stat_result) -> None:
        folder = stat.S_ISDIR(status.st_mode)
        match kind:
            case "write":
                self.writes.add(path)
            case "made":
                self._made.add(path)
            case "wanted":
                self._wanted.add(path)
            case "target" if status.st_mtime >= self._since:
                self.writes.add(path)
            case "read" | "compiled" if not folder and not self._is_own(path):
                self.reads.add(path)
            case "list" if folder and not self._is_own(path) and not self._is_kept(path):
                self.reads.add(path)
            case "source" if not self._is_own(path):
                self.reads.add(path)

    def _is_kept(self, path: str) -> bool:
        """Whether a folder is one that the notebook makes where it is not there, or holds nothing else."""
        if path in self._wanted:
            return True
        own = self._wanted | self._made | self.writes
        with contextlib.suppress(OSError):
            names = os.listdir(os.path.join(self._root, path))
            return bool(names) and all(f"{path}/{name}" in own for name in names)
        return False

    def _is_own(self, path: str) -> bool:
        return any(part in self.writes or part in self._made for part in _upwards(path))

    def _expanded(self, kind: str, noted: str) -> Iterator[str]:
        if kind == "source" and glob.has_magic(noted) and not os.path.lexists(noted):
            yield from glob.iglob(noted, recursive=True)
        else:
            yield noted

    def _normal(self, noted: str) -> str | None:
        """The path as a pipeline file would have it; `None` outside of the project, and for files that are of
        tools and not of the notebook."""
        folder, name = os.path.split(os.path.normpath(noted))
        if name in {"", ".."}:
            return "." if os.path.realpath(noted) == self._root else None
        if folder not in self._folders:
            self._folders[folder] = self._folder(folder)
        known = self._folders[folder]
        plain = os.path.join(folder, name)
        if known is None or os.path.islink(plain):
            return self._inside(plain)
        path = name if known == "." else f"{known}/{name}"
        return None if _is_ignored(path) or self._is_environment(path) else path

    def _folder(self, folder: str) -> str | None:
        real = os.path.realpath(folder)
        if real == self._root:
            return "."
        is_outside = os.path.commonpath([self._root, real]) != self._root
        if is_outside and folder.startswith(self._root + os.sep):
            with contextlib.suppress(PathRefused):  # through a symlink to data elsewhere
                return inside_for_input(Path(self._root), os.path.relpath(folder, self._root))
        path = self._inside(real)
        return path if path not in {None, "."} else None

    def _inside(self, plain: str) -> str | None:
        real_folder = os.path.realpath(os.path.dirname(plain))
        full = os.path.join(real_folder, os.path.basename(plain))
        path = os.path.relpath(full, self._root)
        if path == ".." or path.startswith("../"):
            if linked := self._linked(full):
                return linked
            real = os.path.realpath(plain)
            if real != self._root and not real.startswith(self._root + os.sep):
                return None
            path = os.path.relpath(real, self._root)
        try:
            path = inside(Path(self._root), path)
        except PathRefused:
            return None
        return None if _is_ignored(path) or self._is_environment(path) else path

    def _linked(self, full: str) -> str | None:
        """The path through a symlink of the project of what is elsewhere."""
        for real, name in self._links.items():
            if full == real or full.startswith(real + os.sep):
                return f"{name}{full[len(real) :]}".replace(os.sep, "/")
        return None

    def _is_environment(self, path: str) -> bool:
        for folder in _upwards(path.rpartition("/")[0]):
            if folder not in self._environments:
                marks = (os.path.join(self._root, folder, mark) for mark in _ENVIRONMENTS)
                self._environments[folder] = any(os.path.exists(mark) for mark in marks)
            if self._environments[folder]:
                return True
        return False


def _upwards(path: str) -> Iterator[str]:
    """The path and the folders around it, without the project itself."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _is_ignored(path: str) -> bool:
    parts = path.split("/")
    return not _IGNORED.isdisjoint(parts) or parts[-1].startswith(_STORE)


def _source_of(path: str) -> str:
    """The source of a compiled module; the path itself for all else."""
    folder, _, name = path.rpartition("/")
    around, _, last = folder.rpartition("/")
    if last != _COMPILED:
        return path
    stem = name.partition(".")[0]
    return f"{around}/{stem}.py" if around else f"{stem}.py"

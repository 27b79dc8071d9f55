"""Marks of files that nobody declares: what tells them, later, from what they were."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from stagebook.system.file_cache import FileCache
from stagebook.system.files import walk


class Marks:
    """The marks of the files of one project."""

    def __init__(self, root: Path, file_cache: FileCache) -> None:
        self._root = root
        self._file_cache = file_cache

    def of(self, path: str, *, most: int | None = None) -> str | None:
        """The mark of a file or folder; `None` where there is none.

        A file counts by its content, one of more than `most` bytes by its size and time of change; a folder by the
        names and sizes of what is in it.
        """
        full = os.path.join(self._root, path)
        try:
            found = os.stat(full)
            if stat.S_ISDIR(found.st_mode):
                listed = "".join(f"{size} {name}\n" for name, _, size in walk(full))
                return f"list {hashlib.sha256(listed.encode('utf-8', 'surrogateescape')).hexdigest()}"
            if not stat.S_ISREG(found.st_mode) or (most is not None and found.st_size > most):
                return f"stat {found.st_size} {found.st_mtime_ns}"
            return f"sha256 {self._file_cache.digest(full)}"
        except OSError:
            return None

    def fits(self, path: str, mark: str) -> bool:
        """Whether a file or folder is as it was when it got this mark."""
        return self.of(path, most=-1 if mark.startswith("stat ") else None) == mark

    def size(self, path: str) -> int:
        """The size of a file in bytes; 0 where there is none."""
        with contextlib.suppress(OSError):
            return os.stat(os.path.join(self._root, path)).st_size
        return 0

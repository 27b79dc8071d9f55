"""Programs on this machine, and the notebooks that are made for those that stages run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

from stagebook.pipeline.notebook_file import NotebookUnreadable
from stagebook.system.files import make_private, write_whole

_MADE = re.compile(r"(?:^|/)programs/program-[0-9a-f]{64}\.ipynb")


def is_made(notebook: str) -> bool:
    """Whether the notebook at a path was made for a program."""
    return _MADE.search(notebook) is not None


class Programs:
    """Those of the project at `root`. Notebooks that are made for them are kept in `folder`."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._contents: dict[str, bytes] = {}

    def place(self, content: bytes) -> str:
        """The path of a notebook that was made for a program, relative to the root where it is in it. It is written when it is
        asked for."""
        target = self._folder / f"program-{hashlib.sha256(content).hexdigest()}.ipynb"
        inside = target.is_relative_to(self._root)
        path = target.relative_to(self._root).as_posix() if inside else str(target)
        self._contents[path] = content
        return path

    def written(self, path: str) -> Path:
        """The file of a notebook that was made here. Raises `NotebookUnreadable` where it cannot be written."""
        target, content = self._root / path, self._contents.get(path)
        try:
            if content is not None and (not target.is_file() or target.read_bytes() != content):
                make_private(target.parent)
                write_whole(target, content)
        except OSError as error:
            msg = f"cannot be made a notebook of: {error.strerror}: {error.filename}"
            raise NotebookUnreadable(msg) from error
        return target

    def finds(self, name: str) -> bool:
        """Whether the command of a stage finds a program: by its name, or by its path from the project."""
        if os.sep in name:
            place = os.path.join(self._root, name)
            return os.path.isfile(place) and os.access(place, os.X_OK)
        places = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
        return shutil.which(name, path=places) is not None

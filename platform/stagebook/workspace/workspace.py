"""What the project holds on disk, as far as defining and planning pipelines asks for it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from stagebook.pipeline.notebook import SCRIPT_SUFFIXES, NotebookFacts, NotebookUnreadable, read_notebook
from stagebook.pipeline.notebook_file import read_bytes
from stagebook.pipeline.scripts import VERSION, convert, doubts_of, is_intact
from stagebook.system.file_cache import FileCache
from stagebook.workspace import paths
from stagebook.workspace.contracts import Contracts
from stagebook.workspace.kernels import kernel_languages
from stagebook.workspace.programs import Programs, is_made
from stagebook.workspace.remotes import Remotes
from stagebook.workspace.tables import Tables


class Workspace:
    """Files of one project, read once each. Nothing is executed and nothing outside is touched."""

    def __init__(
        self, root: Path, file_cache: FileCache | None = None, *, converted: Path | None = None
    ) -> None:
        """`converted`: the folder of the notebooks that scripts are converted to, by default in the project's state."""
        self.root = root
        self._converted = converted or root / paths.STATE_FOLDER / "cache" / "scripts"
        self.file_cache = file_cache or FileCache()
        self.contracts = Contracts(root)
        self.tables = Tables(root)
        self.remotes = Remotes(root)
        self.programs = Programs(root, self._converted.parent / "programs")
        self._folders: set[str] = set()
        self._data_folders: set[str] = set()
        self._facts: dict[str, NotebookFacts | NotebookUnreadable] = {}

    def forget(self) -> None:
        """Look at the files anew."""
        self._facts.clear()
        self.contracts.forget()
        self.remotes.forget()
        self._folders.clear()
        self._data_folders.clear()

    def inside(self, text: str) -> str:
        """A path of the project, normalised. Raises `paths.PathRefused`."""
        return paths.inside(self.root, text, self._folders)

    def inside_for_input(self, text: str) -> str:
        """A path of the project, or of data that a symlink in it leads to. Raises `paths.PathRefused`."""
        return paths.inside_for_input(self.root, text, self._folders)

    def inside_for_output(self, text: str) -> str:
        """A path of the project that may be written, or of data as in `inside_for_input`. Raises
        `paths.PathRefused`."""
        return paths.inside_for_output(self.root, text, self._folders, self._data_folders)

    def identity(self, path: str) -> str:
        """What two paths of one place have in common: two symlinks may lead to one folder elsewhere."""
        if paths.is_plain(self.root, path, self._folders):
            return path
        return os.path.realpath(self.root / path)

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return os.path.exists(os.path.join(self.root, path))

    def is_special(self, path: str) -> bool:
        """Whether something is there that is neither a file nor a folder: a pipe, a device."""
        place = os.path.join(self.root, path)
        return os.path.exists(place) and not os.path.isfile(place) and not os.path.isdir(place)

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return os.path.isdir(os.path.join(self.root, path))

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        return os.path.isfile(os.path.join(self.root, path))

    def facts(self, notebook: str) -> NotebookFacts:
        """What a notebook says of itself. Raises `NotebookUnreadable`."""
        if notebook not in self._facts:
            try:
                self._facts[notebook] = self._read(notebook)
            except NotebookUnreadable as error:
                self._facts[notebook] = error
        known = self._facts[notebook]
        if isinstance(known, NotebookUnreadable):
            raise known
        return known

    def _read(self, notebook: str) -> NotebookFacts:
        found, path = read_notebook(self.executable(notebook)), self.root / notebook
        if path.suffix in SCRIPT_SUFFIXES:
            doubts = doubts_of(read_bytes(path), path.suffix)
            return dataclasses.replace(found, doubts=(*doubts, *found.doubts))
        return found

    def executable(self, notebook: str) -> Path:
        """The `.ipynb` file to execute: the notebook itself, or what its script converts to. Raises
        `NotebookUnreadable`."""
        if is_made(notebook):
            return self.programs.written(notebook)
        path = self.root / notebook
        if path.suffix not in SCRIPT_SUFFIXES:
            return path
        content = read_bytes(path)
        digest = hashlib.sha256(f"{VERSION}{path.suffix}\0".encode() + content).hexdigest()
        target = self._converted / f"{digest}.ipynb"
        if not self._is_whole(target):
            convert(content, path.suffix, target)
        return target

    def _is_whole(self, converted: Path) -> bool:
        try:
            return bool(self.file_cache.derive(converted, "whole", is_intact))
        except OSError:
            return False

    def kernels(self) -> Mapping[str, str]:
        """The kernels that are installed here: name → language in lower case, empty where it is not known."""
        return kernel_languages()

"""Finds the modules of a project as the import system does, without importing anything."""

from __future__ import annotations

import dataclasses
import functools
import os
import posixpath
import sys
from collections.abc import Callable, Sequence
from typing import Any

from stagebook.code.constants import HERE
from stagebook.code.digests import KIND, ModuleCode, read_module
from stagebook.code.references import CodeReferences
from stagebook.pipeline.workdir import ROOT
from stagebook.system.file_cache import FileCache

# Folders of environments and of state: not code of the project.
NOT_LOCAL = frozenset(
    {".venv", "site-packages", "dist-packages", "node_modules", ".stagebook", ".git", "__pycache__"}
)

# The folders that modules are searched in, relative to the project, in order; None stands for the standard
# library and the installed distributions.
SearchPath = tuple[str | None, ...]


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """A cell, a module or a file.

    Attributes:
        label: how a chain names it.
        path: relative to the project; `""` for a cell.
        digest: SHA-256 of what it does, in hex.
        package: what its relative imports are relative to.
        search: where its imports are looked for.
        is_file: whether a command reads it, instead of an import.
        edges: the units that it leads to; None until `Closure` has looked.
        outside: the names that it imports from outside the project, from then on.
    """

    label: str
    path: str = ""
    digest: str = ""
    references: CodeReferences
    package: str | None = None
    search: SearchPath = ()
    is_file: bool = False
    edges: tuple[Unit, ...] | None = None
    outside: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundModule:
    """A module of the project.

    Attributes:
        units: its source and compiled forms; none for a namespace package.
        folders: where its submodules are.
        is_behind: whether it was found after what is installed, which may have a module of the name.
    """

    units: tuple[Unit, ...] = ()
    folders: tuple[str, ...] = ()
    is_behind: bool = False


def is_outside(path: str) -> bool:
    """Whether a path that is relative to the project leads out of it."""
    return path.startswith(("/", "../")) or path == ".."


def is_local(path: str) -> bool:
    """Whether a path is outside the folders of environments and of state."""
    return NOT_LOCAL.isdisjoint(path.split("/"))


class ModuleResolver:
    """Finds the modules and files of a project. What was looked up on the disk is kept."""

    def __init__(self, root: str, file_cache: FileCache, workdir: str = ROOT) -> None:
        """`workdir`: the folder of the project that code is executed in."""
        self._root = root
        self._workdir = workdir
        self._roots = (root, os.path.realpath(root))
        self._file_cache = file_cache
        self._listings: dict[str, tuple[dict[str, list[str]], set[str]]] = {}
        self._is_file: dict[str, bool] = {}
        self._derived: dict[tuple[str, str], Any] = {}
        self._found: dict[tuple[SearchPath, str], FoundModule | None] = {}

    # -- modules ----------------------------------------------------------------------------------

    def find(self, name: str, search: SearchPath) -> FoundModule | None:
        """A module of the project by its full name; None where it is none of the project."""
        key = (search, name)
        if key not in self._found:
            parent, folders = name.rpartition(".")[0], search
            if parent:
                above = self.find(parent, search)
                folders = above.folders if above else ()
            # Stagebook itself is a library, also where a notebook uses a checkout of it.
            is_outside = name in sys.builtin_module_names or name.partition(".")[0] == "stagebook"
            self._found[key] = None if is_outside else self._look(name, folders, search)
        return self._found[key]

    def _look(self, name: str, folders: SearchPath, search: SearchPath) -> FoundModule | None:
        """The module in the first folder that has it: a package before a module, both before a namespace."""
        parent, _, last = name.rpartition(".")
        portions: list[str] = []
        is_behind = False
        for folder in folders:
            if folder is None:
                if last in sys.stdlib_module_names:
                    return None
                is_behind = True
                continue
            modules, folders_in_it = self._listing(folder)
            inner = f"{folder}/{last}" if folder else last
            if last in folders_in_it and (files := self._listing(inner)[0].get("__init__")):
                like = Unit(label=name, references={}, package=name, search=search)
                units = self._units(inner, files, like)
                return FoundModule(units=units, folders=(inner,), is_behind=is_behind)
            if last in modules:
                like = Unit(label=name, references={}, package=parent, search=search)
                return FoundModule(units=self._units(folder, modules[last], like), is_behind=is_behind)
            if last in folders_in_it:
                portions.append(inner)
        return FoundModule(folders=tuple(portions)) if portions else None

    def _units(self, folder: str, files: Sequence[str], like: Unit) -> tuple[Unit, ...]:
        """A module's source, and its compiled forms, which an interpreter that they fit imports first."""
        units = []
        for file in files:
            path = f"{folder}/{file}" if folder else file
            is_source = file.endswith(".py")
            code = self.module(path) if is_source else ModuleCode(digest=self.digest(path), references={})
            units.append(dataclasses.replace(like, path=path, **code))
        return tuple(units)

    def _listing(self, folder: str) -> tuple[dict[str, list[str]], set[str]]:
        """The files of each module in a folder, the source first; the folders in it."""
        if folder not in self._listings:
            modules: dict[str, list[str]] = {}
            folders: set[str] = set()
            try:
                with os.scandir(self.full(folder)) as entries:
                    for entry in entries:
                        name, dot, rest = entry.name.partition(".")
                        is_module = rest in {"py", "pyc"} or entry.name.endswith((".so", ".pyd"))
                        if not dot and name not in NOT_LOCAL and entry.is_dir():
                            folders.add(name)
                        elif is_module and entry.is_file():
                            modules.setdefault(name, []).append(entry.name)
            except OSError:
                pass  # not there, or not readable: no module is found in it
            for name, files in modules.items():
                files.sort(key=lambda file: (not file.endswith(".py"), file))
                if files[0].endswith(".py"):
                    modules[name] = [file for file in files if not file.endswith(".pyc")]
            self._listings[folder] = (modules, folders)
        return self._listings[folder]

    # -- files ------------------------------------------------------------------------------------

    def module(self, path: str) -> ModuleCode:
        """The code of a module's file."""
        read = functools.partial(self._file_cache.derive, kind=f"module-{KIND}", compute=read_module)
        unreadable: ModuleCode = {"digest": "", "references": {"dynamic": ["it cannot be read"]}}
        return self._derive(path, "module", read) or unreadable

    def digest(self, path: str) -> str:
        """The SHA-256 of a file's content, in hex; `""` where it cannot be read."""
        return self._derive(path, "sha256", self._file_cache.digest) or ""

    def _derive(self, path: str, kind: str, derive: Callable[[str], Any]) -> Any:
        if (path, kind) not in self._derived:
            try:
                self._derived[path, kind] = derive(self.full(path))
            except OSError:
                self._derived[path, kind] = None
        return self._derived[path, kind]

    def full(self, path: str) -> str:
        """A path of the project as a path of the file system."""
        return os.path.join(self._root, path) if path else self._root

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        if path not in self._is_file:
            self._is_file[path] = os.path.isfile(self.full(path))
        return self._is_file[path]

    def resolve(self, text: str, unit: Unit | None = None) -> str | None:
        """A path that code names, relative to the project; one outside begins with `..` or `/`. None for a
        text that is not a path. `unit` is what `HERE` refers to."""
        if text.startswith(HERE):
            folder = posixpath.dirname(unit.path) if unit else ""
            text = posixpath.join(folder or ".", text[len(HERE) :].lstrip("/"))
        elif text and self._workdir != ROOT:
            text = posixpath.join(self._workdir, text)
        if not text or "\0" in text or len(text) > 1_000:
            return None
        path = os.path.normpath(text)
        if os.path.isabs(path):
            root = next((it for it in self._roots if path == it or path.startswith(it + os.sep)), None)
            if root is None:
                return path
            path = os.path.relpath(path, root)
        return "" if path == "." else path.replace(os.sep, "/")

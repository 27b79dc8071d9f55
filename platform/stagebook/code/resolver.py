"""Where the modules of a project are: searched as the import system does, without importing anything."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import sys
from collections.abc import Callable, Sequence
from typing import Any

from stagebook.code.calls import Uses
from stagebook.code.constants import HERE
from stagebook.code.digests import KIND, read_module
from stagebook.system.file_cache import Memo

# Environments and state, which are no code of the project.
NOT_LOCAL = frozenset(
    {".venv", "site-packages", "dist-packages", "node_modules", ".stagebook", ".git", "__pycache__"}
)

# Folders that modules are searched in, relative to the project; None stands for the standard library and
# the installed distributions.
Search = tuple[str | None, ...]


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """A cell, a module or a file. `edges` is what it leads to and `outside` what it imports that is not
    of the project, once that was asked for."""

    label: str
    path: str = ""
    digest: str = ""
    uses: Uses
    package: str | None = None
    search: Search = ()
    is_file: bool = False
    edges: tuple[Unit, ...] | None = None
    outside: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A module of the project: its units, of which a namespace package has none; the folders of its
    submodules; whether it was found behind what is installed."""

    units: tuple[Unit, ...] = ()
    folders: tuple[str, ...] = ()
    is_behind: bool = False


def is_outside(path: str) -> bool:
    """Whether a path that is relative to the project leads out of it."""
    return path.startswith(("/", "../")) or path == ".."


def is_local(path: str) -> bool:
    """Whether a path is none of an environment or of state."""
    return NOT_LOCAL.isdisjoint(path.split("/"))


class Modules:
    """The modules and files of a project. What was looked up on the disk is kept."""

    def __init__(self, root: str, memo: Memo) -> None:
        self._root = root
        self._roots = (root, os.path.realpath(root))
        self._memo = memo
        self._listings: dict[str, tuple[dict[str, list[str]], set[str]]] = {}
        self._is_file: dict[str, bool] = {}
        self._facts: dict[tuple[str, str], Any] = {}
        self._found: dict[tuple[Search, str], Found | None] = {}

    # -- modules ----------------------------------------------------------------------------------

    def find(self, name: str, search: Search) -> Found | None:
        """A module of the project, by its full name."""
        key = (search, name)
        if key not in self._found:
            parent = name.rpartition(".")[0]
            if parent:
                above = self.find(parent, search)
                self._found[key] = self._look(name, above.folders, search) if above else None
            else:
                self._found[key] = (
                    None if name in sys.builtin_module_names else self._look(name, search, search)
                )
        return self._found[key]

    def _look(self, name: str, folders: Search, search: Search) -> Found | None:
        """In the first folder that has it. A package goes before a module, both before namespaces."""
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
                units = self._units(inner, files, Unit(label=name, uses={}, package=name, search=search))
                return Found(units=units, folders=(inner,), is_behind=is_behind)
            if last in modules:
                units = self._units(
                    folder, modules[last], Unit(label=name, uses={}, package=parent, search=search)
                )
                return Found(units=units, is_behind=is_behind)
            if last in folders_in_it:
                portions.append(inner)
        return Found(folders=tuple(portions)) if portions else None

    def _units(self, folder: str, files: Sequence[str], like: Unit) -> tuple[Unit, ...]:
        """A module's source, and the compiled forms that go before it where the interpreter fits."""
        units = []
        for file in files:
            path = f"{folder}/{file}" if folder else file
            is_source = file.endswith(".py")
            facts: dict[str, Any] = (
                self.module_facts(path) if is_source else {"digest": self.digest(path), "uses": {}}
            )
            units.append(dataclasses.replace(like, path=path, digest=facts["digest"], uses=facts["uses"]))
        return tuple(units)

    def _listing(self, folder: str) -> tuple[dict[str, list[str]], set[str]]:
        """The modules of a folder by name, each with its files, the source first; the folders in it."""
        if folder not in self._listings:
            modules: dict[str, list[str]] = {}
            folders: set[str] = set()
            try:
                with os.scandir(self.full(folder)) as entries:
                    for entry in entries:
                        name, dot, rest = entry.name.partition(".")
                        if not dot and name not in NOT_LOCAL and entry.is_dir():
                            folders.add(name)
                        elif (
                            rest in {"py", "pyc"} or entry.name.endswith((".so", ".pyd"))
                        ) and entry.is_file():
                            modules.setdefault(name, []).append(entry.name)
            except OSError:
                pass  # not there, or not for us: no module is found in it
            for name, files in modules.items():
                files.sort(key=lambda file: (not file.endswith(".py"), file))
                if files[0].endswith(".py"):
                    modules[name] = [file for file in files if not file.endswith(".pyc")]
            self._listings[folder] = (modules, folders)
        return self._listings[folder]

    # -- files ------------------------------------------------------------------------------------

    def module_facts(self, path: str) -> dict[str, Any]:
        """What `codefacts.read_module` says of a file."""
        facts = self._derived(
            path, "module", lambda full: self._memo.derive(full, f"module-{KIND}", read_module)
        )
        return facts if facts is not None else {"digest": "", "uses": {"dynamic": ["it cannot be read"]}}

    def digest(self, path: str) -> str:
        """The SHA-256 of a file's content; nothing where it cannot be read."""
        return self._derived(path, "sha256", self._memo.digest) or ""

    def _derived(self, path: str, kind: str, derive: Callable[[str], Any]) -> Any:
        if (path, kind) not in self._facts:
            try:
                self._facts[path, kind] = derive(self.full(path))
            except OSError:
                self._facts[path, kind] = None
        return self._facts[path, kind]

    def full(self, path: str) -> str:
        """A path of the project as one of the file system."""
        return os.path.join(self._root, path) if path else self._root

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        if path not in self._is_file:
            self._is_file[path] = os.path.isfile(self.full(path))
        return self._is_file[path]

    def place(self, text: str, unit: Unit | None = None) -> str | None:
        """A path as code names it, relative to the project; what is outside begins with `..` or `/`.
        None if it is no path. Code is executed in the project's folder."""
        if text.startswith(HERE):
            folder = posixpath.dirname(unit.path) if unit else ""
            text = posixpath.join(folder or ".", text[len(HERE) :].lstrip("/"))
        if not text or "\0" in text or len(text) > 1_000:
            return None
        path = os.path.normpath(text)
        if os.path.isabs(path):
            root = next((it for it in self._roots if path == it or path.startswith(it + os.sep)), None)
            if root is None:
                return path
            path = os.path.relpath(path, root)
        return "" if path == "." else path.replace(os.sep, "/")

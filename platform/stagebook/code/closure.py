"""The code that a notebook depends on: its cells, the project's modules that it imports directly or through
others, and the files that its magics and commands read. Nothing is executed or imported.

Modules are looked for where the kernel looks: in the folders that the code puts into `sys.path`, the
notebook's own folder, the project, and the further folders that are given. The code of a file is
remembered with the file. The place of a module is not, so that a new file that hides another is noticed.
A module counts by the path of its import, even if a symlink on it leads out of the project.

In doubt, more counts: an import within `if` or `try`, and each submodule that `from package import name`
may mean.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import posixpath
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from stagebook.code.digests import KIND, CellCode, ModuleCode, cells_of, read_cells, sha256
from stagebook.code.references import CodeReferences, absolute_name
from stagebook.code.resolver import FoundModule, ModuleResolver, SearchPath, Unit, is_local, is_outside
from stagebook.pipeline.notebook import NotebookUnreadable, read_notebook
from stagebook.pipeline.notebook_file import language_of, parse_notebook, read_bytes
from stagebook.pipeline.program_cells import MODULE as PROGRAM_MODULE
from stagebook.pipeline.workdir import ROOT
from stagebook.system.file_cache import FileCache

_MAX_ROUNDS = 20  # of folders that hold code that adds folders to `sys.path`


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A module, or a file that a magic or command reads. `path` is relative to the project; `digest` is the
    SHA-256 of what it does, in hex; `chain` is a shortest way from a cell to it."""

    path: str
    digest: str
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code of a notebook.

    Attributes:
        cells: the digests of the code cells that do something.
        numbers: their numbers among those that are not empty, from 1.
        modules: the project's modules that they import, directly or through others.
        files: the files that they execute, or that their commands read.
        imports: the dotted names of imports from outside the project and the standard library.
        unresolved: what is imported or executed by a name that is computed.
        path_cells: strings that look like relative paths, in all cells but the parameters cell, each with the
            number of the first cell that has it.
        names: the names that are read there.
        variables: the environment variables that the code reads, and does not set.
    """

    cells: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    modules: tuple[LocalFile, ...] = ()
    files: tuple[LocalFile, ...] = ()
    imports: frozenset[str] = frozenset()
    unresolved: tuple[str, ...] = ()
    path_cells: Mapping[str, int] = dataclasses.field(default_factory=dict)
    names: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()

    def of_program(self) -> Code:
        """The code of a program, of that of the notebook that is made for it: without the cells."""
        modules, files = (
            tuple(dataclasses.replace(item, chain=_without_first(item.chain)) for item in items)
            for items in (self.modules, self.files)
        )
        return dataclasses.replace(
            self,
            cells=(),
            numbers=(),
            modules=modules,
            files=files,
            imports=frozenset(name for name in self.imports if name.partition(".")[0] != PROGRAM_MODULE),
            unresolved=tuple(text for text in self.unresolved if not text.startswith("cell ")),
            path_cells={},
        )

    @property
    def path_literals(self) -> frozenset[str]:
        """The strings that look like relative paths, without the parameters cell."""
        return frozenset(self.path_cells)


def sources(executable: Path) -> tuple[str, ...]:
    """The sources of the cells that `Code.cells` are the digests of. Raises `NotebookUnreadable`."""
    data = parse_notebook(read_bytes(executable))
    return tuple(cell.source for cell in cells_of(data, is_python=language_of(data) == "python"))


class Closure:
    """Finds the code of a project's notebooks. What was looked up on the disk is kept. Not for use from several
    threads."""

    def __init__(
        self,
        root: Path,
        file_cache: FileCache,
        *,
        extra: Sequence[Path] = (),
        behind: Sequence[Path] = (),
        workdir: str = ROOT,
    ) -> None:
        """`extra`: folders of the project in which modules are looked for, as in PYTHONPATH; `behind`: folders
        in which they are looked for after what is installed; `workdir`: the folder of the project that cells run in."""
        self._file_cache = file_cache
        self._modules = ModuleResolver(os.path.abspath(root), file_cache, workdir)
        # IPython puts it behind the standard library. What is installed comes after it, and counts as well.
        self._here = [] if workdir == ROOT else [workdir]
        self._codes: dict[tuple[str, str], Code | NotebookUnreadable] = {}
        self._scripts: dict[tuple[SearchPath, str, bool], Unit] = {}
        self._last = self._resolved(behind)
        self._inside = [path for path in self._resolved(extra) if not is_outside(path) and is_local(path)]

    def _resolved(self, folders: Sequence[Path]) -> list[str]:
        places = (self._modules.resolve(os.fspath(folder)) for folder in folders)
        return [path for path in places if path is not None]

    def code(self, notebook: str, executable: Path) -> Code:
        """The code of a notebook. `notebook`: its path in the project; `executable`: the `.ipynb` file that is
        executed for it. Raises `NotebookUnreadable`."""
        key = (notebook, os.fspath(executable))
        if key not in self._codes:
            try:
                self._codes[key] = self._read(*key)
            except NotebookUnreadable as error:
                self._codes[key] = error
        known = self._codes[key]
        if isinstance(known, NotebookUnreadable):
            raise known
        return known

    def _read(self, notebook: str, executable: str) -> Code:
        codes = self._notebook(executable)
        folder = posixpath.dirname(notebook)
        added: dict[tuple[int | None, str], None] = {}
        for _ in range(_MAX_ROUNDS):
            search = self._search(folder, added)
            cells = [
                Unit(label=f"cell {cell['number']}", references=cell["references"], search=search)
                for cell in codes
            ]
            reached = self._reach(cells)
            more = [item for unit in reached for item in self._folders(unit) if item not in added]
            if not more:
                break
            added |= dict.fromkeys(more)  # what is found there may add further folders
        writes = (text for cell in cells for text in cell.references.get("writes", ()))
        written = set(map(self._modules.resolve, writes))
        read = {unit: chain for unit, chain in reached.items() if not unit.path or unit.path not in written}
        return _code(codes, read)

    def _notebook(self, executable: str) -> list[CellCode]:
        try:
            return list(self._file_cache.derive(executable, f"cells-{KIND}", read_cells))
        except NotebookUnreadable:
            raise
        except (OSError, ValueError, RecursionError):
            read_notebook(Path(executable))  # says what is wrong
            raise NotebookUnreadable("changed while it was read") from None

    # -- from one unit to the next ----------------------------------------------------------------

    def _search(self, folder: str, added: Iterable[tuple[int | None, str]]) -> SearchPath:
        path: list[str | None] = [folder, "", *self._inside, None, *self._here, *self._last]
        for index, item in added:
            path.insert(len(path) if index is None else index, item)
        return tuple(dict.fromkeys(path))

    def _folders(self, unit: Unit) -> Iterator[tuple[int | None, str]]:
        for index, text in unit.references.get("folders", ()):
            path = self._modules.resolve(text, unit)
            if path is not None and is_local(path):
                yield index, path

    def _reach(self, cells: Sequence[Unit]) -> dict[Unit, tuple[str, ...]]:
        """All units that the cells lead to, each with a shortest chain, the nearest first."""
        reached: dict[Unit, tuple[str, ...]] = {cell: (cell.label,) for cell in cells}
        queue = collections.deque(cells)
        while queue:
            unit = queue.popleft()
            for child in self._edges(unit) if unit.edges is None else unit.edges:
                if child not in reached:
                    reached[child] = (*reached[unit], child.label)
                    queue.append(child)
        return reached

    def _edges(self, unit: Unit) -> tuple[Unit, ...]:
        edges: dict[Unit, None] = {}
        outside: set[str] = set()
        for level, module, names in unit.references.get("imports", ()):
            name = absolute_name(unit.package, level, module)
            if name:
                units, foreign = self._import(name, names or (), unit.search)
                edges |= dict.fromkeys(units)
                outside |= foreign
        edges |= dict.fromkeys(self._executed(unit))
        edges |= dict.fromkeys(self._named(unit))
        unit.edges, unit.outside = tuple(edges), frozenset(outside)
        return unit.edges

    def _import(self, name: str, names: Sequence[str], search: SearchPath) -> tuple[list[Unit], set[str]]:
        """The units of an import, and the names that may be of something installed."""
        parts = name.split(".")
        units: list[Unit] = []
        found: FoundModule | None = None
        is_behind = False
        for at in range(len(parts)):
            found = self._modules.find(".".join(parts[: at + 1]), search)
            if found is None:
                break
            units += found.units
            is_behind = is_behind or found.is_behind
        if found is not None and found.folders:
            for item in names:
                wanted = [item]
                if item == "*":
                    wanted = found.units[0].references.get("all", []) if found.units else []
                for child in wanted:
                    below = self._modules.find(f"{name}.{child}", search)
                    units += below.units if below else ()
        if (units and not is_behind) or parts[0] in sys.stdlib_module_names:
            return units, set()
        return units, {name, *(f"{name}.{item}" for item in names if item not in {"*", "__main__"})}

    def _executed(self, unit: Unit) -> Iterator[Unit]:
        for text in unit.references.get("scripts", ()):
            path = self._modules.resolve(text, unit)
            places = (path, f"{path}.py") if path else ()
            found = next(filter(self._modules.is_file, places), None)
            if found is not None and is_local(found):
                yield self._script(found, unit.search, is_read=False)

    def _named(self, unit: Unit) -> Iterator[Unit]:
        """Files that commands name, and archives in `sys.path`."""
        for text in (
            *unit.references.get("words", ()),
            *(text for _, text in unit.references.get("folders", ())),
        ):
            path = self._modules.resolve(text, unit)
            if path and not is_outside(path) and is_local(path) and self._modules.is_file(path):
                yield self._script(path, unit.search, is_read=True)

    def _script(self, path: str, search: SearchPath, *, is_read: bool) -> Unit:
        """A file that is executed; with `is_read`, one that a command reads, which counts by its bytes."""
        key = (search, path, is_read)
        if key not in self._scripts:
            folder = posixpath.dirname(path)
            code: ModuleCode = {"digest": "", "references": {}}
            if path.endswith(".ipynb") and not is_read:
                code = self._nested(path)
            elif path.endswith(".py") or not is_read:
                code = self._modules.module(path)
            self._scripts[key] = Unit(
                label=path,
                path=path,
                digest=self._modules.digest(path) if is_read else code["digest"],
                references=code["references"],
                search=(folder, *(item for item in search if item != folder)),
                is_file=True,
            )
        return self._scripts[key]

    def _nested(self, path: str) -> ModuleCode:
        """The code of a notebook that is executed by another."""
        try:
            cells = self._notebook(self._modules.full(path))
        except NotebookUnreadable:
            return {"digest": self._modules.digest(path), "references": {}}
        references: dict[str, list[Any]] = collections.defaultdict(list)
        for cell in cells:
            for kind, values in cell["references"].items():
                references[kind] += cast("list[Any]", values)
        digest = sha256("\n".join(cell["digest"] for cell in cells))
        return {"digest": digest, "references": cast("CodeReferences", dict(references))}


def _without_first(chain: tuple[str, ...]) -> tuple[str, ...]:
    """A chain without the cell that it begins with; nothing where what is left is its end alone."""
    return chain[1:] if len(chain) > 2 else ()


def _code(cells: Sequence[CellCode], reached: Mapping[Unit, tuple[str, ...]]) -> Code:
    found: dict[bool, dict[str, LocalFile]] = {False: {}, True: {}}  # modules, and files
    for unit, chain in reached.items():
        if unit.path:
            file = LocalFile(path=unit.path, digest=unit.digest, chain=chain)
            found[unit.is_file].setdefault(unit.path, file)
    modules, files = (tuple(places[path] for path in sorted(places)) for places in found.values())
    imports = frozenset().union(*(unit.outside for unit in reached))
    dynamic = [
        f"{unit.path or unit.label}: {text}"
        for unit in reached
        for text in unit.references.get("dynamic", ())
    ]
    return Code(
        cells=tuple(cell["digest"] for cell in cells),
        numbers=tuple(cell["number"] for cell in cells),
        modules=modules,
        files=files,
        imports=imports,
        unresolved=tuple(dict.fromkeys(dynamic)),
        path_cells={
            path: cell["number"] for cell in reversed(cells) for path in cell["references"].get("paths", ())
        },
        names=frozenset(name for cell in cells for name in cell["references"].get("names", ())),
        variables=_mentioned(reached, "env") - _mentioned(reached, "sets"),
    )


def _mentioned(units: Iterable[Unit], kind: Literal["env", "sets"]) -> frozenset[str]:
    return frozenset(name for unit in units for name in unit.references.get(kind, ()))

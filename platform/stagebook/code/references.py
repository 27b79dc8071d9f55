"""What a piece of Python refers to beyond itself, as plain data that is remembered with its file."""

from __future__ import annotations

import collections
from collections.abc import Hashable
from typing import Literal, TypedDict, cast

Kind = Literal[
    "imports", "folders", "scripts", "words", "writes", "all", "dynamic", "names", "paths", "env", "sets"
]


class CodeReferences(TypedDict, total=False):
    """What a cell or module refers to; kinds of which there is nothing are left out.

    A path that begins with `constants.HERE` is relative to the folder of the file itself.

    Attributes:
        imports: level, module and names of each import; no names where it is not `from … import`.
        folders: index and path of each folder put into `sys.path`; no index where it is put last.
        scripts: Python files and notebooks that are executed in this process.
        words: words of shell commands and magics; those that name a file count as read.
        writes: files that `%%writefile` makes.
        all: the names of `__all__`.
        dynamic: what is computed, so that nothing can be said of it.
        names: the names that are read, also those in magics.
        paths: string constants that look like relative paths.
        env: environment variables that are read, and `sets` those that are set.
    """

    imports: list[tuple[int, str, tuple[str, ...] | None]]
    folders: list[tuple[int | None, str]]
    scripts: list[str]
    words: list[str]
    writes: list[str]
    all: list[str]
    dynamic: list[str]
    names: list[str]
    paths: list[str]
    env: list[str]
    sets: list[str]


class Collector:
    """Collects the references of one cell or module, each once, in order."""

    def __init__(self, *, mentions: bool) -> None:
        """`mentions`: whether `names` and `paths` count."""
        self._mentions = mentions
        self._found: dict[Kind, dict[Hashable, None]] = collections.defaultdict(dict)

    def add(self, kind: Kind, *values: Hashable) -> None:
        """Add values of one kind."""
        if values and (self._mentions or kind not in {"names", "paths"}):
            self._found[kind].update(dict.fromkeys(values))

    def add_program(self, module: str) -> None:
        """Add a module that is executed as a program: of a package its `__main__`."""
        self.add("imports", (0, module, ("__main__",)))

    def add_computed(self, text: str) -> None:
        """Add something that is computed."""
        self.add("dynamic", f"{text} is computed")

    def references(self) -> CodeReferences:
        """All that was collected."""
        return cast("CodeReferences", {kind: list(found) for kind, found in self._found.items()})


def absolute_name(package: str | None, level: int, module: str) -> str:
    """The full name of a module that is imported from `package`; `""` where a relative one has no package
    to be relative to. `level` is the number of its leading dots."""
    if not level:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [module])])

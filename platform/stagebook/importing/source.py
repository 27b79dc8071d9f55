"""A file of another tool: its text within limits, its paths as paths of the project, and what is wrong with it."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Position, find_position, make_problem
from stagebook.pipeline.notebook import NotebookFacts, NotebookUnreadable
from stagebook.pipeline.yaml import Document, read_document
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

MAX_BYTES = 5_000_000  # of a file that is no YAML
_OUTSIDE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EXPRESSION = re.compile(r"\$\{[^}]*\}")
_HOLD = "\0"  # in place of an expression, while a path is normalised


class Source:
    """One file that is taken over. `path` is relative to the root of the project; `problems` collects what is wrong."""

    def __init__(self, workspace: Workspace, path: str) -> None:
        self.workspace = workspace
        self.path = path
        self.folder = posixpath.dirname(path)
        self.problems: list[Problem] = []
        self._positions: Mapping[Location, Position] = {}

    @property
    def stem(self) -> str:
        """The name of the file without its ending."""
        return PurePosixPath(self.path).stem

    def report(self, where: Location | Position, message: str, hint: str = "") -> None:
        """Add a problem at a place of a YAML file, or at a line and column."""
        position = where if len(where) == 2 and all(isinstance(it, int) for it in where) else None
        found = position or find_position(self._positions, where)
        self.problems.append(make_problem(self.path, found, message, hint))  # type: ignore[arg-type]

    def yaml(self) -> Any:
        """The data of a YAML file; `None` where it cannot be read."""
        document = self._document(self.path)
        self.problems += document.problems
        self._positions = document.positions
        return None if document.problems else document.data

    def yaml_beside(self, path: str) -> Any:
        """The data of another YAML file of the project; `None` where there is none. Its mistakes are problems."""
        if not self.workspace.is_file(path):
            return None
        document = self._document(path)
        self.problems += document.problems
        return document.data

    def json(self) -> Any:
        """The data of a JSON file; `None` where it cannot be read."""
        text = self.text()
        if text is None:
            return None
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            self.report((error.lineno, error.colno), f"not JSON: {error.msg}")
        except RecursionError:
            self.report((), "nested too deeply")
        except ValueError:  # a number with too many digits
            self.report((), "it holds a number that cannot be read")
        return None

    def text(self) -> str | None:
        """The text of the file; `None` where it cannot be read."""
        content = self._bytes(self.path, MAX_BYTES)
        if len(content) > MAX_BYTES:
            self.report((), f"the file is too large: the limit is {MAX_BYTES:,} bytes")
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.report((), "not UTF-8 text", "save the file as UTF-8")
        return None

    def line_of(self, text: str, part: str) -> Position:
        """The place of a part of the text."""
        before = text.partition(part)[0]
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def inside(self, text: str, where: Location | Position, *, folder: str | None = None) -> str:
        """A path as a pipeline file has it, from the root. `folder`: what it is relative to, from the root, if not that
        of the file. Empty where it leads out of the project, which is reported."""
        if _HOLD in text:
            self.report(where, f"'{text}' holds a character that no path has", "remove it")
            return ""
        held = [it[0] for it in _EXPRESSION.finditer(text)]
        plain = _EXPRESSION.sub(_HOLD, text)
        start = self.folder if folder is None else folder
        if os.path.isabs(plain):
            plain = self._from_root(plain)
        path = posixpath.normpath(posixpath.join(start, plain))
        try:
            if not path.startswith(_HOLD):
                self.workspace.inside_for_input(path.replace(_HOLD, "x"))
        except PathRefused as error:
            shown = str(error).replace(path.replace(_HOLD, "x"), text)
            self.report(where, shown, error.hint)
            return ""
        if text.endswith("/") and path != ".":
            path += "/"
        return "".join(a + b for a, b in zip(path.split(_HOLD), [*held, ""], strict=True))

    def _from_root(self, path: str) -> str:
        """An absolute path that is within the project, from the folder of the file; else the path itself."""
        relative = os.path.relpath(path, self.workspace.root / self.folder)
        is_in = path == str(self.workspace.root) or path.startswith(f"{self.workspace.root}{os.sep}")
        return relative if is_in else path

    def is_elsewhere(self, text: str) -> bool:
        """Whether a text is a URL and no path."""
        return _OUTSIDE.match(text) is not None

    def facts(self, notebook: str) -> NotebookFacts | None:
        """What a notebook says of itself; `None` where it is not there or cannot be read, which `check` tells."""
        if not self.workspace.is_file(notebook):
            return None
        try:
            return self.workspace.facts(notebook)
        except NotebookUnreadable:
            return None

    def content(self, path: str) -> str:
        """The text of another file of the project; empty where there is none."""
        if not self.workspace.is_file(path):
            return ""
        return self._bytes(path, MAX_BYTES).decode("utf-8", "replace")

    def _document(self, path: str) -> Document:
        return read_document(self._bytes(path, MAX_BYTES), path)

    def _bytes(self, path: str, most: int) -> bytes:
        with (self.workspace.root / path).open("rb") as file:
            return file.read(most + 1)

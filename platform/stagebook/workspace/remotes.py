"""The connections of a project, and what is behind them as far as inputs of stages name it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagebook.connections.asking import ask_what
from stagebook.connections.declared import Declared, read_connections
from stagebook.errors import ConnectionUnusable

_REFERENCE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(?!//)(.+)", re.DOTALL)
PATTERN = re.compile(r"[*?\[]")


def split(text: str) -> tuple[str, str] | None:
    """The connection and the path of `connection:path`; `None` for any other text."""
    found = _REFERENCE.fullmatch(text)
    return (found[1], found[2]) if found else None


class Remotes:
    """Sources by the names of their connections. Each is asked once, until `forget`, for all that was asked for before:
    an answer takes a process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._declared: Mapping[str, Declared] | None = None
        self._asked: dict[str, dict[str, None]] = {}  # by connection, the patterns
        self._found: dict[str, Mapping[str, Sequence[Sequence[str]]]] = {}

    def forget(self) -> None:
        """Look anew."""
        self._declared = None
        self._found.clear()

    @property
    def declared(self) -> Mapping[str, Declared]:
        """The connections by their names. Raises `PipelineInvalid` for mistakes in their files."""
        if self._declared is None:
            self._declared = read_connections(self._root).all
        return self._declared

    def named(self, names: Sequence[str]) -> Sequence[Declared]:
        """Those of the connections with these names."""
        return [self.declared[name] for name in names if name in self.declared] if names else []

    def find(self, name: str, pattern: str) -> list[str]:
        """What fits a pattern, sorted, each as `connection:path`. Raises `ConnectionUnusable`."""
        return [f"{name}:{path}" for path, _ in self._of(name, pattern)]

    def mark(self, reference: str) -> str | None:
        """A text that changes with the content behind a reference; `None` where it is not there, or not to be reached."""
        name, path = split(reference) or ("", "")
        with contextlib.suppress(ConnectionUnusable):
            for pattern in self._asked.get(name, {}):
                for known, mark in self._of(name, pattern):
                    if known == path:
                        return mark
        return None

    def _of(self, name: str, pattern: str) -> Sequence[Sequence[str]]:
        asked = self._asked.setdefault(name, {})
        if pattern not in self._found.get(name, {}):
            asked[pattern] = None
            self._found[name] = ask_what(self._root, name, list(asked))
        return self._found[name][pattern]

"""Imports in the fork server: which module starts threads, and which import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from typing import Any

_PLAIN = (SourceFileLoader, ExtensionFileLoader)  # a loader of another kind may be shared by modules


class Refused(BaseException):
    """A module is not to be imported here. It is no `Exception`, so that a library which does without a module that is
    not installed does not take it for one."""


def count_threads() -> int:
    """The threads of this process, those of C libraries included: as `system.processes`, for thousands of times."""
    return len(os.listdir("/proc/self/task"))


class Watch:
    """A finder of `sys.meta_path` that finds nothing itself. It refuses some modules, and notices the first one that
    starts a thread: `culprit`, with the modules that were importing it."""

    def __init__(self, refused: Collection[str]) -> None:
        self.culprit: tuple[str, ...] = ()  # the outermost first, the culprit last
        self._refused = frozenset(refused)
        self._stack: list[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What the next finder that knows the module returns. Raises `Refused`."""
        if name in self._refused:
            raise Refused(name)
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if type(spec.loader) in _PLAIN:
                    self._attach(name, spec.loader)
                return spec
        return None

    def _attach(self, name: str, loader: Any) -> None:
        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            self._stack.append(name)
            try:
                loader.exec_module(module)
            finally:
                if not self.culprit and count_threads() > 1:
                    self.culprit = tuple(self._stack)
                self._stack.pop()

        vars(loader)["exec_module"] = exec_module

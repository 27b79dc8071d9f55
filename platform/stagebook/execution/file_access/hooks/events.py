"""Python's audit events: https://docs.python.org/3/library/audit_events.html."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from .reporter import ACCESS, Reporter, has_content, is_elsewhere, text_of

_NO_FILE = os.O_DIRECTORY | getattr(os, "O_PATH", 0) if os.name == "posix" else 0
_CHANGES = os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BOTH_WAYS = os.O_RDWR
_ANEW = os.O_TRUNC | os.O_EXCL
# Modules that list folders to find modules, and not for the notebook.
_FINDERS = ("importlib", "_frozen_importlib", "pkgutil", "pkg_resources", "zipimport", "site", "IPython.")


class _Events:
    """What the audit events of interest say. Each method gets the arguments of one."""

    def __init__(self, reporter: Reporter) -> None:
        self._note = reporter.note
        self.handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._listed,
            "os.rename": self._renamed,
            "os.mkdir": self._made,
            "os.link": self._linked,
            "os.symlink": self._symlinked,
            "os.truncate": lambda args: self._note_path("write", args[0]),
            "sqlite3.connect": lambda args: reporter.note_value("database", args[0]),
            "import": lambda args: self._note_path("read", args[1]),  # of a module that is not Python
            "ctypes.dlopen": self._loaded,
        }

    def _note_path(self, kind: str, value: Any) -> None:
        if path := text_of(value):
            self._note(kind, path)

    def _opened(self, args: tuple[Any, ...]) -> None:
        path, flags = text_of(args[0]), args[2] or 0
        if not path or flags & _NO_FILE:
            return
        if not flags & (ACCESS | _CHANGES):
            self._note("read", path)
            return
        if flags & ACCESS == _BOTH_WAYS and not flags & _ANEW and has_content(path):
            self._note("read", path)
        self._note("write", path)

    def _listed(self, args: tuple[Any, ...]) -> None:
        if isinstance(args[0], int):
            return
        asking = sys._getframe(2).f_globals.get("__name__")  # noqa: SLF001 - who lists
        if not (isinstance(asking, str) and asking.startswith(_FINDERS)):
            self._note("list", text_of(args[0]) or os.getcwd())

    def _renamed(self, args: tuple[Any, ...]) -> None:
        if args[3] == -1:
            self._note_path("write", args[1])

    def _made(self, args: tuple[Any, ...]) -> None:
        """A folder that is about to be made, or that a notebook sees to be there (`exist_ok`)."""
        if args[2] == -1:
            path = text_of(args[0])
            self._note_path("wanted" if os.path.lexists(path) else "made", path)

    def _linked(self, args: tuple[Any, ...]) -> None:
        if args[2] == -1:
            self._note_path("read", args[0])
        self._renamed(args)

    def _symlinked(self, args: tuple[Any, ...]) -> None:
        if args[2] == -1:
            self._note_path("write", args[1])

    def _loaded(self, args: tuple[Any, ...]) -> None:
        if "/" in (path := text_of(args[0])):
            self._note("read", path)


def audit_hook(reporter: Reporter) -> Callable[[str, tuple[Any, ...]], None]:
    """The function for `sys.addaudithook`."""
    # Names of the module are gone while an interpreter ends; those of this function stay.
    find, not_ours = _Events(reporter).handlers.get, is_elsewhere

    def hook(event: str, args: tuple[Any, ...]) -> None:
        handler = find(event)
        if handler is not None:
            try:
                handler(args)
            except Exception as error:  # a fault of ours; what a signal's handler raises is the notebook's
                if not_ours(error):
                    raise

    return hook

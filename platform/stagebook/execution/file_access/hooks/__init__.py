"""Observing the process that runs a notebook's cells: which files of the project it reads and writes.

It runs inside that process, from before the first cell, under whatever interpreter that has; so it
imports nothing of Stagebook. What is seen goes at once, each path once, as a JSON line to the file that
the environment variable `STAGEBOOK_OBSERVED` names. The worker makes sense of the lines (`observed`).

Three sources, none of which may get in the way of the notebook (docs/observed.md):

- Python's audit events (https://docs.python.org/3/library/audit_events.html) tell of every file that
  Python itself opens, here and in forked children;
- libraries that open files in C or C++ raise none. Of the best known ones, a few entry points note
  the path that they are given and call on;
- at the end of a cell, files that are still open or mapped are looked up in `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

# Relative, since a kernel of another environment loads this package by its folder.
from .events import audit_hook
from .libraries import Watcher, note_sql
from .reporter import Observer

VARIABLE = "STAGEBOOK_OBSERVED"


def begin(shell: Any) -> None:
    """Observe this process from here on, if its environment asks for it. `shell` is IPython's, and the
    working folder the project."""
    file = os.environ.pop(VARIABLE, "")
    if not file or os.name != "posix":
        return
    with contextlib.suppress(Exception):  # a notebook runs in any case
        observer = Observer(file, os.getcwd())
        watcher = Watcher(observer)
        watcher.wrap_what_is_there()
        sys.meta_path.insert(0, watcher)
        shell.events.register("pre_run_cell", _before_cell(observer))
        shell.events.register("post_run_cell", _after_cell(observer))
        sys.addaudithook(audit_hook(observer))


def _before_cell(observer: Observer) -> Callable[[Any], None]:
    def before(info: Any) -> None:
        with contextlib.suppress(Exception):
            note_sql(observer, info.raw_cell)

    return before


def _after_cell(observer: Observer) -> Callable[[Any], None]:
    def after(_result: Any) -> None:
        with contextlib.suppress(Exception):
            observer.look()

    return after

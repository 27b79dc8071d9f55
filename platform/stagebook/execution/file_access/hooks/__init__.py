"""Hooks in the process that runs a notebook's cells, which report the files that it reads and writes.

They run inside that process, from before the first cell, under whatever interpreter it has; so this package
imports nothing of Stagebook. Each path is reported at once, and once, as a JSON line in the file that the
environment variable `STAGEBOOK_OBSERVED` names. The worker reads the lines (`file_access.report`).

There are three sources. None of them may get in the way of the notebook (docs/observed.md):

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
from .reporter import Reporter

VARIABLE = "STAGEBOOK_OBSERVED"
ROOT = "STAGEBOOK_OBSERVED_ROOT"  # the project; by default the working folder


def begin(shell: Any) -> None:
    """Report the file access of this process from here on, if its environment asks for it. `shell` is
    IPython's."""
    file, root = os.environ.pop(VARIABLE, ""), os.environ.pop(ROOT, "")
    if not file or os.name != "posix":
        return
    with contextlib.suppress(Exception):  # the notebook runs in any case; a missing report is told as such
        reporter = Reporter(file, root or os.getcwd())
        watcher = Watcher(reporter)
        watcher.wrap_what_is_there()
        sys.meta_path.insert(0, watcher)
        shell.events.register("pre_run_cell", _guarded(lambda info: note_sql(reporter, info.raw_cell)))
        shell.events.register("post_run_cell", _guarded(lambda _result: reporter.look()))
        sys.addaudithook(audit_hook(reporter))


def _guarded(act: Callable[[Any], None]) -> Callable[[Any], None]:
    def guarded(about: Any) -> None:
        with contextlib.suppress(Exception):  # a fault of ours must not fail a cell
            act(about)

    return guarded

"""Saving an executed notebook."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from stagebook.system.files import utf8, write_whole

SAVE_EVERY = 2.0  # seconds, at the least; see `Saver`


class Saver:
    """Saves a notebook whole, and not too often: the next time after ten times as long as the last
    save took, so that saving costs a tenth of the time at most, however large the outputs grow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0.0

    def save(self, notebook: NotebookNode) -> None:
        """Save now. Raises `OSError`."""
        started = time.monotonic()
        data = nbformat.v4.writes(notebook)  # type: ignore[no-untyped-call]
        write_whole(self.path, utf8(data), durable=True)
        now = time.monotonic()
        self._next = now + max(SAVE_EVERY, 10 * (now - started))

    def save_sometimes(self, notebook: NotebookNode) -> None:
        """Save if it is time. A disk that is full now may have room for the last save."""
        if time.monotonic() >= self._next:
            with contextlib.suppress(OSError):
                self.save(notebook)

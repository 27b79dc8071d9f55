"""What a stage tells while it runs: how far it is, what it prints, whether it is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stagebook.execution.worker.profile import FROZEN_AFTER, Usage

TAIL = 2_000  # characters of output in one event; all of it is in the log
OUTPUT_EVERY = 0.5  # seconds between two events of output
PROGRESS_EVERY = 5.0  # seconds between two signs of life

Emit = Callable[[dict[str, Any]], None]


class Live:
    """Gathers what happens and tells it at a bearable pace."""

    def __init__(self, emit: Emit, cells: int) -> None:
        self._emit = emit
        self._cells = cells
        self._began = time.monotonic()
        self._text = ""
        self._size = 0
        self._cell: int | None = None
        self._next_output = 0.0
        self._next_progress = self._began + PROGRESS_EVERY
        self._next_frozen = 0.0

    def heard(self, cell: int | None, text: str) -> None:
        """A cell put out some text."""
        if not text:
            return
        self._cell = cell
        self._text = (self._text + text[-TAIL:])[-TAIL:]
        self._size += len(text)
        if time.monotonic() >= self._next_output:
            self.flush()

    def flush(self) -> None:
        """Tell what was put out since the last time."""
        if self._size:
            self._emit({"kind": "output", "cell": self._cell, "text": self._text, "size": self._size})
            self._text, self._size = "", 0
            self._next_output = time.monotonic() + OUTPUT_EVERY

    def tick(self, cell: int | None, used: Usage, frozen_for: float) -> None:
        """Some time went by."""
        now = time.monotonic()
        if self._size and now >= self._next_output:
            self.flush()
        if frozen_for >= FROZEN_AFTER:  # no sign of life then
            if now >= self._next_frozen:
                self._next_frozen = now + PROGRESS_EVERY
                self._emit({"kind": "frozen", "cell": cell, "seconds": frozen_for})
            return
        self._next_frozen = 0.0
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_EVERY
            self._emit(
                {
                    "kind": "progress",
                    "cell": cell,
                    "cells": self._cells,
                    "seconds": now - self._began,
                    "cpu": used.cpu,
                    "memory": used.memory,
                }
            )

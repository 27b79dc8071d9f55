"""What a stage tells while it runs: how far it is, what it prints, whether it is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable

from stagebook.events import AttemptFrozen, AttemptProgress, OutputWritten
from stagebook.execution.worker.profile import FROZEN_AFTER, Usage

TAIL = 2_000  # characters of output in one event; all of it is in the log
OUTPUT_EVERY = 0.5  # seconds between two events of output
PROGRESS_EVERY = 5.0  # seconds between two signs of life


# Makes an event of the attempt that goes on, and sends it to the engine: of a kind of `AttemptEvent`, with the
# fields of that kind beside run, time, stage and attempt by name.
Emit = Callable[..., None]


class Live:
    """Gathers output and signs of life, and emits them a few times a second at most."""

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
        """Take text that a cell put out."""
        if not text:
            return
        self._cell = cell
        self._text = (self._text + text[-TAIL:])[-TAIL:]
        self._size += len(text)
        if time.monotonic() >= self._next_output:
            self.flush()

    def flush(self) -> None:
        """Emit what was put out since the last time."""
        if self._size:
            self._emit(OutputWritten, cell=self._cell, text=self._text, size=self._size)
            self._text, self._size = "", 0
            self._next_output = time.monotonic() + OUTPUT_EVERY

    def tick(self, cell: int | None, used: Usage, frozen_for: float) -> None:
        """Emit what is due. Called several times a second; `frozen_for` is in seconds."""
        now = time.monotonic()
        if self._size and now >= self._next_output:
            self.flush()
        if frozen_for >= FROZEN_AFTER:  # no sign of life then
            if now >= self._next_frozen:
                self._next_frozen = now + PROGRESS_EVERY
                self._emit(AttemptFrozen, cell=cell, seconds=frozen_for)
            return
        self._next_frozen = 0.0
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_EVERY
            seconds = now - self._began
            self._emit(
                AttemptProgress,
                cell=cell,
                cells=self._cells,
                seconds=seconds,
                cpu=used.cpu,
                memory=used.memory,
            )

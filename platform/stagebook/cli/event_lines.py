"""The events of a run, printed as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from stagebook.events import Event
from stagebook.journal.history import RunHistory
from stagebook.views.log_lines import lines_of


class EventLines:
    """A listener of a run that prints a line for each thing that happens: on standard output, or on standard
    error."""

    def __init__(self, *, stderr: bool = False) -> None:
        self.history = RunHistory()
        self._stream = sys.stderr if stderr else sys.stdout

    def take(self, events: Iterable[Event]) -> None:
        """Print what the next events are worth."""
        for event in events:
            self.history.take(event)
            self._stream.writelines(f"{line}\n" for line in lines_of(event, self.history))
        self._stream.flush()

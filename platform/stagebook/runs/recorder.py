"""The events of a run: into the journal, then to whoever listens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from stagebook.events import Event
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal

Listener = Callable[[Sequence[Event]], None]


class Recorder:
    """Takes the events of a run, which owns its pipeline. A listener whose reader is gone is left out."""

    def __init__(self, journal: Journal, run: str, listeners: Sequence[Listener]) -> None:
        self.history = RunHistory()
        self._journal = journal
        self._run = run
        self._heard = list(listeners)
        self._held: list[Event] | None = None

    def emit(self, events: Sequence[Event]) -> None:
        """Write events down, and tell of them once they are acknowledged."""
        self._journal.append(events, owner=self._run)
        if self._held is not None:
            self._held += events
        else:
            self.tell(events)

    def tell(self, events: Sequence[Event]) -> None:
        """Tell whoever listens."""
        for event in events:
            self.history.take(event)
        for listener in list(self._heard):
            try:
                listener(events)
            except BrokenPipeError:
                self._heard.remove(listener)  # nobody reads any more; the run goes on

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """While this is held nobody takes the pipeline over. Raises `RunTakenOver`."""
        self._held = []
        try:
            with self._journal.leases.owned(self._run):
                yield
        finally:
            held, self._held = self._held, None
        self.tell(held)

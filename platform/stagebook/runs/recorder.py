"""The events of a run: into the journal, then to whoever listens."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from stagebook.errors import ExitCode, JournalUnreadable, RunTakenOver
from stagebook.events import Event, RunEnded, Status
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal

Listener = Callable[[Sequence[Event]], None]


class Recorder:
    """Takes the events of a run, which owns its pipeline. A listener that fails is left out; the run goes on."""

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
                self._heard.remove(listener)  # nobody reads any more
            except Exception as error:  # a listener may be anybody's code, and the run is not its own
                self._heard.remove(listener)
                log = logging.getLogger(__name__)
                log.warning(
                    "the run goes on without one that was told of it, which failed: %s: %s",
                    type(error).__name__,
                    error,
                    exc_info=None if isinstance(error, OSError) else error,
                )

    @contextlib.contextmanager
    def closing(self, clock: Callable[[], float]) -> Iterator[None]:
        """Whatever is raised in here, the run has ended afterwards and owns its pipeline no more."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, JournalUnreadable):
                error.exit_code = ExitCode.STAGE_FAILED  # something was started
            if self.history.ended is None:
                reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                ended = RunEnded(run=self._run, at=clock(), status=Status.INTERRUPTED, reason=reason)
                with contextlib.suppress(RunTakenOver, JournalUnreadable):  # then its end is found out later
                    self.emit([ended])
            raise

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

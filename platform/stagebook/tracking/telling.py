"""One event on its way to MLflow, in parts: one that is refused, or fails, costs no other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from stagebook.events import Event
from stagebook.journal.journal import MLFLOW
from stagebook.journal.outbox import Outbox
from stagebook.tracking.mlflow import RunContents
from stagebook.tracking.outcomes import Gone, Refused


class Telling:
    """The parts of an event: each is tried. What MLflow refuses is noted; another error is raised at the end."""

    def __init__(self, outbox: Outbox, event: Event) -> None:
        self._outbox = outbox
        self._event = event
        self._failed: list[Exception] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None and self._failed:
            # A run that is gone explains the others.
            raise next((failed for failed in self._failed if isinstance(failed, Gone)), self._failed[0])

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part, by what a person calls it."""
        try:
            yield
        except Refused as error:
            self.pass_over(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 - raised at the end
            self._failed.append(error)

    def log(self, run: RunContents, **values: Any) -> None:
        """Log values of a run (`RunContents.log`)."""
        for refused in run.log(**values):
            self.pass_over(refused)

    def pass_over(self, what: str) -> None:
        """Note that something is refused, and why."""
        stage = getattr(self._event, "stage", "")
        self._outbox.pass_over(MLFLOW, self._event.run, f"{stage}: {what}" if stage else what)

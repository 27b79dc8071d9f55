"""Earlier results, and after these those of a shared store."""

from __future__ import annotations

from collections.abc import Iterator

from stagebook.planning.result import Marks, Result, Results
from stagebook.sharing.shared_store import SharedStore
from stagebook.timing.interval import Interval


class ResultsBehind(Results):
    """The results of a project, and after these those of a shared store: by the same fingerprint they are as good. Only what
    a stage came to here is its latest result, or how far it has read. What is found here is not asked for there."""

    def __init__(self, own: Results, shared: SharedStore) -> None:
        self._own = own
        self._shared = shared

    def find(self, fingerprint: str) -> Iterator[Result]:
        """Those with this fingerprint: first those of here."""
        yield from self._own.find(fingerprint)
        yield from self._shared.find(fingerprint)

    def latest(self, pipeline: str, stage: str) -> Result | None:
        """The one that a stage instance came to last, here."""
        return self._own.latest(pipeline, stage)

    def latest_about(self, pipeline: str, stage: str, interval: Interval) -> int:
        """The number of the one that a stage instance came to last in runs about an interval, here."""
        return self._own.latest_about(pipeline, stage, interval)

    def marks(self, pipeline: str, stage: str, place: str) -> Marks:
        """How far a stage instance has read, here."""
        return self._own.marks(pipeline, stage, place)

    def has_head(self, head: str) -> bool:
        """Whether there is any with this head, here or there."""
        return self._own.has_head(head) or self._shared.has_head(head)

    def is_overwritten(self, result: Result) -> bool:
        """Whether an attempt since may have written what a result left outside of the project."""
        return self._own.is_overwritten(result)

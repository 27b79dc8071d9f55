"""The results that the journal knows, as planning asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stagebook.planning.results import Result
from stagebook.record.journal import Journal


class KnownResults:
    """The results of one journal; what is asked for often is read once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._latest: dict[str, dict[str, Result]] = {}
        self._by_fingerprint: dict[str, Result] = {}
        self._heads: frozenset[str] | None = None

    def find(self, fingerprint: str) -> Iterator[Result]:
        """Those with this fingerprint, those that came last first."""
        known = self._by_fingerprint.get(fingerprint)
        if known is not None:
            yield known
        for result in self._journal.results("fingerprint = ?", (fingerprint,)):
            if known is None or result.number != known.number:
                yield result

    def latest(self, pipeline: str, stage: str) -> Result | None:
        """The one that a stage instance came to last, as of the first time that this was asked."""
        if pipeline not in self._latest:
            self._latest[pipeline] = self._journal.latest(pipeline)
            self._by_fingerprint |= {known.fingerprint: known for known in self._latest[pipeline].values()}
        return self._latest[pipeline].get(stage)

    def has_head(self, head: str) -> bool:
        """Whether there is any with this head."""
        if self._heads is None:
            self._heads = self._journal.heads()
        return head in self._heads


def all_results(journal: Journal) -> Iterable[Result]:
    """All results, the latest first."""
    return journal.results("1", ())

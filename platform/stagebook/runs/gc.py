"""Looking after the store: what nothing refers to any more goes, what is damaged is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from stagebook.errors import JournalUnreadable
from stagebook.journal.journal import Journal
from stagebook.planning.result import Result
from stagebook.system.store import Store

_DAY = 86_400.0  # seconds
_HOUR = 3_600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What `collect` removed, or would remove, and what stays. Sizes are in bytes."""

    results: int
    blobs: int
    freed: int
    kept: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What `verify` found. `damaged` blobs have been removed; `missing` ones a result refers to."""

    blobs: int
    size: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


def collect(journal: Journal, store: Store, *, now: float, days: float, dry: bool = False) -> Collected:
    """Forget results that are older than `days` and not the last of their stage, and remove what no
    result refers to.

    Raises:
        JournalUnreadable: results are damaged, so that nobody knows what they refer to.
    """
    _, damaged = journal.results.count()
    if damaged:
        msg = f"{len(damaged)} results in the journal are damaged: nobody knows what they refer to"
        raise JournalUnreadable(msg, hint="stagebook doctor --repair, and then again")
    before = now - days * _DAY
    latest = journal.results.latest_numbers()
    known = journal.results.where("1", ())
    kept = [result for result in known if result.at >= before or result.number in latest]
    forgotten = len(known) - len(kept)
    # What is kept is read before anything goes, and a run that keeps a blob now has it newer than that.
    needed = _references(kept, store)
    removed, freed, left, size = 0, 0, 0, 0
    for digest, length in list(store.blobs.digests()):
        if digest in needed or store.blobs.is_newer(digest, now - _HOUR):
            left, size = left + 1, size + length
            continue
        gone = length if dry else store.blobs.discard(digest, unless_newer=now - _HOUR)
        if gone is not None:
            removed, freed = removed + 1, freed + gone
    if not dry:
        # Last, since on a full disk there is room for it only now. Results whose outputs are gone run again.
        try:
            forgotten = journal.results.forget(before)
        except JournalUnreadable as error:
            if not error.no_room:
                raise
            forgotten = 0
        for path in store.blobs.leftovers(before=now - _HOUR):
            path.unlink(missing_ok=True)
    return Collected(results=forgotten, blobs=removed, freed=freed, kept=left, size=size)


def verify(journal: Journal | None, store: Store) -> Verified:
    """Read every blob; remove those that are not what their names say. Without a journal nobody knows
    what is missing."""
    damaged, count, size = [], 0, 0
    for digest, length in list(store.blobs.digests()):
        count, size = count + 1, size + length
        if not store.blobs.is_intact(digest) and store.blobs.has(digest):
            damaged.append(digest)
            store.blobs.remove(digest)
    known = journal.results.where("1", ()) if journal is not None else []
    missing = sorted(digest for digest in _references(known, store) if not store.blobs.has(digest))
    return Verified(blobs=count, size=size, damaged=tuple(damaged), missing=tuple(missing))


def _references(results: Iterable[Result], store: Store) -> set[str]:
    """The blobs that results refer to, with those of the files in folders."""
    found: set[str] = set()
    for result in results:
        if result.sources:
            found.add(result.sources)
        for output in (*result.outputs.values(), *result.written.values()):
            if output.kept:
                found.add(output.sha256)
                if output.folder:
                    found.update(store.members(output.sha256))
    return found

"""Looking after the store: what nothing refers to any more goes, what is damaged is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from stagebook.planning.results import Result
from stagebook.record.journal import Journal
from stagebook.record.results import all_results
from stagebook.system.blobs import Blobs

_DAY = 86_400.0  # seconds


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


def collect(journal: Journal, blobs: Blobs, *, now: float, days: float, dry: bool = False) -> Collected:
    """Forget results that are older than `days` and not the last of their stage, and remove what no
    result refers to."""
    latest = journal.latest_numbers()
    old: list[Result] = []
    kept: list[Result] = []
    for result in all_results(journal):
        too_old = result.at < now - days * _DAY and result.number not in latest
        (old if too_old else kept).append(result)
    # What is kept is read before anything goes, and a run that keeps a blob now has it newer than that.
    needed = _references(kept, blobs)
    if not dry:
        journal.forget_results(result.number for result in old)
    removed, freed, left, size = 0, 0, 0, 0
    for digest, length in list(blobs.digests()):
        if digest in needed or blobs.is_newer(digest, now - 3600.0):
            left, size = left + 1, size + length
            continue
        removed += 1
        freed += length if dry else blobs.remove(digest)
    if not dry:
        for path in blobs.leftovers(before=now - 3600.0):
            path.unlink(missing_ok=True)
    return Collected(results=len(old), blobs=removed, freed=freed, kept=left, size=size)


def verify(journal: Journal, blobs: Blobs) -> Verified:
    """Read every blob; remove those that are not what their names say."""
    damaged, count, size = [], 0, 0
    for digest, length in list(blobs.digests()):
        count, size = count + 1, size + length
        if not blobs.is_intact(digest):
            damaged.append(digest)
            blobs.remove(digest)
    missing = sorted(digest for digest in _references(all_results(journal), blobs) if not blobs.has(digest))
    return Verified(blobs=count, size=size, damaged=tuple(damaged), missing=tuple(missing))


def _references(results: Iterable[Result], blobs: Blobs) -> set[str]:
    """The blobs that results refer to, with those of the files in folders."""
    found: set[str] = set()
    for result in results:
        if result.sources:
            found.add(result.sources)
        for output in result.outputs.values():
            if output.get("kept"):
                digest = str(output.get("sha256", ""))
                found.add(digest)
                if output.get("folder"):
                    found.update(blobs.members(digest))
    return found

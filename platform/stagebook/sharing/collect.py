"""Bounds for a shared store: results that nobody used for long go, and then the blobs that no result refers to."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable

from stagebook.errors import UsageError
from stagebook.sharing.document import blob_path, document_of, head_path
from stagebook.sharing.folder_place import INCOMING
from stagebook.sharing.place import Entry, Place, PlaceFailed
from stagebook.sharing.shown import FOLDER, blobs_shown

_DAY = 86_400.0  # seconds
# Blobs come before the result that refers to them: as long after it was written or renewed, none is taken for left over.
GRACE = _DAY


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedCollected:
    """What `collect_shared` removed, or would remove, and what stays. Sizes are in bytes; `spoilt` are results that are not
    as they were written, which go as well."""

    results: int
    spoilt: int
    blobs: int
    freed: int
    kept_results: int
    kept: int
    size: int


def collect_shared(place: Place, *, now: float, days: float, dry: bool = False) -> SharedCollected:
    """Remove results that were neither written nor used within so many `days`, and blobs that no other result refers to.
    Others may put results into it meanwhile.

    Raises:
        UsageError: a result cannot be read, so that nobody knows what it refers to; or the place fails.
    """
    try:
        return _collect(place, now=now, days=days, dry=dry)
    except PlaceFailed as error:
        hint = error.hint or "see that it can be reached and written to, and then again"
        raise UsageError(f"the shared store: {error.message}", hint=hint) from error


def _collect(place: Place, *, now: float, days: float, dry: bool) -> SharedCollected:
    before, graced = now - days * _DAY, now - GRACE
    documents = [entry for entry in place.list("results", deep=True) if entry.name.endswith(".json")]
    old = [entry for entry in documents if _is_older(entry, min(before, graced))]
    heads, needed, spoilt = _references(
        place, [entry for entry in documents if entry not in set(old)], graced
    )
    gone = [*old, *spoilt]
    kept = [
        entry for entry in old if not dry and not place.remove(entry.path, unless_newer=min(before, graced))
    ]
    for entry in spoilt if not dry else ():
        place.remove(entry.path, unless_newer=graced)
    if kept:  # they were used meanwhile
        more_heads, more, _ = _references(place, kept, graced)
        heads, needed = heads | more_heads, needed | more
    needed |= _of_environments(place)
    remove = _Removal(place, graced, dry=dry)
    # Listed last: what is put into it meanwhile is younger than the grace, or was renewed.
    left, size = remove.all_but(needed, place.list("blobs", deep=True))
    blobs, freed = remove.count, remove.freed
    remove.all_but(heads, place.list("heads", deep=True))
    remove.all_but((), place.list(INCOMING, deep=True))
    return SharedCollected(
        results=len(gone) - len(kept) - len(spoilt),
        spoilt=len(spoilt),
        blobs=blobs,
        freed=freed,
        kept_results=len(documents) - len(gone) + len(kept),
        kept=left,
        size=size,
    )


def _references(
    place: Place, documents: Iterable[Entry], graced: float
) -> tuple[set[str], set[str], list[Entry]]:
    """The paths of the heads and blobs that results refer to, and the results that are damaged and older than the grace."""
    heads: set[str] = set()
    needed: set[str] = set()
    spoilt: list[Entry] = []
    for entry in documents:
        text = place.read(entry.path)
        if text is None:
            continue  # it was removed meanwhile
        try:
            document = document_of(text, entry.path)
        except ValueError:
            if _is_older(entry, graced):
                spoilt.append(entry)
            continue
        heads.add(head_path(document.result.head))
        needed |= {blob_path(digest) for digest in document.blobs}
    return heads, needed, spoilt


def _of_environments(place: Place) -> set[str]:
    """The paths of the blobs of what environments show."""
    needed: set[str] = set()
    for entry in place.list(FOLDER, deep=True):
        with contextlib.suppress(ValueError):  # damaged: nobody can use it, and it is written anew
            needed |= blobs_shown(place.read(entry.path) or b"")
    return needed


class _Removal:
    """Removes what is older than the grace, and counts it."""

    def __init__(self, place: Place, graced: float, *, dry: bool) -> None:
        self._graced = graced
        self._remove: Callable[[str], bool] = lambda path: dry or place.remove(path, unless_newer=graced)
        self.count = 0
        self.freed = 0

    def all_but(self, needed: Collection[str], entries: Iterable[Entry]) -> tuple[int, int]:
        """Remove the others; how many stay, and their size in bytes."""
        left, size = 0, 0
        for entry in entries:
            if entry.path in needed or not _is_older(entry, self._graced) or not self._remove(entry.path):
                left, size = left + 1, size + entry.size
            else:
                self.count, self.freed = self.count + 1, self.freed + entry.size
        return left, size


def _is_older(entry: Entry, than: float) -> bool:
    """Whether a file changed before a time. One of which nobody knows when it changed is new."""
    return entry.changed is not None and entry.changed < than

"""Looking after the store: what nothing refers to any more goes, what is damaged is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from stagebook.errors import JournalUnreadable
from stagebook.journal.journal import Journal
from stagebook.journal.result_table import ResultTable
from stagebook.planning.result import Result
from stagebook.sharing.document import SHARED
from stagebook.system import delta_log
from stagebook.system.store import Store
from stagebook.tables import delta
from stagebook.tables.delta import DeltaFailed

_DAY = 86_400.0  # seconds
_HOUR = 3_600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What `collect` removed, or would remove, and what stays. Sizes are in bytes; `data_files` are those of Delta tables,
    which count as freed, too."""

    results: int
    blobs: int
    freed: int
    kept: int
    size: int
    data_files: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What `verify` found. `damaged` blobs have been removed; `missing` ones a result refers to."""

    blobs: int
    size: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Who else uses the store of a project: other environments with their `results`, by name, and releases with the blobs of
    their `files`."""

    results: Mapping[str, ResultTable] = dataclasses.field(default_factory=dict)
    files: Collection[str] = ()


def collect(  # noqa: PLR0913 - what is looked at, and by which rule
    journal: Journal,
    store: Store,
    *,
    root: Path,
    now: float,
    days: float,
    dry: bool = False,
    others: Others | None = None,
) -> Collected:
    """Forget results that are older than `days` and not the last of their stage, and remove what no
    result refers to: from the store, and of the Delta tables of the project what has been in no version for so long.
    What `others` use stays.

    Raises:
        JournalUnreadable: results are damaged, so that nobody knows what they refer to.
    """
    others = others or Others()
    _refuse_damaged(journal, others)
    before = now - days * _DAY
    latest = journal.results.latest_numbers()
    known = journal.results.where("1", ())
    kept = [result for result in known if result.at >= before or result.number in latest]
    forgotten = len(known) - len(kept)
    # What is kept is read before anything goes, and a run that keeps a blob now has it newer than that.
    needed = _references(kept, store) | set(others.files)
    for table in others.results.values():
        needed |= _references(table.where("1", ()), store)
    removed, freed, left, size = 0, 0, 0, 0
    data_files, data_freed = _vacuum(root, known, kept, now=now, days=days, dry=dry)
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
    return Collected(
        results=forgotten,
        blobs=removed,
        freed=freed + data_freed,
        kept=left,
        size=size,
        data_files=data_files,
    )


def _refuse_damaged(journal: Journal, others: Others) -> None:
    for name, table in {"": journal.results, **others.results}.items():
        _, damaged = table.count()
        if damaged:
            where = f" of {name}" if name else ""
            msg = f"{len(damaged)} results in the journal{where} are damaged: nobody knows what they refer to"
            option = f" --env {name}" if name and name != "dev" else ""
            raise JournalUnreadable(msg, hint=f"stagebook doctor --repair{option}, and then again")


def _vacuum(
    root: Path, known: Iterable[Result], kept: Iterable[Result], *, now: float, days: float, dry: bool
) -> tuple[int, int]:
    """Remove data files of the Delta tables that results tell of, unless a version has them that is younger than `days`,
    or that a result which is kept refers to; how many, and their size. A table that cannot be read is left alone."""
    paths = {item.path for result in known for item in result.outputs.values() if item.version is not None}
    contents = {item.content for result in kept for item in result.outputs.values()}
    count, freed = 0, 0
    for path in sorted(paths):
        table = root / path
        if not delta_log.is_table(table):
            continue
        before = now - max(days * _DAY, _HOUR)
        keep = [number for number, note in delta_log.notes(table) if note.get("content") in contents]
        try:
            unused = delta.unused(table, before=before, keep=keep)
        except DeltaFailed:
            continue
        for file in unused:
            found = file.stat()
            if found.st_mtime >= before:
                continue  # a run has just written it again
            count, freed = count + 1, freed + found.st_size
            if not dry:
                file.unlink(missing_ok=True)
    return count, freed


def verify(journal: Journal | None, store: Store) -> Verified:
    """Read every blob; remove those that are not what their names say. Without a journal nobody knows
    what is missing."""
    damaged, count, size = [], 0, 0
    for digest, length in list(store.blobs.digests()):
        count, size = count + 1, size + length
        if not store.blobs.is_intact(digest) and store.blobs.has(digest):
            damaged.append(digest)
            store.blobs.remove(digest)
    found = journal.results.where("1", ()) if journal is not None else []
    known = [
        result for result in found if result.source != SHARED
    ]  # what of these is not here was not needed here
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

"""`stagebook doctor`: what is damaged in a project's state, and the way forward."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stagebook.definition.paths import STATE_FOLDER
from stagebook.errors import JournalUnreadable, StagebookError
from stagebook.ownership import life_of
from stagebook.record.database import DatabaseError, salvage
from stagebook.record.journal import Journal, Life
from stagebook.storekeeping import verify
from stagebook.system.blobs import Blobs

_ROOM = 1_000_000_000  # bytes
_OLD = 3600.0  # seconds after which a temporary file is nobody's any more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `level` is `ok`, `warning` or `error`; `mended`: it has been put
    right; `hint` says what to do where it has not."""

    level: str
    what: str
    hint: str = ""
    mended: bool = False

    def to_json(self) -> dict[str, object]:
        """The finding as plain data."""
        return dataclasses.asdict(self)


def examine(
    root: Path, *, repair: bool, check_store: bool, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Look at a project's state, and with `repair` put right what can be."""
    state = root / STATE_FOLDER
    if not state.is_dir():
        yield Finding(level="ok", what="nothing was run here yet")
        return
    yield from _room(root)
    yield from _permissions(state)
    yield from _journal(state, repair=repair)
    yield from _owners(state, clock=clock)
    blobs = Blobs(state / "store")
    yield from _store(state, blobs, check=check_store)
    yield from _leftovers(root, state, blobs, repair=repair, now=clock())


def _room(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free
    if free < _ROOM:
        yield Finding(
            level="warning",
            what=f"the disk has {free // 1_000_000} MB of room left",
            hint="stagebook store gc frees what is not needed any more",
        )


def _permissions(state: Path) -> Iterator[Finding]:
    if not os.access(state, os.W_OK | os.X_OK):
        yield Finding(level="error", what=f"{state} cannot be written", hint="see who owns it: ls -la")
    elif os.name == "posix" and state.stat().st_mode & 0o077:
        yield Finding(
            level="warning",
            what=f"{state.name} can be read by others on this machine",
            hint=f"chmod 700 {state}",
        )


def _journal(state: Path, *, repair: bool) -> Iterator[Finding]:
    path = state / "journal.db"
    if not path.exists():
        yield Finding(level="ok", what="the journal is empty")
        return
    problems: list[str] = []
    events = 0
    try:
        journal = Journal(path)
        try:
            problems = journal.problems()
            events, damaged = journal.count_events()
            if damaged:
                problems.append(f"{damaged} of {events} events are not as they were written")
        finally:
            journal.close()
    except JournalUnreadable as error:
        problems = [error.message]
    if not problems:
        yield Finding(level="ok", what=f"the journal: {events} events, all as they were written")
    elif not repair:
        yield Finding(
            level="error",
            what=f"the journal is damaged: {problems[0]}",
            hint="stagebook doctor --repair saves what can be read, and keeps the damaged file",
        )
    else:
        yield from _mend(path)


def _mend(path: Path) -> Iterator[Finding]:
    """Put the damaged journal aside, and what can be read of it into a new one."""
    try:
        found, lost = salvage(path)
    except DatabaseError:
        found, lost = [], -1
    aside = path.with_name(f"journal-damaged-{time.strftime('%Y%m%d-%H%M%S')}.db")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    journal = Journal(path)
    try:
        taken = journal.restore(found)
    finally:
        journal.close()
    told = "nothing of it could be read" if lost < 0 else f"{taken} events were saved, {lost} are lost"
    yield Finding(
        level="warning",
        what=f"the journal was damaged: {told}; the damaged file is {aside.relative_to(path.parent.parent)}",
        hint="results that are lost are made anew by the next run",
        mended=True,
    )


def _owners(state: Path, *, clock: Callable[[], float]) -> Iterator[Finding]:
    if not (state / "journal.db").exists():
        return
    with contextlib.suppress(JournalUnreadable):
        journal = Journal(state / "journal.db")
        try:
            for run in journal.close_ghosts(life_of, clock()):
                yield Finding(
                    level="warning",
                    what=f"the run {run} was marked as interrupted: its process is gone",
                    hint=f"go on with it: stagebook resume {run}",
                    mended=True,
                )
            for run, owner in journal.owners():
                if life_of(owner) is Life.UNSURE:
                    yield Finding(
                        level="warning",
                        what=f"the run {run} is held by process {owner.pid} on {owner.host}, which is stopped"
                        " or out of sight",
                        hint="the next run takes over once it gives no sign of life",
                    )
        finally:
            journal.close()


def _store(state: Path, blobs: Blobs, *, check: bool) -> Iterator[Finding]:
    if not blobs.folder.is_dir():
        return
    if not check:
        count = sum(1 for _ in blobs.digests())
        yield Finding(
            level="ok", what=f"the store: {count} blobs", hint="stagebook store verify reads them all"
        )
        return
    with contextlib.suppress(StagebookError):
        journal = Journal(state / "journal.db")
        try:
            found = verify(journal, blobs)
        finally:
            journal.close()
        if found.damaged:
            yield Finding(
                level="warning",
                what=f"{len(found.damaged)} of {found.blobs} blobs of the store were damaged, and are removed",
                hint="the stages that need them run again",
                mended=True,
            )
        else:
            yield Finding(level="ok", what=f"the store: {found.blobs} blobs, all as they were written")


def _leftovers(root: Path, state: Path, blobs: Blobs, *, repair: bool, now: float) -> Iterator[Finding]:
    """What processes that were killed left half-done."""
    left = blobs.leftovers(before=now - _OLD)
    for pattern in (".*.incoming", ".*.before"):
        left += [
            path
            for folder in _output_folders(root, state)
            for path in folder.glob(pattern)
            if path.lstat().st_mtime < now - _OLD
        ]
    if not left:
        return
    if repair:
        for path in left:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    yield Finding(
        level="warning",
        what=f"{len(left)} half-written files of runs that were killed, such as {left[0].name}",
        hint="" if repair else "stagebook doctor --repair removes them",
        mended=repair,
    )


def _output_folders(root: Path, state: Path) -> Iterator[Path]:
    """The folders that outputs were written to."""
    seen: set[Path] = set()
    with contextlib.suppress(StagebookError):
        journal = Journal(state / "journal.db")
        try:
            for path in journal.output_paths():
                folder = (root / path).parent
                if folder not in seen and folder.is_dir():
                    seen.add(folder)
                    yield folder
        finally:
            journal.close()

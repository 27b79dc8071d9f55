"""`stagebook doctor`: what is damaged in a project's state, and the way forward."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from stagebook.errors import JournalUnreadable
from stagebook.execution.runner.staging import remove
from stagebook.journal.journal import MLFLOW, Journal, Liveness
from stagebook.journal.repair import mend
from stagebook.runs.gc import verify
from stagebook.runs.lease import liveness_of
from stagebook.system.store import Store
from stagebook.workspace.paths import STATE_FOLDER

_ROOM = 1_000_000_000  # bytes
_OLD = 3600.0  # seconds after which a temporary file is nobody's any more
_TEMPORARY = re.compile(r"\..+\.\d+(\.[0-9a-f]+)?\.tmp")  # as `files.write_whole` names them


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
    if not os.path.lexists(state):
        yield Finding(level="ok", what="nothing was run here yet")
        return
    if not state.is_dir():
        yield Finding(
            level="error",
            what=f"{STATE_FOLDER} is not a folder",
            hint="move it away: it is made anew by the next run",
        )
        return
    yield from _room(root)
    closed = list(_permissions(state))
    yield from closed
    if any(item.level == "error" for item in closed):
        return
    yield from _journal(state, repair=repair, at=clock())
    store = Store(state / "store")
    with _opened(state) as journal:
        if journal is not None:
            yield from _owners(journal, at=clock())
            yield from _tracking(journal)
        yield from _store(journal, store, check=check_store)
        left = _Leftovers(root, journal, store, now=clock())
        yield from left.findings(repair=repair)


def _room(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free
    if free < _ROOM:
        yield Finding(
            level="warning",
            what=f"the disk has {free // 1_000_000} MB of room left",
            hint="stagebook store gc frees what is not needed any more",
        )


def _permissions(state: Path) -> Iterator[Finding]:
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            level="error",
            what=f"{state.name} cannot be read and written",
            hint=f"see whose it is, and whether the disk is read-only: ls -la {state}",
        )
    elif os.name == "posix" and state.stat().st_mode & 0o077:
        yield Finding(
            level="warning",
            what=f"{state.name} can be read by others on this machine",
            hint=f"chmod 700 {state}",
        )
    for name, mode in (("mlflow.db", 600), ("mlruns", 700)):
        place = (
            state.parent / name
        )  # where MLflow keeps what runs were given, unless the settings say otherwise
        with contextlib.suppress(OSError):
            if os.name == "posix" and place.stat().st_mode & 0o077:
                yield Finding(
                    level="warning",
                    what=f"{name} can be read by others on this machine: it was not made by a run",
                    hint=f"chmod {mode} {place}",
                )


# -- the journal --------------------------------------------------------------------------------


def _journal(state: Path, *, repair: bool, at: float) -> Iterator[Finding]:
    path = state / "journal.db"
    if not path.exists():
        if runs := _listed(state / "runs"):
            yield Finding(
                level="warning",
                what=f"there is no journal, though there are the folders of {len(runs)} runs",
                hint="what was recorded of them is lost; the next run makes new results",
            )
        else:
            yield Finding(level="ok", what="nothing is recorded yet")
        return
    try:
        events, problems = _examine_journal(path)
    except JournalUnreadable as error:
        yield Finding(level="error", what=error.message, hint=error.hint)
        return
    if not problems:
        yield Finding(level="ok", what=f"the journal: {events} events, all as they were written")
    elif not repair:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        yield Finding(
            level="error",
            what=f"the journal is damaged: {problems[0]}{more}",
            hint="stagebook doctor --repair saves what can be read, and keeps the damaged file",
        )
    elif users := _users_of(path):
        yield Finding(
            level="error",
            what=f"the journal is damaged, and in use: {', '.join(users)}",
            hint="end that first, and then again: stagebook doctor --repair",
        )
    else:
        yield _mend(path, at)


def _examine_journal(path: Path) -> tuple[int, list[str]]:
    """How many events a journal has, and what is wrong with it. Raises `JournalUnreadable` where it is
    not damaged, and yet cannot be used."""
    try:
        with contextlib.closing(Journal(path)) as journal:
            problems = journal.problems()
            counts = journal.count_damaged()
    except JournalUnreadable as error:
        if not error.damaged:
            raise
        return 0, [error.message]
    problems += [
        f"{bad} of {all_} {what} are not as they were written" for what, (all_, bad) in counts.items() if bad
    ]
    return counts["events"][0], problems


def _mend(path: Path, at: float) -> Finding:
    try:
        done = mend(path, at)
    except (JournalUnreadable, OSError) as error:
        return Finding(
            level="error",
            what=f"the journal is damaged, and no new one can be written: {error}",
            hint="see that there is room on the disk, and then again: stagebook doctor --repair",
        )
    lost = f", {done.lost} are lost" if done.lost else ""
    told = f"{done.saved} events were saved{lost}" if done.saved else "nothing of it could be read"
    return Finding(
        level="warning",
        what=f"the journal was damaged: {told}; the damaged one is kept as {STATE_FOLDER}/{done.aside.name}",
        hint="results that are lost are made anew by the next run",
        mended=True,
    )


def _users_of(path: Path) -> list[str]:
    """The other processes that have a file open."""
    found = []
    wanted = os.path.realpath(path)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(item.path == wanted for item in process.open_files()):
                found.append(f"process {process.pid} ({process.name()})")
    return found


@contextlib.contextmanager
def _opened(state: Path) -> Iterator[Journal | None]:
    """The journal, if there is one that can be read."""
    path, journal = state / "journal.db", None
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(JournalUnreadable):
            if path.exists():
                journal = opened.enter_context(contextlib.closing(Journal(path)))
        yield journal


def _owners(journal: Journal, *, at: float) -> Iterator[Finding]:
    try:
        for run in journal.close_abandoned(liveness_of, at):
            yield Finding(
                level="warning",
                what=f"the run {run} was marked as interrupted: its process is gone",
                hint=f"go on with it: stagebook resume {run}",
                mended=True,
            )
        for run, owner in journal.leases.owners():
            if liveness_of(owner) is Liveness.UNSURE:
                yield Finding(
                    level="warning",
                    what=f"the run {run} is held by process {owner.pid} on {owner.host}, which is stopped"
                    " or out of sight",
                    hint="the next run takes over once it gives no sign of life",
                )
    except JournalUnreadable as error:
        if error.locked:
            yield Finding(level="error", what=error.message, hint=error.hint)


def _tracking(journal: Journal) -> Iterator[Finding]:
    with contextlib.suppress(JournalUnreadable):
        left = journal.outbox.count_pending(MLFLOW)
        if left and (reason := journal.outbox.trouble(MLFLOW)):
            yield Finding(
                level="warning",
                what=f"MLflow did not take {left} records: {reason}",
                hint="stagebook sync delivers them once that is mended",
            )
        for run, what in journal.outbox.passed_over(MLFLOW):
            yield Finding(
                level="warning",
                what=f"MLflow does not take something of the run {run}, which was passed over: {what}",
                hint=f"the run itself has it: stagebook logs {run}",
            )


# -- the store, and what was left half-done -----------------------------------------------------


def _store(journal: Journal | None, store: Store, *, check: bool) -> Iterator[Finding]:
    if not store.folder.is_dir():
        return
    if not check:
        count = sum(1 for _ in store.blobs.digests())
        hint = "stagebook doctor --store reads them all"
        yield Finding(level="ok", what=f"the store: {count} blobs", hint=hint)
        return
    try:
        found = verify(journal, store)
    except JournalUnreadable:
        found = verify(None, store)
    if found.damaged:
        yield Finding(
            level="warning",
            what=f"{len(found.damaged)} of {found.blobs} blobs of the store were damaged, and are removed",
            hint="the stages that need them run again",
            mended=True,
        )
    else:
        yield Finding(level="ok", what=f"the store: {found.blobs} blobs, all as they were written")
    if found.missing:
        yield Finding(
            level="warning",
            what=f"{len(found.missing)} blobs that results refer to are not there",
            hint="the stages that need them run again",
        )


class _Leftovers:
    """What processes that were killed left half-done."""

    def __init__(self, root: Path, journal: Journal | None, store: Store, *, now: float) -> None:
        self._root = root
        self._state = root / STATE_FOLDER
        self._before = now - _OLD
        self._outputs: list[str] = []
        self._going_on: set[str] = set()
        with contextlib.suppress(JournalUnreadable):
            if journal is not None:
                self._outputs = journal.results.output_paths()
                self._going_on = {run for run, _parent in journal.runs.unfinished()}
        self._blobs = store.blobs

    def findings(self, *, repair: bool) -> Iterator[Finding]:
        """What there is; with `repair` it is put back, or removed."""
        for final, before in self._taken_away():
            if repair and not os.path.lexists(final):
                before.rename(final)
            yield Finding(
                level="warning",
                what=f"{final.relative_to(self._root)} was taken away by a run that was killed before it put"
                f" the new one there{'; it is back' if repair else ''}",
                hint="" if repair else "stagebook doctor --repair puts it back",
                mended=repair,
            )
        left = [*self._blobs.leftovers(before=self._before), *self._beside_outputs(), *self._in_state()]
        if not left:
            return
        if repair:
            for path in left:
                remove(path)
        yield Finding(
            level="warning",
            what=f"{len(left)} half-written files of processes that were killed, such as {left[0].name}",
            hint="" if repair else "stagebook doctor --repair removes them",
            mended=repair,
        )

    def _taken_away(self) -> list[tuple[Path, Path]]:
        """Outputs that are not in their places, and what was there before."""
        return [(final, path) for final, path in self._marked(".before") if not os.path.lexists(final)]

    def _beside_outputs(self) -> list[Path]:
        found = [*self._marked(".incoming"), *self._marked(".before")]
        return [path for final, path in found if path.suffix == ".incoming" or os.path.lexists(final)]

    def _marked(self, suffix: str) -> Iterator[tuple[Path, Path]]:
        """Outputs, and what lies beside them under a name that `staging` gives."""
        for output in self._outputs:
            final = self._root / output
            pattern = re.compile(rf"\.{re.escape(final.name)}\.(\d+)\{suffix}")
            for path in _listed(final.parent):
                match = pattern.fullmatch(path.name)
                if match and self._is_old(path) and not psutil.pid_exists(int(match[1])):
                    yield final, path

    def _in_state(self) -> Iterator[Path]:
        """Temporary files, and what attempts did not come to publish."""
        found = [path for path in _listed(self._state) if path.name.startswith("journal.db.new")]
        folders = [self._state, self._state / "cache", self._state / "cache" / "scripts"]
        for run in _listed(self._state / "runs"):
            if run.name not in self._going_on:
                attempts = [attempt for stage in _listed(run) for attempt in _listed(stage)]
                folders += attempts
                found += [attempt / "outputs" for attempt in attempts if (attempt / "outputs").is_dir()]
                found += [attempt for attempt in attempts if attempt.name == "restored"]
        found += [path for folder in folders for path in _listed(folder) if _TEMPORARY.fullmatch(path.name)]
        yield from filter(self._is_old, found)

    def _is_old(self, path: Path) -> bool:
        # The time at which it came here: a link keeps the times of what it is a link to.
        with contextlib.suppress(OSError):
            return path.lstat().st_ctime < self._before
        return False


def _listed(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())
    return []

"""A new journal of what can still be read of a damaged one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from pathlib import Path

from stagebook.journal.database import rows_of_damaged
from stagebook.journal.journal import Journal
from stagebook.journal.outbox import MLFLOW
from stagebook.journal.salvage import salvage
from stagebook.journal.tick_table import ROWS

_FILES = ("", "-wal", "-shm")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """How many events were saved, how many before the last of them are lost, and where the damaged journal
    is now."""

    saved: int
    lost: int
    aside: Path


def mend(path: Path, at: float) -> Mended:
    """Put a new journal in the place of a damaged one, which nobody may use meanwhile. `at`: seconds since
    the epoch. A death on the way leaves the damaged journal, or the new one.

    Raises:
        JournalUnreadable, OSError: the new one cannot be written; nothing changed.
    """
    found = salvage(path)
    last = max(found, default=0)
    new = path.with_name("journal.db.new")
    _remove(new)
    with contextlib.closing(Journal(new)) as journal:
        saved = journal.restore(found, at)
        journal.outbox.take_over(_positions(path, last), _tracked(path))
        journal.ticks.take_over(*(rows_of_damaged(path, rows) for rows in ROWS))
    aside = _copy_aside(path, at)
    # The log first: SQLite would take it for that of the new journal.
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    new.replace(path)
    return Mended(saved=saved, lost=last - saved, aside=aside)


def _positions(path: Path, last: int) -> dict[str, int]:
    """What consumers had taken. Where that is lost, it counts as all: nobody is told a thing twice."""
    rows = rows_of_damaged(path, "SELECT consumer, seq FROM positions")
    known = {name: min(seq, last) for name, seq in rows if isinstance(name, str) and isinstance(seq, int)}
    return known if MLFLOW in known or not last else {**known, MLFLOW: last}


def _tracked(path: Path) -> dict[str, tuple[str, str]]:
    rows = rows_of_damaged(path, "SELECT key, experiment, mlflow_run FROM tracked")
    return {row[0]: (row[1], row[2]) for row in rows if all(isinstance(value, str) for value in row)}


def _copy_aside(path: Path, at: float) -> Path:
    name = f"journal-damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}"
    aside, count = path.with_name(f"{name}.db"), 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{name}-{count}.db")
    if path.is_dir():
        path.rename(aside)
    for suffix in _FILES:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(f"{path}{suffix}", f"{aside}{suffix}")
            os.chmod(f"{aside}{suffix}", 0o600)
    return aside


def _remove(path: Path) -> None:
    for suffix in _FILES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)

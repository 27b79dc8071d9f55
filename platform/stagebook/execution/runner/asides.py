"""The former versions of outputs that notebooks write in their places: moved aside before an attempt, put back if it fails.

A notebook that is not passed the path of an output writes where others read. It begins with nothing there, so that its
result depends on no earlier one, and a reader never takes what an earlier run left for what this one made. What was there
stays beside it under a hidden name, and a record of that stays in the state of the project: a run that was killed has it put
back by the next command that finds the run abandoned (`recover`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.execution.attempt import Attempt
from stagebook.execution.runner.staging import remove
from stagebook.system.files import make_private, write_whole
from stagebook.workspace.paths import STATE_FOLDER, PathRefused, inside_for_output

FOLDER = "asides"


class Asides:
    """Those of one run in the project at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._records: dict[str, Path] = {}  # by the marker of the attempt

    def take(self, attempt: Attempt) -> None:
        """Move aside what is in the places of the outputs that an attempt is about to write there. Raises `OSError` or
        `PathRefused`; then everything is where it was."""
        paths = [slot.path for slot in attempt.outputs.values() if slot.is_in_place]
        if not paths:
            return
        for path in paths:
            if (place := inside_for_output(self._root, path)) != path:
                raise PathRefused(f"'{path}' leads to {place} now")
        mark = hashlib.sha256(attempt.marker.encode()).hexdigest()[:12]
        # Without a name beside it nothing was there.
        aside = {path: _beside(path, mark) if os.path.lexists(self._root / path) else "" for path in paths}
        record = self._root / STATE_FOLDER / FOLDER / f"{mark}.json"
        make_private(record.parent)
        about = {"run": attempt.run, "stage": attempt.stage, "attempt": attempt.number}
        write_whole(record, json.dumps({**about, "aside": aside}).encode(), durable=True)
        self._records[attempt.marker] = record
        try:
            for path, kept in aside.items():
                if kept:
                    (self._root / path).rename(self._root / kept)
        except OSError:
            _put_back(self._root, aside)
            self._forget(attempt)
            raise

    def put_back(self, attempt: Attempt) -> None:
        """Remove what a failed attempt wrote, and put back what was there before."""
        if attempt.marker in self._records:
            _put_back(self._root, self._read(attempt))
            self._forget(attempt)

    def drop(self, attempt: Attempt) -> None:
        """Remove what a completed attempt took the place of."""
        if attempt.marker in self._records:
            _drop(self._root, self._read(attempt))
            self._forget(attempt)

    def _read(self, attempt: Attempt) -> Mapping[str, str]:
        found = _read(self._records[attempt.marker])
        return found["aside"] if found is not None else {}

    def _forget(self, attempt: Attempt) -> None:
        with contextlib.suppress(OSError):
            self._records.pop(attempt.marker).unlink()


def recover(root: Path, outcome: Callable[[str, str, int], bool | None]) -> list[str]:
    """Put back what runs that are over had moved aside; the paths of the outputs. `outcome`: whether an attempt (run, stage,
    number) completed; `None` while its run goes on."""
    found: list[str] = []
    for record, about in _records(root / STATE_FOLDER / FOLDER):
        completed = outcome(about["run"], about["stage"], about["attempt"])
        if completed is None:
            continue
        if completed:
            _drop(root, about["aside"])
        else:
            found += _put_back(root, about["aside"])
        with contextlib.suppress(OSError):
            record.unlink()
    return found


def _put_back(root: Path, aside: Mapping[str, str]) -> list[str]:
    found = []
    for path, kept in aside.items():
        if not os.path.lexists(root / (kept or path)):
            continue  # it was never moved, or is back already; or nothing was written
        remove(root / path)
        with contextlib.suppress(OSError):
            if kept:
                (root / kept).rename(root / path)
        found.append(path)
    return found


def _drop(root: Path, aside: Mapping[str, str]) -> None:
    for kept in filter(None, aside.values()):
        remove(root / kept)


def _beside(path: str, mark: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{mark}.before" if folder else f".{name}.{mark}.before"


def _records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    try:
        records: Iterable[Path] = sorted(folder.glob("*.json"))
    except OSError:
        return
    for record in records:
        if (about := _read(record)) is not None:
            yield record, about


def _read(record: Path) -> dict[str, Any] | None:
    """What a record says; `None` where it is none, or names what is no path of the project."""
    try:
        about = json.loads(record.read_bytes())
        run, stage, number, aside = (about[key] for key in ("run", "stage", "attempt", "aside"))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    paths = [*aside, *aside.values()] if isinstance(aside, dict) else [None]
    known = isinstance(run, str) and isinstance(stage, str) and isinstance(number, int)
    if not known or not all(isinstance(it, str) and not _leads_out(it) for it in paths):
        return None
    return {"run": run, "stage": stage, "attempt": number, "aside": aside}


def _leads_out(path: str) -> bool:
    return os.path.isabs(path) or ".." in path.split("/")

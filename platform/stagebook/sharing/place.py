"""Where a shared store is: what it is asked for, whatever holds its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

SLOWEST = 500_000  # bytes a second of a transfer; what is slower counts as not answering


class PlaceFailed(Exception):
    """A place could not do what it was asked for. `hint` says what to do; `slow`: it did not answer in time."""

    def __init__(self, message: str, *, hint: str = "", slow: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.slow = slow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a place. `path` is relative to the place, with `/`; `size` in bytes; `changed` in seconds since the epoch,
    `None` where the place does not tell."""

    path: str
    size: int
    changed: float | None

    @property
    def name(self) -> str:
        """Its name in its folder."""
        return self.path.rpartition("/")[2]


class Place(Protocol):
    """Files by their paths. No file is seen before it is whole. Every method may raise `PlaceFailed`."""

    def find(self, path: str) -> Entry | None:
        """A file; `None` where there is none."""

    def list(self, folder: str, *, deep: bool = False) -> Sequence[Entry]:
        """The files of a folder, or with `deep` all below it; none where there is no such folder."""

    def read(self, path: str) -> bytes | None:
        """What a file holds; `None` where there is none."""

    def download(self, path: str, target: Path, size: int) -> bool:
        """Write what a file holds to `target`; whether there is such a file. `size` in bytes is how much may come."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file; one that is there already is replaced."""

    def upload(self, source: Path, path: str) -> None:
        """Write a file with what `source` holds."""

    def renew(self, path: str, source: Path) -> None:
        """Make a file count as changed now. It holds what `source` holds."""

    def remove(self, path: str, *, unless_newer: float | None = None) -> bool:
        """Remove a file, unless it changed after a time (seconds since the epoch); whether it is gone."""

    def close(self) -> None:
        """Let go of what asking takes. It may be asked again."""

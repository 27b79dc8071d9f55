"""What was found out about files, remembered by their stat, so that nothing is read twice.

A file counts as the same while its size, mtime, ctime, inode and device are. The change time
(ctime) is among them because any program can set the mtime back, and none the ctime. What was
changed within the last moments is not remembered: a second change in the same tick of the clock
would leave the same stat (git calls such an entry racy).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.system.files import list_folder, make_private, sha256_of, write_whole

VERSION = 1
RACY = 100_000_000  # nanoseconds; a tick of the clock of a file system takes up to 20 ms
MAX_ENTRIES = 200_000

Stat = tuple[int, int, int, int, int]


def stat_of(path: str | Path) -> Stat:
    """What a file is recognised by. Raises `OSError`."""
    found = os.stat(path)
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


class Memo:
    """Facts about files by kind, such as `sha256`. With a `path` they outlive the process; a file
    there that is damaged is as good as none. Not for use from several threads."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._clock = clock
        self._entries: dict[str, tuple[Stat, dict[str, Any]]] = {}
        self._used: set[str] = set()
        self._changed = False
        self._loaded = path is None

    def digest(self, file: str | Path) -> str:
        """The SHA-256 of a file's content, in hex. Raises `OSError`."""
        return str(self._derive(file, "sha256", sha256_of))

    def derive(self, file: str | Path, kind: str, compute: Callable[[bytes], Any]) -> Any:
        """What `compute` makes of a file's content: plain data (JSON). Raises `OSError`, and what
        `compute` raises."""
        return self._derive(file, kind, lambda path: compute(Path(path).read_bytes()))

    def note(self, file: str | Path, kind: str, value: Any) -> None:
        """Remember what is known of a file as it is now."""
        with contextlib.suppress(OSError):
            self._remember(str(file), stat_of(file), kind, value, self._clock())

    def describe(self, path: Path, shown: str) -> Artifact:
        """As `files.describe_path`, remembered. Raises `OSError`."""
        if not path.is_dir():
            digest = self.digest(path)
            return Artifact(path=shown, size=path.stat().st_size, sha256=digest)
        size, text = list_folder(path, self.digest)
        digest = hashlib.sha256(text).hexdigest()
        return Artifact(path=shown, size=size, sha256=digest, folder=True)

    def save(self) -> None:
        """Write it down, as far as it can be: it is worth time, and nothing else."""
        if self._path is None or not self._changed:
            return
        kept = self._entries
        if len(kept) > MAX_ENTRIES:
            kept = {name: entry for name, entry in kept.items() if name in self._used}
        body = json.dumps({"v": VERSION, "files": kept}, separators=(",", ":")).encode()
        head = hashlib.sha256(body).hexdigest().encode() + b"\n"
        with contextlib.suppress(OSError):
            make_private(self._path.parent)
            write_whole(self._path, head + body)
            self._changed = False

    # -- inside ---------------------------------------------------------------------------------

    def _derive(self, file: str | Path, kind: str, compute: Callable[[str], Any]) -> Any:
        if not self._loaded:
            self._load()
        name = str(file)
        for _ in range(5):
            looked, before = self._clock(), stat_of(name)
            known = self._entries.get(name)
            if known is not None and known[0] == before and kind in known[1]:
                self._used.add(name)
                return known[1][kind]
            value = compute(name)
            if stat_of(name) == before:
                break  # else it changed while it was read: what was read is of neither state
        else:
            return value
        self._remember(name, before, kind, value, looked)
        return value

    def _remember(self, name: str, stat: Stat, kind: str, value: Any, looked: int) -> None:
        """`looked`: when, before the content was read. That takes time, too, in which the tick goes by."""
        if not self._loaded:
            self._load()
        latest = max(stat[1], stat[2])
        if not latest < looked - RACY:
            return
        self._used.add(name)
        self._changed = True
        known = self._entries.get(name)
        if known is not None and known[0] == stat:
            known[1][kind] = value
        else:
            self._entries[name] = (stat, {kind: value})

    def _load(self) -> None:
        self._loaded = True
        assert self._path is not None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            head, _, body = self._path.read_bytes().partition(b"\n")
            if head.decode() != hashlib.sha256(body).hexdigest():
                return
            data = json.loads(body)
            if data["v"] == VERSION:
                self._entries = {name: (tuple(stat), facts) for name, (stat, facts) in data["files"].items()}


@contextlib.contextmanager
def remembered(path: Path) -> Iterator[Memo]:
    """A memo that is written down at the end."""
    memo = Memo(path)
    try:
        yield memo
    finally:
        memo.save()

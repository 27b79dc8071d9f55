"""A cache of what files hold, such as their hashes, so that no file is read twice.

A file counts as unchanged while its size, mtime, ctime, inode and device are. The change time (ctime) is
among them because any program can set the mtime back, and none the ctime. A file that changed within the last
moments is not cached: a second change in the same tick of the clock would leave the same stat (git calls such
an entry racy). How long a tick is depends on the file system: some keep whole seconds.

No stat tells of a write through a shared memory map: `reread` and `verify` are for what may have been written so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stagebook.system.files import load_cache, save_cache, sha256_of, walk

VERSION = 1
RACY = 100_000_000  # nanoseconds; a tick of the clock of a file system takes up to 20 ms
COARSE = 2_000_000_000 + RACY  # the same where times are whole seconds; FAT counts in twos
MAX_ENTRIES = 200_000
MAX_REREAD = 16 * 2**20  # bytes that are read again after each attempt

Stat = tuple[int, int, int, int, int]


def stat_of(path: str | Path) -> Stat:
    """The values that tell a file from what it was before a change. Raises `OSError`."""
    found = os.stat(path)
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def tick(*times: int) -> int:
    """How many nanoseconds after these times of a file a change may go by without another time, to be on the safe
    side."""
    return COARSE if all(time % 1_000_000_000 == 0 for time in times) else RACY


class FileCache:
    """Values of files by kind, such as `sha256`. Not for use from several threads."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], int] = time.time_ns) -> None:
        """`path` is the file that `save` writes and that is read at first use; a damaged one counts as empty.
        Without it nothing outlives the process. `clock` returns nanoseconds since the epoch."""
        self._path = path
        self._clock = clock
        self._used: set[str] = set()
        self._changed = False
        self._verifies = False

    def digest(self, file: str | Path) -> str:
        """The SHA-256 of a file's content, in hex. Raises `OSError`."""
        return str(self._derive(file, "sha256", sha256_of))

    def derive(self, file: str | Path, kind: str, compute: Callable[[bytes], Any]) -> Any:
        """What `compute` makes of a file's content: plain data (JSON), kept as this `kind`. Raises `OSError`,
        and what `compute` raises."""
        return self._derive(file, kind, lambda path: compute(Path(path).read_bytes()))

    def note(self, file: str | Path, kind: str, value: Any) -> None:
        """Keep a value that was known of a file once it was written, and that has the same stat now. Where times
        are whole seconds, the file may have been written again since."""
        with contextlib.suppress(OSError):
            stat = stat_of(file)
            if tick(stat[1], stat[2]) == RACY:
                self._remember(str(file), stat, kind, value, self._clock())

    def verify(self, wanted: bool) -> None:  # noqa: FBT001 - said by an option
        """Whether to trust no hash of before: every file is read, and by `reread` whatever its size."""
        self._verifies = wanted
        if wanted:
            self._entries.clear()

    def reread(self, paths: Iterable[Path]) -> None:
        """Read files, and those of folders, anew when their hashes are asked for next, though their stats are as they
        were: the smallest first, `MAX_REREAD` bytes in all."""
        sizes: list[tuple[int, str]] = []
        for path in paths:
            with contextlib.suppress(OSError):
                if path.is_dir():
                    sizes += [(size, file) for _, file, size in walk(path)]
                else:
                    sizes.append((path.stat().st_size, str(path)))
        left = MAX_REREAD
        for size, file in sorted(sizes):
            left -= size
            if left < 0 and not self._verifies:
                break
            if (known := self._entries.get(file)) is not None:
                known[1].pop("sha256", None)

    def save(self) -> None:
        """Write the cache to its file, if anything changed."""
        if self._path is None or not self._changed:
            return
        kept = self._entries
        if len(kept) > MAX_ENTRIES:
            kept = {name: entry for name, entry in kept.items() if name in self._used}
        self._changed = not save_cache(self._path, {"v": VERSION, "files": kept})

    def _derive(self, file: str | Path, kind: str, compute: Callable[[str], Any]) -> Any:
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
        """`looked`: the time before the content was read, since the tick may go by while it is read."""
        latest = max(stat[1], stat[2])
        if not latest < looked - tick(stat[1], stat[2]):
            return
        self._used.add(name)
        self._changed = True
        known = self._entries.get(name)
        if known is not None and known[0] == stat:
            known[1][kind] = value
        else:
            self._entries[name] = (stat, {kind: value})

    @functools.cached_property
    def _entries(self) -> dict[str, tuple[Stat, dict[str, Any]]]:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            data = load_cache(self._path) if self._path else {}
            if data["v"] == VERSION:
                return {name: (tuple(stat), values) for name, (stat, values) in data["files"].items()}
        return {}

"""A shared store behind a URL or a connection, asked through a process of its own (`place_process`): one that does not
answer is left, and nothing here waits for it any longer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.sharing.asker import Asker
from stagebook.sharing.place import SLOWEST, Entry


class DistantPlace:
    """The files behind a URL. `opened` is what the process is told to open, as `place_process` takes it; `patience`: seconds
    for an answer, to which the time of a transfer is added. Threads may share it."""

    def __init__(self, root: Path, opened: Mapping[str, str], *, patience: float) -> None:
        self._asker = Asker(root, opened)
        self._patience = patience

    def find(self, path: str) -> Entry | None:
        """A file; `None` where there is none. Raises `PlaceFailed`."""
        found = self._ask("find", path=path)
        return None if found is None else _entry(found)

    def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
        """The files of a folder, or with `deep` all below it. Raises `PlaceFailed`."""
        seconds = 10 * self._patience if deep else 0.0
        return [_entry(item) for item in self._ask("list", seconds, folder=folder, deep=deep)]

    def read(self, path: str) -> bytes | None:
        """What a file holds; `None` where there is none. Raises `PlaceFailed`."""
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "file"
            return target.read_bytes() if self.download(path, target, 0) else None

    def download(self, path: str, target: Path, size: int) -> bool:
        """Write what a file holds to `target`; whether there is such a file. Raises `PlaceFailed`."""
        return bool(self._ask("download", size / SLOWEST, path=path, target=str(target)))

    def write(self, path: str, data: bytes) -> None:
        """Write a file. Raises `PlaceFailed`."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "file"
            source.write_bytes(data)
            self.upload(source, path)

    def upload(self, source: Path, path: str) -> None:
        """Write a file with what `source` holds. Raises `PlaceFailed`."""
        self._ask("upload", source.stat().st_size / SLOWEST, path=path, source=str(source))

    def renew(self, path: str, source: Path) -> None:
        """Write a file again, so that it counts as changed now. Raises `PlaceFailed`."""
        self.upload(source, path)

    def remove(self, path: str, *, unless_newer: float | None = None) -> bool:
        """Remove a file, unless it changed after a time; whether it is gone. Raises `PlaceFailed`."""
        return bool(self._ask("remove", path=path, unless_newer=unless_newer))

    def close(self) -> None:
        """End the process."""
        self._asker.close()

    def _ask(self, what: str, seconds: float = 0.0, **arguments: Any) -> Any:
        return self._asker.ask({"what": what, **arguments}, self._patience + seconds)


def _entry(found: Mapping[str, Any]) -> Entry:
    return Entry(path=found["path"], size=found["size"], changed=found["changed"])

"""A shared store in a folder that is mounted here."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from stagebook.sharing.place import Entry, PlaceFailed

INCOMING = "incoming"  # what is being written; it is renamed once it is whole
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


class FolderPlace:
    """The files below a folder, which has to be there: a disk that is not mounted is not to be filled in its place.
    Folders and files in it can be read, and folders written to, by whom the folder itself can be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, path: str) -> Entry | None:
        """A file; `None` where there is none. Raises `PlaceFailed`."""
        with _told(self.folder):
            try:
                found = os.stat(self.folder / path)
            except (FileNotFoundError, NotADirectoryError):
                self._check()
                return None
            return _entry(path, found) if stat.S_ISREG(found.st_mode) else None

    def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
        """The files of a folder, or with `deep` all below it. Raises `PlaceFailed`."""
        with _told(self.folder):
            self._check()
            return list(self._listed(folder, deep=deep))

    def _listed(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        try:
            entries = sorted(os.scandir(self.folder / folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from self._listed(path, deep=True)
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield _entry(path, entry.stat())

    def read(self, path: str) -> bytes | None:
        """What a file holds; `None` where there is none. Raises `PlaceFailed`."""
        with _told(self.folder):
            try:
                return (self.folder / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                self._check()
                return None

    def download(self, path: str, target: Path, size: int) -> bool:  # noqa: ARG002 - a copy takes what it takes
        """Copy a file to `target`; whether there is such a file. Raises `PlaceFailed`, and `OSError` where `target` cannot
        be written."""
        with _told(self.folder):
            try:
                source = open(self.folder / path, "rb")  # noqa: SIM115 - closed below
            except (FileNotFoundError, NotADirectoryError):
                self._check()
                return False
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        return True

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole. Raises `PlaceFailed`."""
        with _told(self.folder), self._incoming(path) as temporary:
            temporary.write_bytes(data)

    def upload(self, source: Path, path: str) -> None:
        """Copy a file to a path, whole. Raises `PlaceFailed`."""
        with _told(self.folder), self._incoming(path) as temporary:
            shutil.copyfile(source, temporary)

    def renew(self, path: str, source: Path) -> None:
        """Make a file count as changed now; who does not own it writes it again. Raises `PlaceFailed`."""
        try:
            os.utime(self.folder / path)
        except OSError:
            self.upload(source, path)

    def remove(self, path: str, *, unless_newer: float | None = None) -> bool:
        """Remove a file, unless it changed after a time; whether it is gone. Raises `PlaceFailed`."""
        place = self.folder / path
        with _told(self.folder):
            if unless_newer is None:
                place.unlink(missing_ok=True)
                return True
            # Out of the way first: whoever needs it now either misses it, and writes it again, or has renewed it before.
            aside = self._temporary()
            try:
                place.rename(aside)
            except FileNotFoundError:
                return True
            if os.stat(aside).st_mtime > unless_newer and not place.exists():
                aside.rename(place)
                return False
            aside.unlink()
        return True

    def close(self) -> None:
        """Nothing is held."""

    @contextlib.contextmanager
    def _incoming(self, path: str) -> Iterator[Path]:
        """A file beside the others, which takes the place of `path` once it is written. Raises `OSError`."""
        target, temporary = self.folder / path, self._temporary()
        self._make(target.parent)
        try:
            yield temporary
            temporary.chmod(os.stat(self.folder).st_mode & 0o444)
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)

    def _temporary(self) -> Path:
        self._make(self.folder / INCOMING)
        return self.folder / INCOMING / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _make(self, folder: Path) -> None:
        if folder.is_dir() or folder == self.folder:
            self._check()
            return
        self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(stat.S_IMODE(os.stat(self.folder).st_mode))

    def _check(self) -> None:
        if not self.folder.is_dir():
            raise PlaceFailed(
                "there is no such folder",
                hint=f"mount the disk that it is on, or make it once: mkdir -p {self.folder}",
            )


def _entry(path: str, found: os.stat_result) -> Entry:
    return Entry(path=path, size=found.st_size, changed=found.st_mtime)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Tell the errors of the system as `PlaceFailed`."""
    try:
        yield
    except OSError as error:
        hint = f"see who may read and write there: ls -la {folder}" if error.errno in _CLOSED else ""
        if error.errno in _FULL:
            hint = "make room there: stagebook store gc --remote"
        raise PlaceFailed(error.strerror or str(error), hint=hint) from error

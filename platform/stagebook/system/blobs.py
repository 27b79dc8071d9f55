"""Blobs: read-only files in one folder, each named by the SHA-256 of its content.

A blob is a copy of its own, by reflink where the file system can (FICLONE, ioctl_ficlone(2)): no file of a
project is ever a hard link to one, so no notebook can write into the store. What comes out is hashed on the
way; a blob that does not match its name is removed and counts as missing. The time of change (mtime) of a
blob is when it was last kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from stagebook.system.files import make_private, sha256_of, umask

with contextlib.suppress(ImportError):  # Windows has none
    import fcntl

_FICLONE = 0x40049409  # linux/fs.h
_PIECE = 1 << 20  # bytes
_HEX = frozenset("0123456789abcdef")


class BlobDamaged(Exception):
    """A blob is missing, or does not match its name; then it has been removed."""


class Blobs:
    """The blobs below `folder`, by their digests (SHA-256 in hex). Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bad: dict[str, int] = {}  # damaged ones that could not be removed, by their inodes

    def path(self, digest: str) -> Path:
        """The place of a blob."""
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether a blob is there; only reading it shows whether it is intact."""
        if not is_digest(digest):
            return False
        try:
            found = os.stat(self.path(digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and self._bad.get(digest) != found.st_ino

    def is_intact(self, digest: str) -> bool:
        """Whether a blob is there and matches its name."""
        with contextlib.suppress(OSError):
            return sha256_of(self.path(digest)) == digest
        return False

    def is_newer(self, digest: str, than: float) -> bool:
        """Whether a blob was kept after a time (seconds since the epoch)."""
        with contextlib.suppress(OSError):
            return self.path(digest).stat().st_mtime > than
        return False

    def keep_file(self, path: Path) -> str:
        """Keep a file, which is read once; its digest. Raises `OSError`."""
        with _temporary(self.folder) as temporary:
            digest = sha256_of(temporary) if _clone(path, temporary) else _copy(path, temporary)
            self._put(temporary, digest)
        return digest

    def keep_bytes(self, data: bytes) -> str | None:
        """Keep some bytes; their digest, or `None` where they cannot be written."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            if self.is_intact(digest):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(self.path(digest))  # else `discard` may remove it a moment later
                    return digest
            with _temporary(self.folder) as temporary:
                temporary.write_bytes(data)
                self._put(temporary, digest)
        except OSError:
            return None
        return digest

    def _put(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        make_private(target.parent)
        temporary.chmod(0o400)
        temporary.rename(target)

    def fetch(self, digest: str, target: Path, *, executable: bool = False) -> None:
        """Write the content of a blob to `target`.

        Raises:
            BlobDamaged: the blob is missing or damaged; `target` is not to be used.
            OSError: `target` cannot be written.
        """
        source = self.path(digest)
        if not self.has(digest):
            raise self.damaged(digest, "is not in the store")
        try:
            found = sha256_of(target) if _clone(source, target) else _copy(source, target)
        except OSError:
            if self.is_intact(digest):
                raise  # then it is the target that cannot be written
            raise self.damaged(digest, "in the store cannot be read") from None
        if found != digest:
            raise self.damaged(digest, "in the store is damaged")
        target.chmod((0o777 if executable else 0o666) & ~umask())

    def read(self, digest: str) -> str | None:
        """The content of a blob as text, what is not UTF-8 as lone surrogates; `None` if it is missing or
        damaged, and then it is removed."""
        if not is_digest(digest):
            return None
        with contextlib.suppress(OSError):
            data = self.path(digest).read_bytes()
            if hashlib.sha256(data).hexdigest() == digest:
                return data.decode("utf-8", "surrogateescape")
        self.remove(digest)
        return None

    def remove(self, digest: str) -> None:
        """Remove a blob; one that cannot be removed counts as missing."""
        if is_digest(digest):
            path = self.path(digest)
            try:
                path.unlink(missing_ok=True)
            except OSError:
                with contextlib.suppress(OSError):
                    self._bad[digest] = path.stat().st_ino

    def damaged(self, digest: str, how: str) -> BlobDamaged:
        """Remove a blob; the error to raise, with `how` after the beginning of its digest."""
        self.remove(digest)
        return BlobDamaged(f"{digest[:12]} {how}")

    def digests(self) -> Iterator[tuple[str, int]]:
        """All blobs: digest, size in bytes."""
        for near in _entries(self.folder):
            if len(near.name) == 2 and near.is_dir(follow_symlinks=False):
                for item in _entries(near.path):
                    if is_digest(near.name + item.name) and item.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            yield near.name + item.name, item.stat(follow_symlinks=False).st_size

    def discard(self, digest: str, *, unless_newer: float) -> int | None:
        """Remove a blob that nothing refers to, unless it was kept after a time (seconds since the epoch); the
        bytes that this frees, `None` where it stays."""
        path = self.path(digest)
        if self.is_newer(digest, unless_newer):
            return None
        with contextlib.suppress(OSError), _temporary(self.folder) as aside:
            # Out of the way first: whoever wants to keep it now either finds it gone, and keeps it anew,
            # or has touched it before, which is seen here.
            path.rename(aside)
            found = aside.stat()
            if found.st_mtime <= unless_newer:
                return found.st_size
            if not path.exists():
                aside.rename(path)
        return None

    def leftovers(self, *, before: float) -> list[Path]:
        """Files that killed processes left half-written before a time (seconds since the epoch)."""
        found = []
        for entry in _entries(self.folder / "incoming"):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    found.append(Path(entry.path))
        return found


def touch(blobs: Blobs, digest: str) -> bool:
    """Note that a blob is to be kept from now on; whether it is there."""
    if not blobs.has(digest):
        return False
    try:
        os.utime(blobs.path(digest))
    except OSError:
        return False
    return True


def size_of(blobs: Blobs, digest: str) -> int | None:
    """How large a blob is, in bytes; `None` where it is not there."""
    if blobs.has(digest):
        with contextlib.suppress(OSError):
            return blobs.path(digest).stat().st_size
    return None


def receive(blobs: Blobs, digest: str, write: Callable[[Path], bool]) -> bool | None:
    """Keep a blob that `write` brings from elsewhere, as the file that it is given; `None` where that brought nothing,
    `False` where it is not what its name says: then nothing is kept. Raises `OSError`."""
    with _temporary(blobs.folder) as temporary:
        if not write(temporary):
            return None
        if sha256_of(temporary) != digest:
            return False
        target = blobs.path(digest)
        make_private(target.parent)
        temporary.chmod(0o400)
        temporary.rename(target)
    return True


def is_digest(text: str) -> bool:
    """Whether a text has the form of a blob's name."""
    return len(text) == 64 and _HEX.issuperset(text)


@contextlib.contextmanager
def _temporary(store: Path) -> Iterator[Path]:
    folder = store / "incoming"
    make_private(folder)
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _clone(source: Path, target: Path) -> bool:
    """Share the content of a file copy-on-write, where the file system can."""
    if sys.platform != "linux":
        return False
    try:
        with source.open("rb") as one, target.open("wb") as other:
            fcntl.ioctl(other.fileno(), _FICLONE, one.fileno())
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path) -> str:
    """Copy a file; the digest of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as one, target.open("wb") as other:
        while piece := one.read(_PIECE):
            digest.update(piece)
            other.write(piece)
    return digest.hexdigest()

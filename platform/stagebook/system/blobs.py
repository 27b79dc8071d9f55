"""A content-addressed store of files: a blob is named by the SHA-256 of its content.

Blobs are read-only copies of their own, by reflink where the file system can (FICLONE, ioctl_ficlone(2)):
no file of a project is ever a hard link to one, so no notebook can write into the store. What comes
out is hashed on the way; a blob that is not what its name says is removed, and as good as none.

A folder is kept as the list that its hash is made of (`files.list_folder`): a blob of lines
`sha256  relative/path`, and a blob for each file. The time of change (mtime) of a blob says when it was
last asked to be kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.system.files import EMPTY, list_folder, make_private, sha256_of, walk

_FICLONE = 0x40049409  # linux/fs.h
_PIECE = 1 << 20  # bytes
_SPARE = 1 << 28  # bytes that stay free on the disk
_HEX = frozenset("0123456789abcdef")


class BlobDamaged(Exception):
    """A blob is not there, or not what its name says; it has been removed."""


class Blobs:
    """The blobs below one folder. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bad: dict[str, int] = {}  # damaged ones that could not be removed, by their inodes

    def path(self, digest: str) -> Path:
        """Where a blob is, if it is there."""
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether a blob is there; `fetch` finds out whether it is what its name says."""
        if not _is_digest(digest):
            return False
        try:
            found = os.stat(self.path(digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and self._bad.get(digest) != found.st_ino

    def holds(self, output: Artifact) -> bool:
        """Whether all of an output is there that `keep` kept."""
        if not output.kept or not self.has(output.sha256):
            return False
        if not output.folder:
            return True
        try:
            return all(self.has(item) for item, _ in self._listed(output.sha256) if item != EMPTY)
        except BlobDamaged:
            return False

    # -- in -------------------------------------------------------------------------------------

    def keep(self, path: Path, shown: str, *, most: int | None = None) -> Artifact:
        """Keep a file or folder; the artifact, with the path `shown`. What is larger than `most` bytes, or
        than the disk has room for, is described and not kept. Raises `OSError` where it cannot be read."""
        if path.is_dir():
            return self._keep_folder(path, shown, most)
        found = path.stat()
        digest, kept = self._keep_file(path, wanted=self._has_room(found.st_size, most))
        executable = bool(found.st_mode & 0o111)
        return Artifact(path=shown, size=found.st_size, sha256=digest, kept=kept, executable=executable)

    def _has_room(self, size: int, most: int | None) -> bool:
        if most is not None and size > most:
            return False
        with contextlib.suppress(OSError):
            make_private(self.folder)
            return shutil.disk_usage(self.folder).free > size + min(_SPARE, 4 * size + (1 << 20))
        return False

    def _keep_folder(self, path: Path, shown: str, most: int | None) -> Artifact:
        found = list(walk(path))
        # A name with the end of a line in it could not be read out of the list again.
        kept = self._has_room(sum(size for _, _, size in found), most) and not any(
            "\n" in n for n, _, _ in found
        )

        def keep(file: str) -> str:
            nonlocal kept
            digest, was_kept = self._keep_file(Path(file), wanted=kept)
            kept = kept and was_kept
            return digest

        size, text = list_folder(path, keep)
        if kept:
            kept = self.keep_bytes(text) is not None
        digest = hashlib.sha256(text).hexdigest()
        executable = tuple(name for name, file, _ in found if name[-1] != "/" and os.access(file, os.X_OK))
        return Artifact(
            path=shown, size=size, sha256=digest, kept=kept, folder=True, executable=executable or False
        )

    def keep_bytes(self, data: bytes) -> str | None:
        """Keep some bytes; their digest, or None where that cannot be."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            if self.is_intact(digest):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(self.path(digest))  # else `discard` may remove it a moment later
                    return digest
            with self._incoming() as temporary:
                temporary.write_bytes(data)
                self._put(temporary, digest)
        except OSError:
            return None
        return digest

    def _keep_file(self, path: Path, *, wanted: bool) -> tuple[str, bool]:
        """The digest of a file, and whether it is kept: in one reading, and hashed as it is kept."""
        if not wanted:
            return sha256_of(path), False
        try:
            with self._incoming() as temporary:
                digest = sha256_of(temporary) if _clone(path, temporary) else _copy(path, temporary)
                self._put(temporary, digest)
                return digest, True
        except OSError:
            return sha256_of(path), False  # the store's trouble is not the stage's

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[Path]:
        folder = self.folder / "incoming"
        make_private(folder)
        descriptor, name = tempfile.mkstemp(dir=folder)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name)

    def _put(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        make_private(target.parent)
        temporary.chmod(0o400)
        temporary.rename(target)

    # -- out ------------------------------------------------------------------------------------

    def fetch(self, output: Artifact, target: Path) -> None:
        """Write what `keep` kept to `target`, which is not there yet.

        Raises:
            BlobDamaged: a blob is missing or damaged; nothing is left at `target`.
            OSError: it cannot be written.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        executable = output.executable
        try:
            if output.folder:
                names = executable if isinstance(executable, tuple) else ()
                self._fetch_folder(output.sha256, target, frozenset(names))
            else:
                self._fetch_file(output.sha256, target, executable=bool(executable))
        except BaseException:
            shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
            raise

    def _fetch_folder(self, digest: str, target: Path, executable: frozenset[str]) -> None:
        target.mkdir()
        for item, name in self._listed(digest):
            file = target / name
            if item == EMPTY:
                file.mkdir(parents=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._fetch_file(item, file, executable=name in executable)

    def _fetch_file(self, digest: str, target: Path, *, executable: bool = False) -> None:
        source = self.path(digest)
        if not self.has(digest):
            raise self._damaged(digest, "is not in the store")
        try:
            found = sha256_of(target) if _clone(source, target) else _copy(source, target)
        except OSError:
            if self.is_intact(digest):
                raise  # then it is the target that cannot be written
            raise self._damaged(digest, "in the store cannot be read") from None
        if found != digest:
            raise self._damaged(digest, "in the store is damaged")
        umask = os.umask(0o077)
        os.umask(umask)
        target.chmod((0o777 if executable else 0o666) & ~umask)

    def _damaged(self, digest: str, how: str) -> BlobDamaged:
        if _is_digest(digest):
            path = self.path(digest)
            try:
                path.unlink(missing_ok=True)
            except OSError:
                with contextlib.suppress(OSError):
                    self._bad[digest] = path.stat().st_ino
        return BlobDamaged(f"{digest[:12]} {how}")

    def _listed(self, digest: str) -> list[tuple[str, str]]:
        """The list of a folder: digests and relative paths. Raises `BlobDamaged`."""
        found = []
        for line in self._read(digest).decode("utf-8", "surrogateescape").split("\n")[:-1]:
            item, _, name = line.partition("  ")
            parts = name.removesuffix("/").split("/") if item == EMPTY else name.split("/")
            if not (item == EMPTY or _is_digest(item)) or not {"", ".", ".."}.isdisjoint(parts):
                raise self._damaged(digest, "in the store is not the list of a folder")
            found.append((item, name))
        return found

    def _read(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except OSError:
            raise self._damaged(digest, "is not in the store") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._damaged(digest, "in the store is damaged")
        return data

    def read_text(self, digest: str) -> str | None:
        """What `keep_bytes` kept, as text; None if it is not there."""
        try:
            return self._read(digest).decode("utf-8", "surrogateescape") if _is_digest(digest) else None
        except BlobDamaged:
            return None

    # -- looking after it -----------------------------------------------------------------------

    def digests(self) -> Iterator[tuple[str, int]]:
        """All blobs with their sizes in bytes."""
        for near in _entries(self.folder):
            if len(near.name) == 2 and near.is_dir(follow_symlinks=False):
                for item in _entries(near.path):
                    if _is_digest(near.name + item.name) and item.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            yield near.name + item.name, item.stat(follow_symlinks=False).st_size

    def is_intact(self, digest: str) -> bool:
        """Whether a blob is what its name says."""
        try:
            return sha256_of(self.path(digest)) == digest
        except OSError:
            return False

    def members(self, digest: str) -> list[str]:
        """The blobs of the files of a folder."""
        try:
            return [item for item, _ in self._listed(digest) if item != EMPTY]
        except BlobDamaged:
            return []

    def remove(self, digest: str) -> None:
        """Remove a blob."""
        self._damaged(digest, "is removed")

    def is_newer(self, digest: str, than: float) -> bool:
        """Whether a blob was kept after a time (seconds since the epoch)."""
        try:
            return self.path(digest).stat().st_mtime > than
        except OSError:
            return False

    def discard(self, digest: str, *, unless_newer: float) -> int | None:
        """Remove a blob that nothing refers to; how many bytes that frees. None where somebody keeps it
        anew."""
        path = self.path(digest)
        if self.is_newer(digest, unless_newer):
            return None
        with contextlib.suppress(OSError), self._incoming() as aside:
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
        """What processes that were killed left half-written before a time."""
        found = []
        for entry in _entries(self.folder / "incoming"):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    found.append(Path(entry.path))
        return found


def _is_digest(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _clone(source: Path, target: Path) -> bool:
    """Share the content of a file copy-on-write, where the file system can."""
    try:
        import fcntl  # noqa: PLC0415 - not there on Windows
    except ImportError:
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

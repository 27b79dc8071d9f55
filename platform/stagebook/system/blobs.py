"""A content-addressed store of files: a blob is named by the SHA-256 of its content.

Blobs are read-only copies of their own, by reflink where the file system can (FICLONE, ioctl_ficlone(2)):
no file of a project is ever a hard link to one, so no notebook can write into the store. What comes
out is hashed on the way; a blob that is not what its name says is removed, and as good as none.

A folder is kept as the list that its hash is made of (`files.describe_path`): a blob of lines
`sha256  relative/path`, and a blob for each file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

    def path(self, digest: str) -> Path:
        """Where a blob is, if it is there."""
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether a blob is there; `fetch` finds out whether it is what its name says."""
        return len(digest) == 64 and self.path(digest).is_file()

    def holds(self, output: dict[str, Any] | Any) -> bool:
        """Whether all of an output is there that `keep` kept."""
        digest = str(output.get("sha256", ""))
        if not output.get("kept") or not self.has(digest):
            return False
        if not output.get("folder"):
            return True
        try:
            return all(self.has(item) for item, _ in _listed(self.path(digest).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return False

    # -- in -------------------------------------------------------------------------------------

    def keep(self, path: Path, shown: str, *, most: int | None = None) -> dict[str, Any]:
        """Keep a file or folder, and describe it: `{path, size, sha256, kept}`, with `folder` or
        `executable` where it is one. What is larger than `most` bytes, or than the disk has room
        for, is described and not kept. Raises `OSError` where it cannot be read."""
        if path.is_dir():
            return self._keep_folder(path, shown, most)
        size = path.stat().st_size
        digest, kept = self._keep_file(path, self._has_room(size, most))
        found: dict[str, Any] = {"path": shown, "size": size, "sha256": digest, "kept": kept}
        if path.stat().st_mode & 0o111:
            found["executable"] = True
        return found

    def _has_room(self, size: int, most: int | None) -> bool:
        if most is not None and size > most:
            return False
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return shutil.disk_usage(self.folder).free > size + min(_SPARE, 4 * size + (1 << 20))
        return False

    def _keep_folder(self, path: Path, shown: str, most: int | None) -> dict[str, Any]:
        files = sorted(item for item in path.rglob("*") if item.is_file())
        size = sum(file.stat().st_size for file in files)
        kept = self._has_room(size, most)
        lines = []
        for file in files:
            name = file.relative_to(path).as_posix()
            if "\n" in name:
                kept = False  # the list could not be read again
            digest, was_kept = self._keep_file(file, kept)
            kept = kept and was_kept
            lines.append(f"{digest}  {name}\n")
        text = "".join(lines).encode("utf-8", "surrogateescape")
        digest = hashlib.sha256(text).hexdigest()
        if kept:
            kept = self.keep_bytes(text) is not None
        return {"path": shown, "size": size, "sha256": digest, "kept": kept, "folder": True}

    def keep_bytes(self, data: bytes) -> str | None:
        """Keep some bytes; their digest, or None where that cannot be."""
        digest = hashlib.sha256(data).hexdigest()
        if self.has(digest):
            return digest
        try:
            with self._incoming() as temporary:
                temporary.write_bytes(data)
                self._put(temporary, digest)
        except OSError:
            return None
        return digest

    def _keep_file(self, path: Path, wanted: bool) -> tuple[str, bool]:
        """The digest of a file, and whether it is kept: in one reading, and hashed as it is kept."""
        if not wanted:
            return _hash(path), False
        try:
            with self._incoming() as temporary:
                if not _clone(path, temporary):
                    digest = _copy(path, temporary)
                else:
                    digest = _hash(temporary)
                self._put(temporary, digest)
                return digest, True
        except OSError:
            return _hash(path), False  # the store's trouble is not the stage's

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[Path]:
        folder = self.folder / "incoming"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=folder)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name)

    def _put(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.chmod(0o400)
        temporary.rename(target)

    # -- out ------------------------------------------------------------------------------------

    def fetch(self, output: dict[str, Any] | Any, target: Path) -> None:
        """Write what `keep` kept to `target`, which is not there yet.

        Raises:
            BlobDamaged: a blob is missing or damaged; nothing is left at `target`.
            OSError: it cannot be written.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not output.get("folder"):
                self._fetch_file(str(output["sha256"]), target, executable=bool(output.get("executable")))
                return
            target.mkdir()
            listing = self._read(str(output["sha256"])).decode("utf-8", "surrogateescape")
            for digest, name in _listed(listing):
                file = target / name
                file.parent.mkdir(parents=True, exist_ok=True)
                self._fetch_file(digest, file)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
            raise

    def _fetch_file(self, digest: str, target: Path, *, executable: bool = False) -> None:
        source = self.path(digest)
        try:
            found = _hash(target) if _clone(source, target) else _copy(source, target)
        except FileNotFoundError as error:
            msg = f"the store has no {digest[:12]}"
            raise BlobDamaged(msg) from error
        if found != digest:
            self._remove(digest)
            msg = f"{digest[:12]} in the store is damaged"
            raise BlobDamaged(msg)
        umask = os.umask(0o077)
        os.umask(umask)
        target.chmod((0o777 if executable else 0o666) & ~umask)

    def _read(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except OSError as error:
            msg = f"the store has no {digest[:12]}"
            raise BlobDamaged(msg) from error
        if hashlib.sha256(data).hexdigest() != digest:
            self._remove(digest)
            msg = f"{digest[:12]} in the store is damaged"
            raise BlobDamaged(msg)
        return data

    def read_text(self, digest: str) -> str | None:
        """What `keep_bytes` kept, as text; None if it is not there."""
        try:
            return self._read(digest).decode("utf-8", "surrogateescape")
        except BlobDamaged:
            return None

    # -- looking after it -----------------------------------------------------------------------

    def digests(self) -> Iterator[tuple[str, int]]:
        """All blobs with their sizes in bytes."""
        if not self.folder.is_dir():
            return
        for near in sorted(os.scandir(self.folder), key=lambda item: item.name):
            if len(near.name) == 2 and set(near.name) <= _HEX and near.is_dir(follow_symlinks=False):
                for item in sorted(os.scandir(near.path), key=lambda found: found.name):
                    yield near.name + item.name, item.stat(follow_symlinks=False).st_size

    def is_intact(self, digest: str) -> bool:
        """Whether a blob is what its name says."""
        try:
            return _hash(self.path(digest)) == digest
        except OSError:
            return False

    def members(self, digest: str) -> list[str]:
        """The blobs of the files of a folder."""
        try:
            return [item for item, _ in _listed(self.path(digest).read_text(encoding="utf-8"))]
        except (OSError, ValueError):
            return []

    def remove(self, digest: str) -> int:
        """Remove a blob; how many bytes that frees."""
        try:
            size = self.path(digest).stat().st_size
        except OSError:
            return 0
        self._remove(digest)
        return size

    def _remove(self, digest: str) -> None:
        with contextlib.suppress(OSError):
            self.path(digest).unlink()

    def is_newer(self, digest: str, than: float) -> bool:
        """Whether a blob came here after a time (seconds since the epoch)."""
        try:
            return self.path(digest).stat().st_ctime > than
        except OSError:
            return False

    def leftovers(self, *, before: float) -> list[Path]:
        """What processes that were killed left half-written before a time."""
        folder = self.folder / "incoming"
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.stat().st_mtime < before)


def _listed(text: str) -> Iterator[tuple[str, str]]:
    """The lines of a folder's list. Raises `ValueError` for what is none."""
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        parts = name.split("/")
        if len(digest) != 64 or not name or name.startswith("/") or ".." in parts:
            msg = f"not a line of a folder's list: {line[:100]!r}"
            raise ValueError(msg)
        yield digest, name


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


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

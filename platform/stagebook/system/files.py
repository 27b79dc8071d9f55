"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from stagebook.artifact import Artifact


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file by a temporary one and a rename, so that no reader sees a part of it.

    With `durable` it is on the disk before the rename. Raises `OSError`; then nothing changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def make_private(folder: Path) -> None:
    """Make a folder for this user alone (mode 0700), with those above it: what `mkdir` is told holds for
    the last one. Raises `OSError`."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


MAX_SOCKET_FOLDER = 80  # characters: a socket's whole path has to fit into 107 (unix(7))


def private_name() -> str:
    """A name for a temporary folder for sockets, with a short path. Nobody else knows it, and nothing is
    made: what is never needed need not be removed."""
    base = tempfile.gettempdir()
    if len(base) + 20 > MAX_SOCKET_FOLDER and os.name == "posix":
        base = "/tmp"  # noqa: S108 - the name cannot be guessed, and the folder is of this user alone
    return os.path.join(base, f"sb-{secrets.token_hex(6)}")


def private_folder(name: str = "") -> str:
    """A new temporary folder for sockets, of this user alone (mode 0700), with a short path. A `name` is
    one that `private_name` gave."""
    folder = name or private_name()
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)  # made by a worker that this one was started in place of
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.getuid():
            raise
    return folder


def describe_path(path: Path, shown: str) -> Artifact:
    """A file, or all that is in a folder taken together, as an artifact with the path `shown`.

    The hash of a folder is that of its list (`list_folder`). Raises `OSError`.
    """
    if path.is_dir():
        size, text = list_folder(path, sha256_of)
        digest = hashlib.sha256(text).hexdigest()
        return Artifact(path=shown, size=size, sha256=digest, folder=True)
    return Artifact(path=shown, size=path.stat().st_size, sha256=sha256_of(path))


EMPTY = "-" * 64  # in the list of a folder, in place of a hash: a folder without anything in it


def list_folder(path: Path, digest: Callable[[str], str]) -> tuple[int, bytes]:
    """The size of all files of a folder, and the list of them: a line `sha256  relative/path` for each,
    sorted, and one for each empty folder, with `EMPTY` and a slash at its end. Links are followed.
    Raises `OSError`."""
    size, lines = 0, []
    for name, file, length in walk(path):
        size += length
        lines.append(f"{EMPTY if name.endswith('/') else digest(file)}  {name}\n")
    return size, "".join(lines).encode("utf-8", "surrogateescape")


def walk(path: str | Path) -> Iterator[tuple[str, str, int]]:
    """The files below a folder, sorted: relative path, path, size in bytes. An empty folder comes with a
    slash at the end of its relative path. Raises `OSError`."""
    yield from _walk(str(path), "", frozenset())


def _walk(folder: str, shown: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, str, int]]:
    here = os.stat(folder)
    mark = (here.st_dev, here.st_ino)
    if mark in above:
        return  # a link to a folder that it is in
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if shown and not entries:
        yield shown, folder, 0
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{shown}{entry.name}/", above | {mark})
        elif entry.is_file():
            yield shown + entry.name, entry.path, entry.stat().st_size


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hex. Raises `OSError`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Files and folders: written whole or not at all, walked, hashed, described."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.system import delta_log

_LONE = re.compile("[\ud800-\udfff]")


def utf8(text: str) -> bytes:
    """The text in UTF-8, with U+FFFD in place of lone surrogates, which have no place in it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", text).encode()


def write_whole(path: Path, data: bytes, *, durable: bool = False, mode: int = 0o666) -> None:
    """Write a file by a temporary one and a rename, so that no reader sees a part of it.

    `durable`: the data is on the disk before the rename. `mode`: less what the umask takes away. Raises `OSError`; then
    nothing changed.
    """
    # Several threads of a process may write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident():x}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def umask() -> int:
    """The umask of this process. Only where Linux does not tell it, it is set for a moment."""
    with (
        contextlib.suppress(OSError),
        open("/proc/self/status", encoding="utf-8", errors="replace") as status,
    ):
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    found = os.umask(0o077)
    os.umask(found)
    return found


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, for this user alone (mode 0700). Raises `OSError`."""
    if not folder.is_dir():
        make_private(folder.parent)  # `mkdir` applies its mode to the last folder only
        folder.mkdir(mode=0o700, exist_ok=True)


def save_cache(path: Path, data: Mapping[str, Any]) -> bool:
    """Write plain data (JSON) with a checksum; whether that was possible. A cache saves time and nothing else,
    so that failing to write it is no error."""
    body = json.dumps(data, separators=(",", ":")).encode()
    try:
        make_private(path.parent)
        write_whole(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    except OSError:
        return False
    return True


def load_cache(path: Path) -> Any:
    """What `save_cache` wrote; an empty mapping where there is no such file, or a damaged one."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        head, _, body = path.read_bytes().partition(b"\n")
        if head.decode() == hashlib.sha256(body).hexdigest():
            return json.loads(body)
    return {}


MAX_SOCKET_FOLDER = 80  # characters: a socket's whole path has to fit into 107 (unix(7))


def private_name() -> str:
    """A short path for a temporary folder for sockets, which nobody can guess. The folder is not made: one that
    is never needed need not be removed."""
    base = os.path.abspath(tempfile.gettempdir())  # `TMPDIR` may be `.`
    if len(base) + 20 > MAX_SOCKET_FOLDER and os.name == "posix":
        base = "/tmp"  # noqa: S108 - the name cannot be guessed, and the folder is of this user alone
    return os.path.join(base, f"sb-{secrets.token_hex(6)}")


def private_folder(name: str = "") -> str:
    """Make a temporary folder for sockets, for this user alone (mode 0700). `name` is a path from
    `private_name`; without it, a new one. Raises `OSError`."""
    folder = name or private_name()
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)  # made by the worker that this one replaces
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.getuid():
            raise
    return folder


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hex. Raises `OSError`, also for what is no file: a pipe has no end."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_path(path: Path, shown: str, digest: Callable[[str], str] = sha256_of) -> Artifact:
    """A file or folder as an artifact with the path `shown`. The hash of a folder is the one of its list
    (`list_folder`), and that of a Delta table the one that its present version was published with; of one that another
    writer made, that of its folder. `digest` returns the hash of a file. Raises `OSError`."""
    if path.is_dir():
        if (known := delta_log.published(path)) is not None:
            return Artifact(
                path=shown,
                size=known.size,
                sha256=known.content.removesuffix("/"),
                folder=True,
                version=known.version,
            )
        size, text = list_folder(path, digest)
        return Artifact(path=shown, size=size, sha256=hashlib.sha256(text).hexdigest(), folder=True)
    return Artifact(path=shown, size=path.stat().st_size, sha256=digest(str(path)))


EMPTY = "-" * 64  # in the list of a folder: in place of the hash of an empty folder


def list_folder(path: Path, digest: Callable[[str], str]) -> tuple[int, bytes]:
    """The size of all files of a folder in bytes, and their list: sorted lines `sha256  relative/path`, and
    for an empty folder `EMPTY  relative/path/`. Links are followed. Raises `OSError`."""
    size, lines = 0, []
    for name, file, length in walk(path):
        size += length
        lines.append(f"{EMPTY if name.endswith('/') else digest(file)}  {name}\n")
    return size, "".join(lines).encode("utf-8", "surrogateescape")


def walk(path: str | Path) -> Iterator[tuple[str, str, int]]:
    """The files below a folder, sorted: relative path, path, size in bytes. The relative path of an empty folder
    ends in a slash. Raises `OSError`."""
    yield from _walk(str(path), "", frozenset())


def _walk(folder: str, shown: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, str, int]]:
    here = os.stat(folder)
    mark = (here.st_dev, here.st_ino)
    if mark in above:
        return  # a link to a folder above it
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if shown and not entries:
        yield shown, folder, 0
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{shown}{entry.name}/", above | {mark})
        elif entry.is_file():
            yield shown + entry.name, entry.path, entry.stat().st_size

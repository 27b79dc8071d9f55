"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any


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


MAX_SOCKET_FOLDER = 80  # characters: a socket's whole path has to fit into 107 (unix(7))


def private_folder() -> str:
    """A new temporary folder for sockets, of this user alone (mode 0700), with a short path."""
    folder = tempfile.mkdtemp(prefix="sb-")
    if len(folder) > MAX_SOCKET_FOLDER and os.name == "posix":
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="sb-", dir="/tmp")
    return folder


def describe_path(path: Path, shown: str) -> dict[str, Any]:
    """`{path, size, sha256}` of a file, or of all files of a folder taken together.

    The hash of a folder is that of the sorted lines `sha256  relative/path` of its files.
    Raises `OSError`.
    """
    if path.is_dir():
        size, lines = 0, []
        for file in sorted(item for item in path.rglob("*") if item.is_file()):
            size += file.stat().st_size
            lines.append(f"{_sha256(file)}  {file.relative_to(path).as_posix()}\n")
        return {"path": shown, "size": size, "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}
    return {"path": shown, "size": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""The one resolver of paths: whatever a file or an argument names stays inside the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

STATE_FOLDER = ".stagebook"
MAX_LENGTH = 1_000  # characters of a path
_STAY_INSIDE = "files of a pipeline live inside its project"
MAX_NAME = 200  # bytes of one name in it; file systems take 255, and temporary names are longer


class PathRefused(ValueError):
    """The path leaves the project or is no path. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def inside(root: Path, text: str, plain_folders: set[str] | None = None) -> str:
    """The path `text`, relative to `root`, with `/`, without `.` and `..`, and with the symlinks
    among its folders followed, so that one file has one path. `plain_folders` remembers the folders
    that are no symlinks and below none, for many paths in few folders.

    Raises:
        PathRefused: it is empty, absolute, climbs out with `..`, leads out through a symlink, or is
            nothing that a file system takes.
    """
    _check_text(text)
    normal = os.path.normpath(text)
    _check_text(normal)  # `./~` names what `~` does
    if normal == ".." or normal.startswith(".." + os.sep):
        raise PathRefused(f"'{text}' leaves the project", _STAY_INSIDE)
    folder = os.path.dirname(normal)
    is_plain = plain_folders is not None and folder in plain_folders
    if is_plain and not os.path.islink(os.path.join(root, normal)):
        return PurePosixPath(normal).as_posix()
    real_root = os.path.realpath(root)
    plain = os.path.normpath(os.path.join(real_root, normal))
    real = os.path.realpath(plain)
    if real == plain:
        if plain_folders is not None and os.path.isdir(os.path.dirname(plain)):
            plain_folders.add(folder)
        return PurePosixPath(Path(normal)).as_posix()
    folder, name = os.path.split(plain)
    folder = os.path.realpath(folder)
    for place in (folder, real):
        if os.path.commonpath([real_root, place]) != real_root:
            msg = f"'{text}' leads out of the project through a symlink, to {place}"
            raise PathRefused(msg, _STAY_INSIDE)
    found = PurePosixPath(Path(os.path.relpath(os.path.join(folder, name), real_root))).as_posix()
    _check_text(found)  # a link may lead to a file that is called `~`
    return found


def folders_around(path: str) -> Iterator[str]:
    """The folders around a path of the project, from the inside."""
    while path := path.rpartition("/")[0]:
        yield path


def _check_text(text: str) -> None:
    if not text.strip():
        raise PathRefused("the path is empty")
    if not text.isprintable():
        raise PathRefused(f"'{text}' holds a character that cannot be seen", "remove it")
    if "://" in text:
        msg = f"'{text}' is a URL, not a path of the project"
        hint = f"an output that the notebook writes there itself is {{path: '{text}', kind: external}}"
        raise PathRefused(msg, hint)
    if text.startswith(("/", "~", "\\")) or (len(text) > 1 and text[1] == ":"):
        msg = f"'{text}' is not relative to the project"
        raise PathRefused(msg, "write it relative to the project root, such as data/name.parquet")
    if len(text) > MAX_LENGTH or any(len(part.encode()) > MAX_NAME for part in text.split("/")):
        raise PathRefused(f"'{text[:40]}…' is longer than a path may be")


def inside_for_output(root: Path, text: str, plain_folders: set[str] | None = None) -> str:
    """As `inside`, for a path that a run writes to. The project's own state is refused as well."""
    path = inside(root, text, plain_folders)
    parts = [part.casefold() for part in path.split("/")]
    if path == "." or parts[0] == STATE_FOLDER or ".git" in parts:
        what = "the project root" if path == "." else ".git/" if ".git" in parts else f"{path.split('/')[0]}/"
        raise PathRefused(f"an output cannot be written to {what}", "choose a path such as data/name.parquet")
    return path

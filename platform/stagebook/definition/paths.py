"""The one resolver of paths: whatever a file or an argument names stays inside the project."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

STATE_FOLDER = ".stagebook"


class PathRefused(ValueError):
    """The path leaves the project or is no path. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def inside(root: Path, text: str) -> str:
    """The path `text`, relative to `root`, with `/` and without `.` and `..`.

    Raises:
        PathRefused: it is empty, absolute, climbs out with `..`, or leads out through a symlink.
    """
    if not text.strip() or "\0" in text:
        msg = "the path is empty" if not text.strip() else "the path holds a zero byte"
        raise PathRefused(msg)
    if text.startswith(("/", "~", "\\")) or (len(text) > 1 and text[1] == ":"):
        msg = f"'{text}' is not relative to the project"
        raise PathRefused(msg, "write it relative to the project root, such as data/name.parquet")
    normal = os.path.normpath(text)
    if normal == ".." or normal.startswith(".." + os.sep):
        msg = f"'{text}' leaves the project"
        raise PathRefused(msg, "files of a pipeline live inside its project")
    real_root = os.path.realpath(root)
    real = os.path.realpath(os.path.join(real_root, normal))
    if os.path.commonpath([real_root, real]) != real_root:
        msg = f"'{text}' leads out of the project through a symlink, to {real}"
        raise PathRefused(msg, "files of a pipeline live inside its project")
    return PurePosixPath(Path(normal)).as_posix()


def inside_for_output(root: Path, text: str) -> str:
    """As `inside`, for a path that a run writes to. The project's own state is refused as well."""
    path = inside(root, text)
    first = path.split("/", maxsplit=1)[0]
    if path == "." or first in {STATE_FOLDER, ".git"}:
        what = "the project root" if path == "." else f"{first}/"
        msg = f"an output cannot be written to {what}"
        raise PathRefused(msg, "choose a path such as data/name.parquet")
    return path

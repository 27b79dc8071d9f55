"""Patterns of paths, as in `data/**/*.csv`: `*` and `?` stand for signs of one name, `[ab]` for one of these signs, and `**` for
any folders. What begins with a dot is left out, unless the pattern names it."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_SIGNS = frozenset("*?[")


def is_pattern(text: str) -> bool:
    """Whether a text may stand for several paths."""
    return not _SIGNS.isdisjoint(text)


def folder_of(pattern: str) -> str:
    """The folder that all that fits a pattern is in."""
    first = next((at for at, sign in enumerate(pattern) if sign in _SIGNS), len(pattern))
    return pattern[:first].rpartition("/")[0]


def fits(path: str, pattern: str) -> bool:
    """Whether a path, with `/`, is one that a pattern stands for."""
    return _fit(path.split("/"), pattern.split("/"))


def _fit(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:  # a `**` at the end stands for a name at least
        return not parts and not pattern
    if pattern[0] == "**":
        return any(_fit(parts[at:], pattern[1:]) for at in _depths(parts))
    return bool(parts) and _fits_name(parts[0], pattern[0]) and _fit(parts[1:], pattern[1:])


def _depths(parts: Sequence[str]) -> Iterator[int]:
    """How many folders `**` may stand for."""
    for at, part in enumerate(parts):
        yield at
        if part.startswith("."):
            return
    yield len(parts)


def _fits_name(name: str, pattern: str) -> bool:
    hidden = name.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatch.fnmatchcase(name, pattern)


def matches(root: Path, pattern: str, most: int) -> list[str]:
    """The files of a project that a pattern stands for, in order; one more than `most` where there are more."""
    found: dict[str, None] = {}
    for name in glob.iglob(pattern, root_dir=root, recursive=True):
        if os.path.isfile(os.path.join(root, name)):  # with a slash at its end it is no file
            found[name.replace(os.sep, "/")] = None
        if len(found) > most:
            break
    return sorted(found)

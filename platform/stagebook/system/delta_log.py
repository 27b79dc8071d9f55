"""The log of a Delta table, as far as it is JSON: which version is the present one, and what Stagebook noted of it.

The format is https://github.com/delta-io/delta/blob/master/PROTOCOL.md. A version is the file `N.json` of the log, whose
number has 20 digits; it is there whole or not at all, since it is linked to its name. The actions of a commit that
Stagebook made begin with `commitInfo`, and that has a `stagebook`: the run, the stage and the attempt that made the
version, and the content of the whole table as an `Artifact` has it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOG = "_delta_log"
NOTE = "stagebook"
_WORDS = 200  # characters that name a writer, at most
_VERSION = re.compile(r"(\d{20})\.json")


class LogDamaged(Exception):
    """A commit cannot be read; the text says which, and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The present version of a table, as Stagebook noted it: its number, and the content and size (bytes) of all files
    that it consists of."""

    version: int
    content: str
    size: int


def is_table(path: Path) -> bool:
    """Whether a folder is a Delta table, be it a damaged one."""
    return (path / LOG).is_dir()


def commit_path(table: Path, version: int) -> Path:
    """The file of a version."""
    return table / LOG / f"{version:020d}.json"


def versions(table: Path) -> list[int]:
    """The versions whose commits are there, the latest first. None where there is no table."""
    with contextlib.suppress(OSError):
        found = (_VERSION.fullmatch(name) for name in os.listdir(table / LOG))
        return sorted((int(match[1]) for match in found if match), reverse=True)
    return []


def actions(table: Path, version: int) -> list[dict[str, Any]]:
    """The actions of a commit. Raises `LogDamaged`."""
    path = commit_path(table, version)
    try:
        lines = path.read_bytes().splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise LogDamaged(f"version {version} cannot be read: {reason}") from error
    if not found or not all(isinstance(action, dict) for action in found):
        raise LogDamaged(f"version {version} cannot be read: it is damaged")
    return found


def info(table: Path, version: int) -> dict[str, Any]:
    """What a commit says of itself (`commitInfo`). Raises `LogDamaged`."""
    for action in actions(table, version):
        if isinstance(found := action.get("commitInfo"), dict):
            return found
    return {}


def note(table: Path, version: int) -> Mapping[str, Any]:
    """What Stagebook noted in a commit; nothing in one that another writer made. Raises `LogDamaged`."""
    found = info(table, version).get(NOTE)
    return found if isinstance(found, dict) else {}


def notes(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The versions that Stagebook made, the latest first, with what it noted; those that cannot be read are left out."""
    for version in versions(table):
        with contextlib.suppress(LogDamaged):
            if found := note(table, version):
                yield version, found


def writer(table: Path, version: int) -> str:
    """Who made a version, in words: a run, or what another tool says of itself."""
    with contextlib.suppress(LogDamaged):
        told = info(table, version)
        made = told.get(NOTE)
        if isinstance(made, dict) and made.get("run"):
            dataset = ".".join(str(made.get(name)) for name in ("pipeline", "stage", "output"))
            return f"the run {made['run']} ({dataset})"[:_WORDS]
        if engine := told.get("engineInfo"):
            return f"{engine} ({told.get('operation', 'unknown')})"[:_WORDS]
    return "another writer"


def published(table: Path) -> Published | None:
    """The present version, if it is one that Stagebook made."""
    latest = next(iter(versions(table)), None)
    if latest is None:
        return None
    with contextlib.suppress(LogDamaged, KeyError, TypeError, ValueError):
        found = note(table, latest)
        return Published(version=latest, content=str(found["content"]), size=int(found["size"]))
    return None

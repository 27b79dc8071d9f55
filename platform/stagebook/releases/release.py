"""A release as a value, and the file that it is kept in.

A release is a list of files by their SHA-256, which are blobs of the store, and the versions that they were released with. Its
id is the hash of both: the same code has the same id, whoever releases it, wherever and when.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError
from stagebook.system.files import make_private, write_whole

FOLDER = "releases"  # in the state of a project
SHORT = 10  # characters of an id, for people
_VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedFile:
    """A file of a release. `why`: what it is there for."""

    sha256: str
    size: int
    why: str
    executable: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A bundle of code.

    Attributes:
        files: by their paths in the project.
        versions: of the distributions that the notebooks import, by name; and of Python.
        pipelines: their names.
        commit: of the checkout that it was made from; empty without one.
        changed: the paths of its files that were not as in the commit.
        at: when it was made first, in seconds since the epoch.
        by: who made it.
        note: what its maker said of it.
    """

    files: Mapping[str, ReleasedFile]
    versions: Mapping[str, str]
    pipelines: tuple[str, ...]
    commit: str = ""
    changed: tuple[str, ...] = ()
    at: float = 0.0
    by: str = ""
    note: str = ""

    @property
    def id(self) -> str:
        """The SHA-256 of its files and versions, in hex."""
        what = {
            "files": {path: [one.sha256, one.executable] for path, one in sorted(self.files.items())},
            "versions": dict(sorted(self.versions.items())),
        }
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @property
    def short(self) -> str:
        """The beginning of its id."""
        return self.id[:SHORT]

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {"v": _VERSION, "id": self.id, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Release:
        """The release that `to_json` made. Raises `ValueError` where it is not as it was made."""
        try:
            made = cls(
                files={str(path): ReleasedFile(**one) for path, one in data["files"].items()},
                versions={str(name): str(version) for name, version in data["versions"].items()},
                pipelines=tuple(data["pipelines"]),
                commit=str(data["commit"]),
                changed=tuple(data["changed"]),
                at=float(data["at"]),
                by=str(data["by"]),
                note=str(data.get("note", "")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a release") from error
        if made.id != data.get("id"):
            raise ValueError("its files are not those that it was made with")
        return made


class Releases:
    """The releases that are kept in the state of a project, a file for each."""

    def __init__(self, state: Path) -> None:
        self.folder = state / FOLDER

    def keep(self, release: Release) -> Release:
        """Keep a release; the one that was there before, if it was released already and needs no more said."""
        path = self.folder / f"{release.id}.json"
        if path.is_file():
            before = self._read(path)
            if (before.commit and not before.changed) or not release.commit:
                return before
        make_private(self.folder)
        write_whole(path, json.dumps(release.to_json(), indent=1).encode(), durable=True, mode=0o600)
        return release

    def all(self) -> Iterator[Release]:
        """All of them that can be read, the latest first."""
        found = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else ():
            try:
                found.append(self._read(path))
            except UsageError:
                continue  # `find` tells of it
        yield from sorted(found, key=lambda one: (one.at, one.id), reverse=True)

    def find(self, name: str | None = None) -> Release:
        """A release by the beginning of its id; the latest one if none is named.

        Raises:
            UsageError: there is none, the beginning fits several, or it is not as it was made.
        """
        if name in {None, "latest"}:
            latest = next(self.all(), None)
            if latest is None:
                raise UsageError("nothing was released yet", hint="make one: stagebook release")
            return latest
        paths = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        fits = [path for path in paths if path.stem.startswith(str(name))]
        if not fits:
            raise UsageError(f"there is no release '{name}'", hint="stagebook releases list")
        if len(fits) > 1:
            raise UsageError(
                f"'{name}' fits {len(fits)} releases",
                hint=f"such as {fits[0].stem[:SHORT]} and {fits[1].stem[:SHORT]}",
            )
        return self._read(fits[0])

    def _read(self, path: Path) -> Release:
        try:
            made = Release.from_json(json.loads(path.read_bytes()))
            if made.id != path.stem:
                raise ValueError("it is another one")
        except (OSError, ValueError) as error:
            hint = f"it is kept in {path}; release again: stagebook release"
            raise UsageError(f"the release {path.stem[:SHORT]} is damaged: {error}", hint=hint) from error
        return made


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChanges:
    """What differs between two releases: paths, and versions as name → (before, after), empty where there is none."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    versions: Mapping[str, tuple[str, str]]


def compare(before: Release, after: Release) -> ReleaseChanges:
    """What changed from one release to another."""
    one, other = before.files, after.files
    names = sorted({*before.versions, *after.versions})
    pairs = {name: (before.versions.get(name, ""), after.versions.get(name, "")) for name in names}
    return ReleaseChanges(
        added=tuple(sorted(other.keys() - one.keys())),
        removed=tuple(sorted(one.keys() - other.keys())),
        changed=tuple(
            path for path in sorted(one.keys() & other.keys()) if _what(one[path]) != _what(other[path])
        ),
        versions={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    )


def _what(file: ReleasedFile) -> tuple[str, bool]:
    return file.sha256, file.executable

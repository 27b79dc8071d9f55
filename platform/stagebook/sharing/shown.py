"""What an environment shows, told through a shared store to machines that do not see its folder.

shown/PROJECT/ENVIRONMENT.json     the SHA-256 of the rest; the manifest, its releases, and where its notebooks are

The files of the releases, the datasets and the executed notebooks are blobs of the store. It is written anew with each version.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stagebook.sharing.document import blob_path
from stagebook.sharing.shared_store import DamagedHere, SharedStore
from stagebook.system.blobs import is_digest

FOLDER = "shown"
_VERSION = 1
_PART = re.compile(r"[^A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an environment shows.

    Attributes:
        manifest: its manifest, as plain data.
        releases: those that the manifest names, by their ids, as plain data.
        notebooks: the digests of executed notebooks, by their paths in the version.
        blobs: all blobs that belong to it, digest → size in bytes.
    """

    manifest: Mapping[str, Any]
    releases: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    notebooks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    blobs: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> bytes:
        """It as a file."""
        data = json.dumps({"version": _VERSION, **dataclasses.asdict(self)}, sort_keys=True).encode()
        return hashlib.sha256(data).hexdigest().encode() + b"\n" + data

    @property
    def at(self) -> float:
        """When it was published, in seconds since the epoch."""
        return float(self.manifest["at"])


def shown_path(project: str, environment: str) -> str:
    """Where it is told what an environment shows of the project of this name, such as `github.com/acme/flights`."""
    parts = (_PART.sub("-", part).strip(".") for part in project.split("/"))
    return "/".join([FOLDER, *filter(None, parts), f"{environment}.json"])


def shown_of(text: bytes) -> Shown:
    """What a file of a shared store tells. Raises `ValueError` where it is not as it was written."""
    digest, _, data = text.partition(b"\n")
    if hashlib.sha256(data).hexdigest().encode() != digest:
        raise ValueError("its text is not the one that it was written with")
    try:
        found = json.loads(data)
        if found["version"] != _VERSION:
            raise ValueError("another version of Stagebook wrote it")
        blobs = {str(digest): int(size) for digest, size in found["blobs"].items()}
        notebooks = {str(path): str(digest) for path, digest in found["notebooks"].items()}
        made = Shown(
            manifest=dict(found["manifest"]),
            releases=dict(found["releases"]),
            notebooks=notebooks,
            blobs=blobs,
        )
        made.at  # noqa: B018 - that it is there
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it tells of no environment") from error
    if not all(map(is_digest, blobs)):
        raise ValueError("its blobs are none")
    return made


def find_shown(shared: SharedStore, path: str) -> Shown | None:
    """What was told last at a path (`shown_path`); `None` where nothing was, or it is damaged."""
    text = shared.access.ask(lambda: shared.place.read(path), None)
    if text is None:
        return None
    try:
        return shown_of(text)
    except ValueError as error:
        shared.access.spoilt(f"{path} in it cannot be read: {error}")
        return None


def tell_shown(shared: SharedStore, path: str, shown: Shown, files: Callable[[str], Path]) -> bool:
    """Tell what an environment shows, its blobs first; whether it is told now. What is younger stays. `files`: where a blob is
    here."""

    def put() -> None:
        text = shared.place.read(path)
        if text == shown.text or (text is not None and _is_younger(text, shown)):
            return
        shared.put_blobs(shown.blobs, files)
        shared.place.write(path, shown.text)

    try:
        return shared.access.write(put)
    except DamagedHere as error:
        shared.access.note(f"{path} is not written there: {str(error)[:12]} is damaged here")
        return False


def _is_younger(text: bytes, than: Shown) -> bool:
    try:
        return shown_of(text).at > than.at
    except ValueError:
        return False


def blobs_shown(text: bytes) -> set[str]:
    """The paths of the blobs that a file names. Raises `ValueError`."""
    return {blob_path(digest) for digest in shown_of(text).blobs}

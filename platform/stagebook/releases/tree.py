"""A release as a folder of files: what a run in an environment executes.

The folder looks like the project: the files of the release at their paths, the settings of the environment in
`stagebook.toml`, the state of the environment as `.stagebook`, and links to the data that no stage makes and no release has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from stagebook.errors import UsageError
from stagebook.releases.bundle import CONNECTIONS
from stagebook.releases.release import Release
from stagebook.system.blobs import BlobDamaged
from stagebook.system.file_cache import FileCache
from stagebook.system.files import make_private, write_whole
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.system.settings_file import settings_in
from stagebook.system.store import Store
from stagebook.system.tracking_uri import absolute
from stagebook.workspace.environments import Environment
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.settings import DEFAULT_TRACKING_URI

_LIST = "release.json"  # in `.stagebook-tree`: the files that the folder was made of
_MARK = ".stagebook-tree"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a release is laid out for: an environment of the project at `project`, whose `store` has the files of the release.
    `state` is the folder of the environment's state."""

    project: Path
    state: Path
    store: Store
    environment: Environment


def lay_out(release: Release, folder: Path, site: Site) -> None:
    """Make a folder as the release is, or bring it up to date. Files that runs wrote there stay.

    Raises:
        UsageError: a file of the release is missing or damaged in the store, or cannot be written.
    """
    with _told(release):
        make_private(folder)
        before = _listed(folder)
        cache = FileCache(site.state / "cache" / f"{folder.name}.json")
        for path, file in release.files.items():
            if path not in {SETTINGS, CONNECTIONS}:
                _put(folder / path, file.sha256, executable=file.executable, store=site.store, cache=cache)
        for path in before.keys() - release.files.keys():
            (folder / path).unlink(missing_ok=True)
        _write_if_new(folder / SETTINGS, settings_of(release, site).encode())
        _link(folder / STATE_FOLDER, site.state)
        cache.save()
        listed = {path: file.sha256 for path, file in release.files.items()}
        if listed != before:
            (folder / _MARK).mkdir(mode=0o700, exist_ok=True)
            write_whole(folder / _MARK / _LIST, json.dumps(listed).encode(), mode=0o600)


def link_data(release: Release, folder: Path, site: Site, sources: Iterable[str]) -> None:
    """Link the data that no stage makes, and that is not released, from the project into the folder of a release. Raises
    `UsageError`."""
    with _told(release):
        for path in sources:
            if path not in release.files and (site.project / path).exists():
                _link(folder / path, site.project / path)


@contextlib.contextmanager
def _told(release: Release) -> Iterator[None]:
    try:
        yield
    except BlobDamaged as error:
        hint = "release it again from its commit: stagebook release"
        raise UsageError(f"the release {release.short} is not whole any more: {error}", hint=hint) from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UsageError(
            f"the release {release.short} cannot be laid out: {error.strerror or error}{where}"
        ) from error


def _put(target: Path, digest: str, *, executable: bool, store: Store, cache: FileCache) -> None:
    with contextlib.suppress(OSError):
        if not target.is_symlink() and cache.digest(str(target)) == digest:
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    near = target.with_name(f".{target.name}.{os.getpid()}.incoming")
    try:
        store.blobs.fetch(digest, near, executable=executable)
        near.replace(target)
    finally:
        near.unlink(missing_ok=True)


def _write_if_new(path: Path, data: bytes) -> None:
    """Write a file, unless it holds the same already. Raises `OSError`."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    write_whole(path, data, mode=0o600)


def _link(link: Path, target: Path) -> None:
    text = os.path.relpath(target, link.parent)
    if link.is_symlink():
        if os.readlink(link) == text:
            return
        link.unlink()
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(text)


def _listed(folder: Path) -> Mapping[str, str]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _MARK / _LIST).read_bytes())
        if isinstance(found, dict):
            return found
    return {}


# -- settings --------------------------------------------------------------------------------------


def settings_of(release: Release, site: Site) -> str:
    """The settings that hold in an environment, as the text of a `stagebook.toml`: those of the release, with what the
    environment says, and with paths that are relative to the project as absolute ones. Raises `BlobDamaged`."""
    store, project, environment = site.store, site.project, site.environment
    data = _settings(release, store)
    data.pop("environments", None)
    tracking = dict(data.get("tracking", {}))
    tracking["uri"] = absolute(
        environment.tracking_uri or tracking.get("uri") or DEFAULT_TRACKING_URI, project
    )
    connections = {
        **data.get("connections", {}),
        **_toml(release, store, CONNECTIONS),
        **environment.connections,
    }
    secrets = {**data.get("secrets", {}), **environment.secrets}
    data |= {
        "tracking": tracking,
        "connections": {name: _anchored(one, project) for name, one in connections.items()},
        "secrets": {name: _with_file(one, project) for name, one in secrets.items()},
    }
    return tomli_w.dumps(data)


def _settings(release: Release, store: Store) -> dict[str, Any]:
    for name in (SETTINGS, "pyproject.toml"):
        if name in release.files:
            found = settings_in(_toml(release, store, name), name)
            if found is not None:
                return dict(found)
    return {}


def _toml(release: Release, store: Store, path: str) -> dict[str, Any]:
    if path not in release.files:
        return {}
    digest = release.files[path].sha256
    text = store.blobs.read(digest)
    if text is None:
        raise store.blobs.damaged(digest, f"({path}) is missing or damaged in the store")
    return tomllib.loads(text)  # it was read before it was released


def _anchored(connection: Any, project: Path) -> Any:
    """A connection whose path is relative to the project, with the path as an absolute one."""
    if not isinstance(connection, dict) or not isinstance(url := connection.get("url"), str):
        return connection
    head, found, rest = url.partition(":///")
    if found and head.partition("+")[0] in {"sqlite", "duckdb"}:
        path, mark, query = rest.partition("?")
        is_relative = path and not path.startswith(("/", ":"))
        return (
            {**connection, "url": f"{head}:///{project / path}{mark}{query}"} if is_relative else connection
        )
    if "://" not in url and connection.get("kind", "files") == "files" and not url.startswith(("/", "~")):
        return {**connection, "url": str(project / url)}
    return connection


def _with_file(secret: Any, project: Path) -> Any:
    if isinstance(secret, dict) and isinstance(path := secret.get("file"), str) and not path.startswith("~"):
        return {**secret, "file": str(project / path)}
    return secret

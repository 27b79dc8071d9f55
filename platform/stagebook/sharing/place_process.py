"""Asks the place of a shared store, in a process of its own: `python -m stagebook.sharing.place_process`.

Requests come by standard input, one JSON object a line, and each has one answer on standard output: `{"answer": …}` or
`{"problem": …, "hint": …}`. The first says what to open: `root`, the project, and either `url`, or `connection` and `path`; and `parent`, the process that asks, with which this one ends.
A store that does not answer holds up this process alone, and whoever asked ends it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.connections.connection import Connection, open_declared
from stagebook.connections.declared import Declared, read_connections
from stagebook.connections.probe import reason_of
from stagebook.errors import ConnectionUnusable, StagebookError
from stagebook.sharing.folder_place import INCOMING, FolderPlace
from stagebook.sharing.place import Entry, Place, PlaceFailed
from stagebook.system.logins import Redaction
from stagebook.system.processes import die_with_parent
from stagebook.system.secret_sources import read_all, source_of

# Object stores, which show nothing before all of it is there; elsewhere a file is renamed once it is whole.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "r2", "memory"}
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "timeModified", "created")


class FsspecPlace:
    """The files of a file system of fsspec, which lists by paths that are relative to the place."""

    def __init__(self, files: Any) -> None:
        self._files = files
        names = files.fs.protocol
        self._is_whole = not _WHOLE.isdisjoint([names] if isinstance(names, str) else names)

    def find(self, path: str) -> Entry | None:
        """A file; `None` where there is none."""
        self._files.fs.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            found = self._files.info(path)
            if found.get("type") == "file":
                return Entry(path=path, size=int(found["size"]), changed=_changed(found))
        return None

    def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
        """The files of a folder, or with `deep` all below it."""
        self._files.fs.invalidate_cache()
        depth = {} if deep else {"maxdepth": 1}
        try:
            found = self._files.find(folder, detail=True, **depth)
        except FileNotFoundError:
            return []
        return [
            Entry(path=path, size=int(info["size"]), changed=_changed(info))
            for path, info in sorted(found.items())
            if info.get("type") == "file" and path != folder
        ]

    def download(self, path: str, target: Path, size: int) -> bool:  # noqa: ARG002 - who asked waits no longer
        """Write what a file holds to `target`; whether there is such a file."""
        try:
            self._files.get_file(path, str(target))
        except FileNotFoundError:
            return False
        return True

    def upload(self, source: Path, path: str) -> None:
        """Write a file with what `source` holds."""
        if self._is_whole:
            self._files.put_file(str(source), path)
            return
        temporary = f"{INCOMING}/{os.getpid()}-{secrets.token_hex(8)}"
        for folder in (INCOMING, path.rpartition("/")[0]):
            self._files.makedirs(folder, exist_ok=True)
        self._files.put_file(str(source), temporary)
        self._files.mv(temporary, path)

    def remove(self, path: str, *, unless_newer: float | None = None) -> bool:
        """Remove a file, unless it changed after a time; whether it is gone. In an object store there is a moment between
        the look and the removal."""
        if unless_newer is not None:
            found = self.find(path)
            if found is not None and (found.changed is None or found.changed > unless_newer):
                return False
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)
        return True


def _changed(found: Mapping[str, Any]) -> float | None:
    value = next((found[name] for name in _TIMES if found.get(name) is not None), None)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.datetime.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        return value.timestamp() if value.tzinfo else value.replace(tzinfo=datetime.UTC).timestamp()
    return float(value) if isinstance(value, int | float) else None


def main() -> int:
    """The process."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    place: Place | FsspecPlace | None = None
    redacted = Redaction({})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if place is None:
                place, redacted = _opened(request)
                answer: dict[str, Any] = {"answer": True}
            else:
                answer = {"answer": _done(place, request)}
        except PlaceFailed as error:
            answer = {"problem": error.message, "hint": error.hint}
        except StagebookError as error:
            answer = {"problem": redacted.text(error.message), "hint": redacted.text(error.hint)}
        except Exception as error:  # noqa: BLE001 - whatever the libraries of stores raise: it is told as the reason
            answer = {"problem": reason_of(error, redacted), "hint": ""}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()
        if place is None:
            return 1
    return 0


def _opened(request: Mapping[str, Any]) -> tuple[Place | FsspecPlace, Redaction]:
    die_with_parent(request["parent"])
    root = Path(request["root"])
    if "url" in request:
        declared, values = Declared(name="remote", url=request["url"], kind="files"), {}
    else:
        found = read_connections(root)
        declared = found.all[request["connection"]]
        sources = {name: source_of(name, found.sources) for name in declared.secrets}
        values = read_all(sources, os.environ, root)
    connection = open_declared(declared, values, root)
    return _place_of(connection, request.get("path", "")), Redaction({}, values.values())


def _place_of(connection: Connection, path: str) -> Place | FsspecPlace:
    plain = connection.url.removeprefix("file://")
    if "://" not in plain and not connection.options:
        return FolderPlace(Path(plain) / path)
    if connection.kind != "files":
        raise ConnectionUnusable(f"the connection '{connection.name}' is no store of files")
    if path:
        connection.url = f"{connection.url.rstrip('/')}/{path}"
    return FsspecPlace(connection.filesystem())


def _done(place: Place | FsspecPlace, request: Mapping[str, Any]) -> Any:
    match request["what"]:
        case "find":
            found = place.find(request["path"])
            return None if found is None else dataclasses.asdict(found)
        case "list":
            return [dataclasses.asdict(one) for one in place.list(request["folder"], deep=request["deep"])]
        case "download":
            return place.download(request["path"], Path(request["target"]), 0)
        case "upload":
            return place.upload(Path(request["source"]), request["path"])
        case "remove":
            return place.remove(request["path"], unless_newer=request["unless_newer"])
    raise ValueError(f"there is no request '{request['what']}'")


if __name__ == "__main__":
    sys.exit(main())

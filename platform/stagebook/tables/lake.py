"""Versions of a Delta table, made ready beside it, so that publishing one is a single link.

What becomes of a table is worked out on a branch: a folder that has the log of the table by links, in which deltalake
writes as it would in the table. The difference of the two states is one commit. It is put together here, in the folder
`ready`: new data files at their paths, and the commit, which has the number of the next version. Data files are called
after their content, so that equal rows make no new version, and the same content has the same digest wherever it is.

The content of a version is a folder that needs no other one: its data files, and a log of one commit. That is what the
store keeps, as any folder, and what comes out of it is a Delta table.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import time
import urllib.parse
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.system import delta_log
from stagebook.system.files import describe_path, sha256_of
from stagebook.system.store import Store
from stagebook.tables import delta
from stagebook.tables.delta import DataFile, DeltaFailed, State

READY = "ready"
CONTENT = "content"
_BRANCH = "branch"
_OURS = re.compile(r"part-([0-9a-f]{64})(?:-[0-9a-f]{12})?\.parquet")
_CHECKPOINT_AFTER = 100  # commits


class LakeRefused(Exception):
    """The table cannot become what is asked for; the text says why, in one sentence."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a table is to become. `before` is `None` where there is no table yet. `places`: where the new data files are,
    by their names; the others are in the table's folder. `stats`: what the log says of the new ones."""

    table: Path
    folder: Path
    before: State | None
    after: State
    places: Mapping[str, Path]
    stats: Mapping[str, str] = dataclasses.field(default_factory=dict)
    operation: str = "WRITE"

    @property
    def is_new(self) -> bool:
        """Whether there will be a new version."""
        return self.before is None or _shape(self.before) != _shape(self.after)

    @property
    def version(self) -> int:
        """The version that has the content: the next one, or that which is there."""
        if self.before is None:
            return 0
        return self.before.version + (1 if self.is_new else 0)

    def assemble(self, hashes: Mapping[str, str] | None = None) -> tuple[Path, dict[str, str]]:
        """The content as a folder of links; and the SHA-256 of those of its files of which it is known, by their names or
        from `hashes`. Raises `LakeRefused` where one is gone, and `OSError`."""
        folder = self.folder / CONTENT
        _remake(folder)
        known = {name: found for name, found in (hashes or {}).items() if name in self.after.files}
        for name in self.after.files:
            place = self.places.get(name, self.table / name)
            if not place.is_file():
                hint = "move its folder away: the last result comes back out of the store"
                raise LakeRefused(f"a data file of the table is gone: {name}; {hint}")
            link(place, folder / name)
            if found := _OURS.fullmatch(name.rpartition("/")[2]):
                known[name] = found[1]
        log = delta_log.commit_path(folder, 0)
        log.parent.mkdir()
        log.write_bytes(_lines(_whole(self.after)))
        return folder, known

    def seal(self, content: Artifact, note: Mapping[str, Any]) -> None:
        """Put what is to be published into `READY`, with a `note` of what made it; nothing where nothing is new. Raises
        `OSError`."""
        ready = self.folder / READY
        _remake(ready)
        for name, place in self.places.items():
            if name in self.after.files:
                target = ready / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(place, target)
        if not self.is_new:
            return
        noted = {**note, "content": content.content, "size": content.size, "rows": self.after.rows}
        path = delta_log.commit_path(ready, self.version)
        path.parent.mkdir()
        path.write_bytes(_lines(self._commit(noted)))

    def _commit(self, noted: Mapping[str, Any]) -> list[dict[str, Any]]:
        now = int(time.time() * 1000)
        before = self.before.files if self.before is not None else {}
        told = {
            "timestamp": now,
            "operation": self.operation,
            "engineInfo": "stagebook",
            delta_log.NOTE: noted,
        }
        actions: list[dict[str, Any]] = [{"commitInfo": told}]
        if self.before is None or self.before.protocol != self.after.protocol:
            actions.append({"protocol": dict(self.after.protocol)})
        if self.before is None or _columns(self.before) != _columns(self.after):
            actions.append(_metadata(self.after, self.after.id if self.before is None else self.before.id))
        actions += [
            _remove(file, now) for name, file in sorted(before.items()) if name not in self.after.files
        ]
        new = [file for name, file in sorted(self.after.files.items()) if name not in before]
        return [*actions, *(_add(file, now, self.stats.get(file.name, "")) for file in new)]


def sealed(
    prepared: Prepared,
    path: str,
    note: Mapping[str, Any],
    store: Store | None,
    most: int | None = None,
    hashes: Mapping[str, str] | None = None,
) -> Artifact:
    """Keep what a table will be, as `Store.keep`, and put together what is to be published; the artifact. `hashes` are as in
    `assemble`. Raises `LakeRefused`, as that does, and `OSError`."""
    folder, known = prepared.assemble(hashes)
    if store is None:
        found = describe_path(folder, path)
    else:
        found = store.keep(folder, path, most=most, known=known)
    content = dataclasses.replace(found, executable=False, version=prepared.version)
    prepared.seal(content, note)
    return content


def _shape(state: State) -> Any:
    return set(state.files), state.schema, state.partition_by, state.protocol


def _columns(state: State) -> Any:
    return state.schema, state.partition_by, state.configuration


def _lines(actions: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(action, separators=(",", ":")).encode() + b"\n" for action in actions)


def _whole(state: State) -> list[dict[str, Any]]:
    """A log of one commit, the same for the same content whenever it is made."""
    files = [_add(file, 0, "") for _, file in sorted(state.files.items())]
    own = str(uuid.uuid5(uuid.NAMESPACE_URL, state.schema))
    return [{"protocol": dict(state.protocol)}, _metadata(state, own), *files]


def _metadata(state: State, own: str) -> dict[str, Any]:
    return {
        "metaData": {
            "id": own,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": state.schema,
            "partitionColumns": list(state.partition_by),
            "configuration": dict(state.configuration),
        }
    }


def _add(file: DataFile, at: int, stats: str) -> dict[str, Any]:
    told = {"stats": stats} if stats else {}
    if not stats and file.rows is not None:
        told = {"stats": json.dumps({"numRecords": file.rows})}
    return {
        "add": {
            "path": file.path,
            "partitionValues": dict(file.partition),
            "size": file.size,
            "modificationTime": at,
            "dataChange": True,
            **told,
        }
    }


def _remove(file: DataFile, at: int) -> dict[str, Any]:
    return {
        "remove": {
            "path": file.path,
            "deletionTimestamp": at,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": dict(file.partition),
            "size": file.size,
        }
    }


def check_place(table: Path, shown: str) -> None:
    """Raises `LakeRefused` where something else is at the place of a table."""
    if table.is_dir() and (delta_log.is_table(table) or not any(table.iterdir())):
        return
    if table.exists():
        what = "holds other files, and no Delta table" if table.is_dir() else "is a file, and no Delta table"
        raise LakeRefused(f"'{shown}' {what}: move it away, or give the output another path")


def state_of(table: Path, shown: str) -> State | None:
    """The present version of a table; `None` where there is none. Raises `LakeRefused`."""
    check_place(table, shown)
    if not delta_log.is_table(table):
        return None
    try:
        found = delta.state(table)
        if len(delta_log.versions(table)) > _CHECKPOINT_AFTER and found.version % _CHECKPOINT_AFTER == 0:
            delta.checkpoint(table)
    except DeltaFailed as error:
        hint = "move its folder away: the last result comes back out of the store"
        raise LakeRefused(f"the Delta table '{shown}' cannot be read: {error}; {hint}") from error
    return found


def branch_of(table: Path, folder: Path, before: State | None, *, with_data: bool) -> Path:
    """A folder with the log of a table by links, and its data files where they are asked for. Raises `OSError`."""
    branch = folder / _BRANCH
    _remake(branch)
    if before is not None:
        for entry in (table / delta_log.LOG).iterdir():
            link(entry, branch / delta_log.LOG / entry.name)
        for name in before.files if with_data else ():
            link(table / name, branch / name)
    return branch


def renamed(
    branch: Path, before: State | None, after: State, tag: str
) -> tuple[dict[str, DataFile], dict[str, Path], dict[str, str]]:
    """The data files of a branch that has been written to, those that are new called after their content: the files by
    name, where the new ones are, and what the log says of these. A `tag` tells files of equal content apart that are to
    be there twice. Raises `OSError`."""
    known = before.files if before is not None else {}
    said = {
        add["path"]: add for action in delta_log.actions(branch, after.version) if (add := action.get("add"))
    }
    files, places, stats = {}, {}, {}
    for name, file in sorted(after.files.items()):
        if name in known:
            files[name] = known[name]
            continue
        folder = file.path.rpartition("/")[0]
        digest, copies = sha256_of(branch / name), 0
        new = _called(file, folder, f"{digest}{tag}")
        while new.name in places:  # rows that are there twice
            copies += 1
            new = _called(file, folder, f"{digest}{tag_of(f'{tag} {copies}')}")
        files[new.name] = new
        places[new.name] = branch / name
        stats[new.name] = str(said.get(file.path, {}).get("stats") or "")
    return files, places, stats


def _called(file: DataFile, folder: str, name: str) -> DataFile:
    path = f"part-{name}.parquet"
    return dataclasses.replace(file, path=f"{folder}/{path}" if folder else path)


def tag_of(attempt: str) -> str:
    """What tells the files of an attempt apart from those of equal content."""
    return f"-{hashlib.sha256(attempt.encode()).hexdigest()[:12]}"


def added_by(table: Path, made: str) -> set[str]:
    """The names of the files that an attempt (run/stage/attempt) added to a table. Raises `LakeRefused` where no version
    is of that attempt."""
    for version, note in delta_log.notes(table):
        if attempt_of(note) == made:
            adds = (action["add"]["path"] for action in delta_log.actions(table, version) if "add" in action)
            return {urllib.parse.unquote(path) for path in adds}
    raise LakeRefused("the rows that it added cannot be told apart any more: no version is of that attempt")


def attempt_of(note: Mapping[str, Any]) -> str:
    """The attempt that a version is of."""
    return f"{note.get('run')}/{note.get('stage')}/{note.get('attempt')}"


def back_to(content: Path, table: Path, folder: Path, shown: str) -> Prepared:
    """What makes an earlier content, as `assemble` put it together, the present one of a table. Raises `LakeRefused` and
    `OSError`."""
    before = state_of(table, shown)
    try:
        wanted = delta.state(content)
    except DeltaFailed as error:
        raise LakeRefused(f"what '{shown}' was cannot be read: {error}") from error
    configuration = before.configuration if before is not None else wanted.configuration
    after = dataclasses.replace(wanted, configuration=configuration)
    if before is not None and before.protocol["minWriterVersion"] > after.protocol["minWriterVersion"]:
        after = dataclasses.replace(after, protocol=before.protocol)  # readers of older versions need it
    places = {name: content / name for name in wanted.files if not _is_same(content / name, table / name)}
    return Prepared(
        table=table, folder=folder, before=before, after=after, places=places, operation="RESTORE"
    )


def _is_same(one: Path, other: Path) -> bool:
    return other.is_file() and sha256_of(one) == sha256_of(other)


def link(source: Path, target: Path) -> None:
    """A symlink to a file, whatever disk it is on. Raises `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(os.path.realpath(source))


def _remake(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)

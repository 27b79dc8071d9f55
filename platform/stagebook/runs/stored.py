"""Tables of a project, opened: out of the store, or together in one connection."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.system.blobs import BlobDamaged
from stagebook.system.store import Store
from stagebook.tables.duck import Connection
from stagebook.tables.source import NoTable, Source, source_of
from stagebook.workspace.paths import STATE_FOLDER


@contextlib.contextmanager
def connected(tables: Mapping[str, Source], root: Path) -> Iterator[Connection]:
    """A connection that has these tables; what does not fit into memory goes into the project's state. Raises `NoTable`."""
    state = root / STATE_FOLDER
    state.mkdir(mode=0o700, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=state) as spill,
        Connection(tables, spill=Path(spill)) as connection,
    ):
        yield connection


@contextlib.contextmanager
def fetched(artifact: Artifact, store: Store, root: Path, table: str = "") -> Iterator[Source]:
    """A table, out of the store. `table` is its name within a database. Raises `NoTable`."""
    if not store.holds(artifact):
        raise NoTable("it is not in the store any more")
    with tempfile.TemporaryDirectory(dir=root / STATE_FOLDER) as folder:
        target = Path(folder) / artifact.path.rpartition("/")[2]
        try:
            store.fetch(artifact, target)
        except BlobDamaged as error:
            raise NoTable("it is damaged in the store") from error
        yield source_of(target, table)

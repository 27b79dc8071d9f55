"""Datasets for those who read them: notebooks, reports, services.

    import stagebook
    silver = stagebook.dataset("flights.clean.silver", env="prod")
    pd.read_parquet(silver)      # or silver.frame()

What is read together belongs together: as long as a dataset of an environment is held, all that are asked for in this process
come from the same version of it, also if another one is published meanwhile; and that version is not removed.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError, did_you_mean
from stagebook.project import Project
from stagebook.published.manifest import FILE, Manifest
from stagebook.published.versions import CURRENT, Pin
from stagebook.runs.datasets import Datasets, plans_of
from stagebook.tables import sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, source_of
from stagebook.tables.text_types import as_typed
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import environment_of, home_of


class PinnedVersion:
    """One version of an environment, which stays while this is held. `folder` has its files."""

    def __init__(self, environment: str, folder: Path) -> None:
        """`folder`: that of the environment. Raises `UsageError` where nothing was published."""
        try:
            self._pin = Pin(folder / CURRENT)
            self.folder = self._pin.folder
            self.manifest = Manifest.from_text((self.folder / FILE).read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(
                f"nothing can be read in {environment}: {error}", hint=f"stagebook env show {environment}"
            ) from error


_held: weakref.WeakValueDictionary[tuple[str, str], PinnedVersion] = weakref.WeakValueDictionary()
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetHandle:
    """A dataset, to be read. `paths` are its files or folders, one for each instance of its stage; `version` is that of the
    environment, 0 for the working tree. It may be used in place of a path."""

    name: str
    paths: tuple[Path, ...]
    version: int = 0
    _pinned: PinnedVersion | None = dataclasses.field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """Its file or folder. Raises `UsageError` where there are several."""
        if len(self.paths) > 1:
            raise UsageError(
                f"{self.name} is {len(self.paths)} files", hint="see .paths, or name one instance"
            )
        return self.paths[0]

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def frame(self) -> Any:
        """All of it as a DataFrame of pandas. Raises `UsageError` for what is no table."""
        try:
            sources = {f"part {number}": source_of(path) for number, path in enumerate(self.paths)}
            with tempfile.TemporaryDirectory() as spill, Connection(sources, spill=Path(spill)) as connection:
                parts = (
                    f"SELECT {as_typed(connection, name, is_text=source.is_text)[0]} FROM {sql.name(name)}"  # noqa: S608 - quoted
                    for name, source in sources.items()
                )
                connection.do(f"CREATE VIEW whole AS {' UNION ALL BY NAME '.join(parts)}")
                return connection.frame("whole")
        except (NoTable, QueryFailed) as error:
            raise UsageError(f"{self.name} cannot be read as a table: {error}") from error


def dataset(name: str, env: str | None = None, *, project: str | Path | None = None) -> DatasetHandle:
    """A dataset as readers of an environment see it; by default as it is in the working tree.

    Args:
        name: `PIPELINE.STAGE.OUTPUT`, or `STAGE.OUTPUT` where no other pipeline has that; with `[2026-01]` one partition.
        env: the environment (default: that in which a notebook runs; else `STAGEBOOK_ENV`, or the working tree).
        project: a folder of the project; by default the one around the working directory.

    Raises:
        UsageError: there is no such dataset or environment, or nothing was published.
    """
    with Project.open(project, environment=DEV) as opened:
        wanted = env or environment_of(opened.root) or os.environ.get("STAGEBOOK_ENV") or DEV
        with Project.open(home_of(opened.root), environment=DEV) as home:
            if wanted == DEV:
                return _of_tree(home, name)
            folder = home.root / home.environments.find(wanted).path
    key = (str(folder), wanted)
    with _lock:
        pinned = _held.get(key)
        if pinned is None:
            pinned = _held[key] = PinnedVersion(wanted, folder)
    return _of_version(pinned, name)


def _of_version(pinned: PinnedVersion, name: str) -> DatasetHandle:
    known = pinned.manifest.datasets
    found = {full: one.artifact.path for full, one in known.items() if name in _names_of(full)}
    pipelines = {_whole(full) for full in found}
    if not found:
        hint = did_you_mean(name, [_whole(full) for full in known])
        raise UsageError(f"version {pinned.manifest.version} has no dataset '{name}'", hint=hint)
    if len(pipelines) > 1:
        raise UsageError(
            f"'{name}' may be several datasets", hint=f"name one of them: {', '.join(sorted(pipelines))}"
        )
    return DatasetHandle(
        name=name,
        paths=tuple(pinned.folder / path for path in found.values()),
        version=pinned.manifest.version,
        _pinned=pinned,
    )


def _names_of(full: str) -> set[str]:
    """What a dataset of a version may be called: with its pipeline or without; as one instance of its stage, and one
    partition, or as a whole."""
    whole, partition = _whole(full), full.partition("[")[1] + full.partition("[")[2]
    names = {full, full.removesuffix(partition), whole, whole + partition}
    return names | {name.partition(".")[2] for name in names}


def _whole(full: str) -> str:
    """The name of a dataset without the instance of its stage, and without its partition."""
    full = full.partition("[")[0]
    pipeline, _, rest = full.partition(".")
    stage, _, output = rest.rpartition(".")
    return f"{pipeline}.{stage.partition('@')[0]}.{output}"


def _of_tree(opened: Project, name: str) -> DatasetHandle:
    plans, broken = plans_of(opened.preparer, opened.catalog.names())
    datasets = Datasets(plans, opened.preparer)
    if broken and not any(name in one.names for one in datasets.all):
        raise next(iter(broken.values()))
    found = datasets.instances(name)
    return DatasetHandle(name=name, paths=tuple(opened.root / one.path for one in found))

"""The environments of a project: where each has its state, what runs in it, and what it shows.

.stagebook/environments/prod/
├── environment.json      if a command made it
├── state/                its history, as `.stagebook` of its trees; the store is that of the project
└── trees/
├── work/             the working tree as it was last run, where nothing was deployed
└── 3f2a91c04d/       a release
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.journal.journal import Journal
from stagebook.pipeline.types import Value
from stagebook.published.proposals import Proposals
from stagebook.published.versions import Versions
from stagebook.releases.release import Release, Releases
from stagebook.releases.sources import source_paths
from stagebook.releases.tree import Site, lay_out, link_data
from stagebook.runs.lease import liveness_of
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import make_private, write_whole
from stagebook.system.settings_file import read_raw
from stagebook.system.store import Store
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.environments import DEV, Environment, declared, find, name_problem
from stagebook.workspace.paths import ENVIRONMENTS, STATE_FOLDER
from stagebook.workspace.settings import EnvironmentSettings
from stagebook.workspace.workspace import Workspace

_FILE = "environment.json"
_WORK = "work"
_PROD = "prod"


class EnvironmentTable:
    """The environments of the project at `root`: those of its settings, and those that commands made."""

    def __init__(
        self, root: Path, raw: Callable[[], Mapping[str, EnvironmentSettings]], store: Store
    ) -> None:
        self.root = root
        self.releases = Releases(root / STATE_FOLDER)
        self._folder = root / STATE_FOLDER / ENVIRONMENTS
        self._raw = raw
        self._store = store

    def all(self) -> dict[str, Environment]:
        """All of them by name. Raises `PipelineInvalid` for mistakes in the settings."""
        return declared(self._raw(), self._made(), read_raw(self.root)[1])

    def find(self, name: str) -> Environment:
        """One by its name. Raises `UsageError`, and as `all`."""
        return find(self.all(), name)

    def is_made(self, name: str) -> bool:
        """Whether a command made it, so that a command may remove it."""
        return name in self._made() and name not in self._raw()

    def state(self, name: str) -> Path:
        """Where the state of an environment is."""
        return self._folder / name / "state"

    def states(self) -> dict[str, Path]:
        """Where the states of all environments are that have one, by name."""
        found = sorted(self._folder.glob("*/state")) if self._folder.is_dir() else []
        return {path.parent.name: path for path in found}

    def versions(self, environment: Environment) -> Versions:
        """What an environment shows."""
        return Versions(self.root / environment.path, self._folder / environment.name / "publish.lock")

    def proposals(self, environment: Environment) -> Proposals:
        """The deployments to an environment that wait for somebody's word."""
        return Proposals(self._folder / environment.name / "proposals")

    def deployed(self, environment: Environment) -> Release | None:
        """The release that runs in an environment; `None` where that is the working tree.

        Raises:
            UsageError: its pointer or its release is damaged, or nothing was deployed to a protected one.
        """
        current = self.versions(environment).current()
        if current is not None and current.release:
            return self.releases.find(current.release)
        if environment.protected:
            msg = f"nothing was deployed to {environment.name} yet, and it runs releases alone"
            raise UsageError(msg, hint=f"deploy one: stagebook deploy --to {environment.name}")
        return None

    def lay_out(
        self, environment: Environment, release: Release, env: Mapping[str, str], *, work: bool
    ) -> Path:
        """The folder in which a release runs, up to date. `work`: it is the working tree as it is now. Raises `UsageError`."""
        state = self.state(environment.name)
        tree = _tree(state, None if work else release)
        self._make_state(state)
        site = Site(project=self.root, state=state, store=self._store, environment=environment)
        lay_out(release, tree, site)
        # What the pipelines of the release read is looked for where the data are.
        _bring_partitions(self.versions(environment), self._store, tree)
        link_data(
            release, tree, site, source_paths(Catalog(tree), Workspace(self.root), environment.params, env)
        )
        return tree

    def _make_state(self, state: Path) -> None:
        try:
            make_private(state)
            make_private(self._store.folder)
            if not (state / "store").is_symlink():
                (state / "store").symlink_to(os.path.relpath(self._store.folder, state))
        except OSError as error:
            raise UsageError(f"the state of the environment cannot be made: {error}") from error

    # -- made by commands -----------------------------------------------------------------------

    def create(self, name: str, parent: str, params: Mapping[str, Value], at: float, by: str) -> Environment:
        """Make an environment that inherits from another one.

        Raises:
            UsageError: there is one of that name, or the name is none.
        """
        known = self.all()
        if problem := name_problem(name):
            raise UsageError(problem)
        if name in known:
            raise UsageError(f"there is an environment '{name}' already", hint="stagebook env show " + name)
        if parent != DEV:
            find(known, parent)
        folder = self._folder / name
        data = {"inherits": parent, "params": dict(params), "protected": False}
        try:
            make_private(folder)
            text = json.dumps({"settings": data, "at": at, "by": by}, indent=1)
            write_whole(folder / _FILE, text.encode(), mode=0o600)
        except OSError as error:
            raise UsageError(f"'{folder}' cannot be made: {error.strerror or error}") from error
        return self.find(name)

    def remove(self, name: str) -> None:
        """Remove an environment that a command made, with its history and all that it shows.

        Raises:
            UsageError: it is one of the settings, another one inherits from it, or a run goes on in it.
        """
        environment = self.find(name)
        if not self.is_made(name):
            hint = f"remove [environments.{name}] from the settings; its history stays in {STATE_FOLDER}"
            raise UsageError(f"'{name}' is declared in the settings", hint=hint)
        if heirs := [one.name for one in self.all().values() if one.parent == name]:
            raise UsageError(f"{heirs[0]} inherits from '{name}'", hint=f"stagebook env remove {heirs[0]}")
        if (run := self._going_on(name)) is not None:
            raise UsageError(
                f"the run {run} goes on in '{name}'", hint=f"end it: stagebook cancel --env {name}"
            )
        shown = self.root / environment.path
        try:
            if shown.exists():
                shutil.rmtree(shown)
            shutil.rmtree(self._folder / name)
        except OSError as error:
            raise UsageError(f"'{name}' cannot be removed as a whole: {error}") from error

    def _going_on(self, name: str) -> str | None:
        path = self.state(name) / "journal.db"
        if not path.is_file():
            return None
        with contextlib.closing(Journal(path)) as journal:
            held = (lease.run for lease in journal.leases.all() if not lease.is_over(liveness_of, None))
            return next(held, None)

    def _made(self) -> dict[str, EnvironmentSettings]:
        found = {}
        for path in sorted(self._folder.glob(f"*/{_FILE}")) if self._folder.is_dir() else ():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found[path.parent.name] = EnvironmentSettings(**json.loads(path.read_bytes())["settings"])
        return found


def main_environment(table: EnvironmentTable) -> str:
    """What a figure is about where no environment is named: `prod` once anything ran there, or else the working tree."""
    has_run = (table.state(_PROD) / "journal.db").is_file()
    return _PROD if has_run and _PROD in table.all() else DEV


def tree_of(table: EnvironmentTable, environment: Environment) -> Path | None:
    """The folder in which runs of an environment run, as it was last laid out; `None` where it never was. Raises as
    `EnvironmentTable.deployed`."""
    tree = _tree(table.state(environment.name), table.deployed(environment))
    return tree if tree.is_dir() else None


def _tree(state: Path, release: Release | None) -> Path:
    return state.parent / "trees" / (_WORK if release is None else release.short)


def _bring_partitions(versions: Versions, store: Store, tree: Path) -> None:
    """Partitions of earlier intervals that readers see are to be there for the code of another release as well."""
    with contextlib.suppress(UsageError, OSError, BlobDamaged):
        current = versions.current()
        for name, one in current.datasets.items() if current is not None else ():
            target = tree / one.artifact.path
            if "[" in name and not one.artifact.external and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                store.fetch(one.artifact, target)

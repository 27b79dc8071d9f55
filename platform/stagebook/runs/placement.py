"""Where a project is worked on: in its working tree, or in one of its environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.errors import JournalUnreadable
from stagebook.journal.journal import Journal
from stagebook.journal.result_table import ResultTable
from stagebook.pipeline.model import Schedule
from stagebook.pipeline.types import Value
from stagebook.releases.release import Release
from stagebook.runs.environments import EnvironmentTable
from stagebook.runs.publishing import Publisher
from stagebook.sharing.opening import open_shared
from stagebook.sharing.shared_store import SharedStore
from stagebook.system.store import Store
from stagebook.workspace.environments import DEV, Environment
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.settings import Settings


class Placement:
    """A place of the project at `home`: without an `environment`, its working tree. `release` is what is executed there;
    `follows` says whether that is the working tree as it was when the place was entered."""

    def __init__(
        self,
        home: Path,
        environments: EnvironmentTable,
        environment: Environment | None = None,
        release: Release | None = None,
        *,
        follows: bool = False,
    ) -> None:
        self.home = home
        self.environments = environments
        self.environment = environment
        self.release = release
        self.follows = follows
        self._journals: dict[str, Journal] = {}
        self._shared: SharedStore | None = None
        self._is_opened = False

    @property
    def name(self) -> str:
        """The name of the environment."""
        return self.environment.name if self.environment is not None else DEV

    @property
    def params(self) -> Mapping[str, Value]:
        """Values in place of the defaults of parameters."""
        return self.environment.params if self.environment is not None else {}

    @property
    def schedules(self) -> Mapping[str, Mapping[str, Schedule]]:
        """The schedules that the settings add, by pipeline and name."""
        return self.environment.schedules if self.environment is not None else {}

    def results_elsewhere(self, *, all_of_them: bool = False) -> dict[str, ResultTable]:
        """The results of the other places of the project, by name. A journal that cannot be read is left out: what is not
        taken from it is computed. With `all_of_them` it raises `JournalUnreadable`."""
        return {name: one.results for name, one in self.journals_elsewhere(all_of_them=all_of_them).items()}

    def journals_elsewhere(self, *, all_of_them: bool = False) -> dict[str, Journal]:
        """The journals of the other places of the project, by name; as `results_elsewhere`."""
        for name, state in self.states_elsewhere().items():
            if name not in self._journals and (state / "journal.db").is_file():
                try:
                    self._journals[name] = Journal(state / "journal.db")
                except JournalUnreadable:
                    if all_of_them:
                        raise
        return dict(self._journals)

    def shared(self, root: Path, settings: Settings) -> SharedStore | None:
        """The store that what runs at `root` shares with others, by its settings; `None` where there is none. Raises
        `PipelineInvalid`."""
        if not self._is_opened:
            self._shared = open_shared(root, settings.store, os.environ)
            self._is_opened = True
        return self._shared

    def states_elsewhere(self) -> dict[str, Path]:
        """Where the other places of the project have their states, by name."""
        own = self.name
        found = {DEV: self.home / STATE_FOLDER, **self.environments.states()}
        return {name: state for name, state in found.items() if name != own}

    def publisher(
        self, root: Path, journal: Callable[[], Journal], store: Store, clock: Callable[[], float]
    ) -> Publisher | None:
        """What publishes the runs of an environment, which run at `root`; `None` for the working tree, where each stage
        publishes by itself."""
        if self.environment is None or self.release is None:
            return None
        return Publisher(
            environment=self.environment,
            versions=self.environments.versions(self.environment),
            root=root,
            journal=journal,
            store=store,
            clock=clock,
            release=self.release.id,
            follows=self.follows,
            elsewhere=self.states_elsewhere(),
            table=self.environments,
        )

    def shown(self) -> tuple[Path, dict[str, Artifact]] | None:
        """The folder of the version that readers of an environment see, and its outputs by path; `None` for the working
        tree, and where nothing was published or each stage publishes by itself. Raises `UsageError`."""
        if self.environment is None or self.environment.publish == "stage":
            return None
        versions = self.environments.versions(self.environment)
        current = versions.current()
        if current is None:
            return None
        artifacts = (one.artifact for one in current.datasets.values() if not one.artifact.external)
        return versions.place(current.version), {item.path: item for item in artifacts}

    def close(self) -> None:
        """Close the journals of other places, and the shared store; they are opened again when they are asked for."""
        if self._shared is not None:
            self._shared.close()
        self._shared, self._is_opened = None, False
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

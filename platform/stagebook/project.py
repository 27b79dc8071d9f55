"""A project: its parts put together, and the public Python API.

project = Project.open()
plan = project.plan("flights", {"months": [1, 2]})
report = project.run("flights", {"months": [1, 2]}, keep_going=True)
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stagebook.errors import PipelineInvalid, ProjectNotFound
from stagebook.journal.journal import Journal
from stagebook.pipeline.types import Value
from stagebook.planning.plan import Plan
from stagebook.releases.release import Release
from stagebook.runs.environments import EnvironmentTable
from stagebook.runs.history import History
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.placement import Placement
from stagebook.runs.prepare import Preparer
from stagebook.runs.releasing import release_of
from stagebook.runs.request import RunRequest, run_id
from stagebook.runs.telling import tell_people
from stagebook.system.file_cache import FileCache
from stagebook.system.secret_sources import variables_of
from stagebook.system.settings_file import FILE
from stagebook.system.store import Store
from stagebook.workspace.catalog import PIPELINES, Catalog
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER, home_of
from stagebook.workspace.settings import Settings, read_settings
from stagebook.workspace.workspace import Workspace

if TYPE_CHECKING:
    from stagebook.execution.engine.protocol import Engine
    from stagebook.runs.launcher import Launcher
    from stagebook.runs.recorder import Listener
    from stagebook.runs.run import RunReport


class Project:
    """A folder with pipelines. Its parts are made, and files read, when they are asked for.

    - `catalog`: the pipelines
    - `history`: the runs of before, and the `journal` that they are in
    - `store`: outputs by their content
    - `dependencies`: what results depend on, as it is on disk and on this machine
    - `preparer`, `launcher`: planning and running
    - `environments`: the named places where results are published, and `releases`, which run in them

    In an `environment` its `root` is the folder that a release is laid out in, and `home` the project itself.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.time,
        make_id: Callable[[float], str] = run_id,
        placement: Placement | None = None,
    ) -> None:
        self.root = root
        self._clock = clock
        self._make_id = make_id
        self.catalog = Catalog(root)
        self.history = History(root, clock=clock, interrupted=lambda _: _tell_of_interrupted(self))
        self.store = Store(root / STATE_FOLDER / "store", lambda: self.placement.shared(root, self.settings))
        table = EnvironmentTable(root, lambda: self.settings.environments, self.store)
        self.placement = placement or Placement(root, table)
        self.home = self.placement.home
        self.environments = self.placement.environments

    @classmethod
    def open(cls, start: Path | str | None = None, environment: str | None = None) -> Project:
        """The project at a folder or above it: the nearest one with `stagebook.toml`, a
        `[tool.stagebook]` in `pyproject.toml`, or a folder `pipelines`; in an environment of it, by default that which
        `STAGEBOOK_ENV` names, or the working tree.

        Raises:
            ProjectNotFound: there is none up to the root of the file system.
            UsageError: there is no such environment, or nothing runs in it yet.
        """
        found = cls(_root_of(start))
        name = environment or os.environ.get("STAGEBOOK_ENV") or DEV
        is_tree = home_of(found.root) != found.root  # a notebook asks, which runs in one
        return found if name == DEV or is_tree else found.in_environment(name)

    def close(self) -> None:
        """Close the journal. A project may also be used in a `with` statement, and again afterwards."""
        if "launcher" in self.__dict__:
            self.launcher.cool_down()
        if "dependencies" in self.__dict__:
            self.dependencies.file_cache.save()
        for name in ("launcher", "preparer", "dependencies"):
            self.__dict__.pop(name, None)
        self.placement.close()
        self.history.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def in_environment(self, name: str, release: Release | None = None) -> Project:
        """The project in one of its environments: with the release that was deployed there, or else as the working tree is
        now; or with another `release`. Raises `UsageError`."""
        table = self.environments
        environment = table.find(name)
        deployed = release or table.deployed(environment)
        laid = deployed or release_of(self.preparer, self._clock(), environment.params)
        tree = table.lay_out(environment, laid, os.environ, work=deployed is None)
        placement = Placement(self.home, table, environment, laid, follows=deployed is None)
        return type(self)(tree, clock=self._clock, make_id=self._make_id, placement=placement)

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings of the project. Raises `PipelineInvalid` for mistakes in them."""
        return read_settings(self.root)

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow keeps runs; `None` where tracking is switched off."""
        tracking = self.settings.tracking
        return (os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri) if tracking.enabled else None

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use."""
        return self.history.journal

    @functools.cached_property
    def dependencies(self) -> ProjectDependencies:
        """What results depend on, as it is on disk and on this machine."""
        file_cache = FileCache(self.root / STATE_FOLDER / "cache" / "files.json")
        return ProjectDependencies(
            Workspace(self.root, file_cache),
            file_cache,
            self.store,
            os.environ,
            restores=self.settings.store.enabled,
            secret=variables_of(self.settings.secret_sources.values()),
        )

    @functools.cached_property
    def preparer(self) -> Preparer:
        """What plans runs."""
        return Preparer(
            self.catalog,
            self.history,
            self.dependencies,
            self._clock,
            defaults=self.placement.params,
            schedules=self.placement.schedules,
            others=self.placement.journals_elsewhere,
            shared=self.placement.shared(self.root, self.settings),
        )

    @functools.cached_property
    def launcher(self) -> Launcher:
        """What runs plans."""
        # Commands that only look never come here, and do without the modules of execution.
        from stagebook.runs.launcher import Launcher  # noqa: PLC0415

        return Launcher(
            self.root,
            settings=self.settings,
            journal=lambda: self.history.journal,
            dependencies=self.dependencies,
            store=self.store,
            tracking_uri=self.tracking_uri,
            clock=self._clock,
            make_id=self._make_id,
            publisher=self.placement.publisher(
                self.root, lambda: self.history.journal, self.store, self._clock
            ),
            shared=self.placement.shared(self.root, self.settings),
        )

    def plan(
        self,
        request: RunRequest | str | None = None,
        values: Mapping[str, Value] | None = None,
        **fields: Any,
    ) -> Plan:
        """What a run would do: of a request, or of a pipeline by name with `values` of parameters and other
        fields of a `RunRequest`.

        Raises:
            PipelineInvalid: with every mistake of the file, its notebooks and the parameters.
            UsageError: the selection matches nothing.
        """
        return self.preparer.prepare(RunRequest.of(request, values, **fields)).plan

    def run(
        self,
        request: RunRequest | str | None = None,
        values: Mapping[str, Value] | None = None,
        *,
        listeners: Sequence[Listener] = (),
        engine: Engine | None = None,
        **fields: Any,
    ) -> RunReport:
        """Plan and run a pipeline; `request`, `values` and `fields` as for `plan`. `listeners` are given the
        events as they come. Raises as `plan`, and as `Launcher.run`."""
        asked = RunRequest.of(request, values, **fields)
        if engine is None:
            self.launcher.warm_up()
        try:
            prepared = self.preparer.prepare(asked)
            return self.launcher.run(prepared, asked, LaunchHooks(listeners=listeners, engine=engine))
        finally:
            self.launcher.cool_down()

    def sync(self) -> int:
        """Deliver to MLflow what is pending; the number of records that are left. Raises `UsageError` where
        tracking is switched off."""
        return self.launcher.sync() if self.history.has_journal or not self.tracking_uri else 0


def project_here() -> Project:
    """The project around the working directory; where there is none yet, this folder becomes one."""
    try:
        return Project.open()
    except ProjectNotFound:
        return Project(Path.cwd().resolve())


def _tell_of_interrupted(project: Project) -> None:
    with contextlib.suppress(PipelineInvalid):  # of the settings, which the command tells
        project.launcher.tell_mlflow()
        tell_people(project.root, project.settings, project.placement.name)


def _root_of(start: Path | str | None) -> Path:
    here = Path(start) if start is not None else Path.cwd()
    if not here.is_dir():
        raise ProjectNotFound(f"there is no folder '{here}'")
    here = here.resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file() or (folder / PIPELINES).is_dir() or _has_section(folder):
            return folder
    msg = f"no project in {here} or above it"
    raise ProjectNotFound(msg, hint="go to a folder with pipelines/, or make a project: stagebook init NAME")


def _has_section(folder: Path) -> bool:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    try:
        return "stagebook" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False

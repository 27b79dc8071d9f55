"""Which schedules there are: of the working tree, and of each environment; those of a pipeline file as the release has it that was
deployed there.

They are read again only when a file changed that says something of them: looking costs a few calls of the file system.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from stagebook.connections.declared import read_connections
from stagebook.errors import PipelineInvalid, Problem, StagebookError, UsageError
from stagebook.journal.tick_table import ScheduleKey
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.model import Pipeline, Schedule
from stagebook.project import Project
from stagebook.published.versions import CURRENT
from stagebook.scheduling.checks import of_nowhere, twice, without_source
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.workspace.catalog import PIPELINES
from stagebook.workspace.environments import DEV, Environment
from stagebook.workspace.paths import STATE_FOLDER

_Stamp = tuple[object, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A schedule where it runs. `environment` is `dev` for the working tree; `file` names the pipeline for a command."""

    environment: str
    pipeline: str
    file: str
    schedule: Schedule

    @property
    def key(self) -> ScheduleKey:
        """What it is called in the journal of its environment."""
        return ScheduleKey(pipeline=self.pipeline, schedule=self.schedule.name)

    def __str__(self) -> str:
        where = "" if self.environment == DEV else f" in {self.environment}"
        return f"{self.key}{where}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One environment: its journal and its schedules. `problems` are of pipelines and settings whose schedules have to wait, by the
    name of the pipeline; those under the empty name are of all. `pointer` is what moves with each version that it shows."""

    environment: str
    journal: Path
    scheduled: tuple[Scheduled, ...] = ()
    problems: Mapping[str, tuple[Problem, ...]] = dataclasses.field(default_factory=dict)
    pointer: Path | None = None

    def waits(self, pipeline: str) -> bool:
        """Whether nobody can say at present which schedules a pipeline has."""
        return pipeline in self.problems or "" in self.problems


class Places:
    """The places of a project in which something may be scheduled."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._stamp: _Stamp | None = None
        self._found: tuple[Place, ...] = ()

    def all(self) -> tuple[Place, ...]:
        """All places, as the files are now: the same object as long as nothing changed."""
        stamp = tuple(self._stamps())
        if stamp != self._stamp:
            self._found = tuple(_places(Project(self.root)))
            self._stamp = stamp
        return self._found

    def _stamps(self) -> Iterator[object]:
        folder, state = self.root / PIPELINES, self.root / STATE_FOLDER / "environments"
        for path in (self.root / SETTINGS, self.root / "pyproject.toml", folder, state):
            yield _stamp_of(path)
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda it: it.name):
                yield (entry.name, _stamp_of(Path(entry.path)))
        for place in self._found:
            if place.pointer is not None:
                yield os.readlink(place.pointer) if place.pointer.is_symlink() else None


def _stamp_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _places(home: Project) -> Iterator[Place]:
    loaded = {name: _loaded(home, name) for name in home.catalog.names()}
    journal = home.root / STATE_FOLDER / "journal.db"
    try:
        environments = home.environments.all()
    except PipelineInvalid as error:
        # What runs in which environment cannot be told; the working tree needs no settings for that.
        yield _place(DEV, journal, loaded, {}, {"": tuple(error.problems)}, None)
        return
    nowhere = dict(of_nowhere(loaded, [DEV, *environments]))
    yield _place(DEV, journal, loaded, {}, nowhere, _connections(home, None))
    for environment in environments.values():
        state = home.environments.state(environment.name) / "journal.db"
        pointer = home.root / environment.path / CURRENT
        try:
            own = _deployed(home, environment) or loaded
        except StagebookError as error:
            told = Problem(path=f"environment {environment.name}", message=error.message, hint=error.hint)
            yield Place(environment=environment.name, journal=state, problems={"": (told,)}, pointer=pointer)
            continue
        connections = _connections(home, environment)
        made = _place(environment.name, state, own, environment.schedules, {}, connections)
        yield dataclasses.replace(made, pointer=pointer)


def _loaded(home: Project, name: str) -> LoadedPipeline:
    try:
        return home.catalog.load(name)
    except StagebookError as error:
        problems = error.problems if isinstance(error, PipelineInvalid) else ()
        path = f"{PIPELINES}/{name}.yaml"
        told = tuple(problems) or (Problem(path=path, message=error.message),)
        return LoadedPipeline(Pipeline(name=name, path=path), told)


def _deployed(home: Project, environment: Environment) -> dict[str, LoadedPipeline]:
    """The pipelines of the release that runs in an environment; none where that is the working tree. Raises `UsageError`."""
    release = home.environments.deployed(environment)
    if release is None:
        return {}
    found = {}
    for path, file in release.files.items():
        folder, _, name = path.rpartition("/")
        if folder == PIPELINES and name.endswith((".yaml", ".yml")):
            text = home.store.blobs.read(file.sha256)
            if text is None:
                raise UsageError(f"the release {release.short} is not whole any more: {path} is missing")
            found[name.rpartition(".")[0]] = load_pipeline(text, path)
    return found


def _place(
    environment: str,
    journal: Path,
    loaded: Mapping[str, LoadedPipeline],
    settings: Mapping[str, Mapping[str, Schedule]],
    problems: Mapping[str, tuple[Problem, ...]],
    connections: Collection[str] | None,
) -> Place:
    """A place with the schedules of pipelines, and those that the `settings` add. `connections`: their names, if they are known."""
    found: list[Scheduled] = []
    wrong = dict(problems)
    names = {one.pipeline.name for one in loaded.values()}
    for file, one in loaded.items():
        pipeline = one.pipeline
        own = {name: it for name, it in pipeline.schedules.items() if (it.env or DEV) == environment}
        added = settings.get(pipeline.name, {})
        told = [*one.problems, *twice(own, added)]
        if told:
            wrong[pipeline.name] = tuple(told)
            continue
        found += [
            Scheduled(environment=environment, pipeline=pipeline.name, file=file, schedule=it)
            for it in {**own, **added}.values()
        ]
    for pipeline_name in settings.keys() - names:
        places = ", ".join(one.place for one in settings[pipeline_name].values())
        wrong[pipeline_name] = (Problem(path=places, message=f"there is no pipeline '{pipeline_name}'"),)
    wrong |= dict(without_source([(it.key, it.schedule) for it in found], loaded, connections))
    return Place(environment=environment, journal=journal, scheduled=tuple(found), problems=wrong)


def mistakes_of(home: Project, pipelines: Collection[str] | None = None) -> list[Problem]:
    """What is wrong with the schedules of some pipelines, or of all, as they are in the working tree, beside what is wrong with the
    pipelines. Raises `PipelineInvalid` for mistakes in the settings."""
    loaded = {name: _loaded(home, name) for name in home.catalog.names()}
    environments = home.environments.all()
    known = [problem for one in loaded.values() for problem in one.problems]
    wrong = dict(of_nowhere(loaded, [DEV, *environments]))
    for name, environment in [(DEV, None), *environments.items()]:
        added = environment.schedules if environment is not None else {}
        place = _place(name, Path(), loaded, added, {}, _connections(home, environment))
        wrong |= {f"{key}@{name}": found for key, found in place.problems.items()}
    return [
        problem
        for key, problems in wrong.items()
        if pipelines is None or key.partition("@")[0].partition("/")[0] in pipelines
        for problem in problems
        if problem not in known
    ]


def _connections(home: Project, environment: Environment | None) -> Collection[str] | None:
    """The names of the connections that an environment has; `None` where nobody can say."""
    try:
        return {
            *read_connections(home.root).all,
            *(environment.connections if environment is not None else ()),
        }
    except PipelineInvalid:  # told by what uses them
        return None

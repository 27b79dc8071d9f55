"""What can be asked of a project: its pipelines, what they come to, and orders of runs."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stagebook.errors import PipelineInvalid, PipelineNotFound, Problem, UsageError, did_you_mean
from stagebook.journal.journal import RunRecord
from stagebook.journal.result_table import KnownResults
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.params import bind_params, parse_file, parse_pairs
from stagebook.pipeline.types import Value
from stagebook.planning.expansion import Expansion
from stagebook.planning.plan import Plan
from stagebook.planning.planner import Planner
from stagebook.planning.result import NoResults, Result
from stagebook.planning.reuse import ReusePolicy
from stagebook.planning.select import Matching, Selection
from stagebook.runs.history import Archive, Earlier
from stagebook.runs.resume import Rest, changed_since, refuse_changed, rest_of
from stagebook.system.file_cache import FileCache
from stagebook.system.store import Store
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.settings import Settings, read_settings
from stagebook.workspace.workspace import Workspace

PIPELINES = "pipelines"
_SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The parameters that were given for a run: `name=value` texts, files, and values."""

    pairs: Sequence[str] = ()
    files: Sequence[Path] = ()
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A run that was planned. `forced`: stages to run whatever is known (names or globs; None: none);
    `rest`: what it goes on with."""

    plan: Plan
    planner: Planner
    selection: Selection
    forced: tuple[str, ...] | None = None
    rest: Rest | None = None


class Orders(Archive):
    """What can be asked of the project at `root`. Nothing is read before it is asked for."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(root, clock=clock)
        self._settings: Settings | None = None
        self._dependencies: ProjectDependencies | None = None
        self._store: Store | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the project. Raises `PipelineInvalid` for mistakes in them."""
        if self._settings is None:
            self._settings = read_settings(self.root)
        return self._settings

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow keeps runs; None if tracking is switched off."""
        tracking = self.settings.tracking
        return (os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri) if tracking.enabled else None

    # -- pipelines ------------------------------------------------------------------------------

    def pipelines(self) -> list[str]:
        """The names of the pipelines under `pipelines/`, sorted."""
        folder = self.root / PIPELINES
        if not folder.is_dir():
            return []
        return sorted(path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES)

    def find(self, name: str | None = None) -> str:
        """The path of a pipeline file, relative to the project.

        `name` is a name under `pipelines/` or a path; it may be left out where there is just one.

        Raises:
            PipelineNotFound: there is none of that name, or more than one to choose from.
        """
        known = self.pipelines()
        if name is None:
            if len(known) != 1:
                what = (
                    f"name one of the pipelines: {', '.join(known)}"
                    if known
                    else "there is no pipeline under pipelines/"
                )
                raise PipelineNotFound(
                    what, hint="" if known else "make a project with one: stagebook init NAME"
                )
            name = known[0]
        for suffix in _SUFFIXES:
            if name in known and (self.root / PIPELINES / f"{name}{suffix}").is_file():
                return f"{PIPELINES}/{name}{suffix}"
        if name.endswith(_SUFFIXES):
            for base in (Path.cwd(), self.root):
                path = (base / name).resolve()
                if path.is_file():
                    if not path.is_relative_to(self.root):
                        msg = f"'{name}' is outside of the project {self.root}"
                        raise PipelineNotFound(msg)
                    return path.relative_to(self.root).as_posix()
        msg = f"there is no pipeline '{name}'"
        raise PipelineNotFound(msg, hint=did_you_mean(name, known))

    def load(self, name: str | None = None) -> LoadedPipeline:
        """Read a pipeline file; its mistakes come along."""
        path = self.find(name)
        try:
            text = (self.root / path).read_bytes()
        except OSError as error:
            raise PipelineInvalid(
                [Problem(path=path, message=f"cannot be read: {error.strerror}")]
            ) from error
        return load_pipeline(text, path)

    def plan(
        self, name: str | None = None, given: Given | None = None, selection: Selection | None = None
    ) -> Plan:
        """What a run would do.

        Raises:
            PipelineInvalid: with every mistake of the file, its notebooks and the parameters.
            UsageError: the selection matches nothing.
        """
        return self.order(name, given, selection).plan

    def order(
        self,
        name: str | None = None,
        given: Given | None = None,
        selection: Selection | None = None,
        *,
        forced: Sequence[str] | None = None,
        rest: Rest | None = None,
    ) -> Ordered:
        """Plan a run. Raises as `plan`."""
        loaded = self.load(name)
        params, problems = self._params(loaded.pipeline, given or Given())
        missing = [p for p in loaded.pipeline.params.values() if p.required and params[p.name] is None]
        if missing and problems:
            raise PipelineInvalid([*loaded.problems, *problems])
        pipeline = loaded.pipeline.name
        dependencies = self.dependencies
        dependencies.forget()
        results = KnownResults(self.journal) if self.has_journal else NoResults()
        planner = Planner(
            loaded.pipeline,
            params,
            dependencies.workspace,
            selection=selection,
            env=os.environ,
            earlier=Earlier(self, results, pipeline),
            problems=[*loaded.problems, *problems],
            policy=ReusePolicy(
                pipeline,
                dependencies,
                results,
                forced=() if forced is None else Matching(forced or ("*",)),
                finished=rest.finished if rest is not None else {},
            ),
        )
        try:
            plan = planner.plan()
        finally:
            dependencies.file_cache.save()
        return Ordered(
            plan=plan,
            planner=planner,
            selection=selection or Selection(),
            forced=None if forced is None else tuple(forced),
            rest=rest,
        )

    def order_rest(self, run: RunRecord, *, failed_only: bool = False, keep: bool = False) -> Ordered:
        """Plan what is left of a run: what it finished is not run again. With `failed_only`, what failed
        and what depends on it; with `keep`, also where what was finished would come out otherwise today.

        Raises:
            UsageError: nothing is left, or the run is going on.
            ResumeRefused: what was finished depends on what changed since.
        """
        if run.ended is None:
            from stagebook.runs.lease import outwait  # noqa: PLC0415 - psutil, which looking does without

            outwait(self.journal, run.id, clock=self._clock)
        rest = rest_of(run.id, self.journal.events, self._result)
        if failed_only and not rest.failed:
            msg = f"no stage of the run {run.id} failed"
            raise UsageError(msg, hint=f"go on with the rest of it: stagebook resume {run.id}")
        selection = rest.with_failed_only() if failed_only else rest.selection
        given = Given(values=dict(rest.started.plan.get("params", {})))
        path = str(rest.started.plan.get("path", run.pipeline))
        ordered = self.order(path, given, selection, forced=rest.forced, rest=rest)
        policy = ordered.planner.policy
        assert policy is not None
        if not keep:
            changed = changed_since(ordered.plan, policy, rest.finished)
            if changed:
                raise refuse_changed(run.id, run.pipeline, changed)
        return ordered

    def _result(self, number: int) -> Result | None:
        return next(iter(self.journal.results("number = ?", (number,))), None)

    @property
    def store(self) -> Store:
        """The store."""
        if self._store is None:
            self._store = Store(self.root / STATE_FOLDER / "store")
        return self._store

    @property
    def dependencies(self) -> ProjectDependencies:
        """What results depend on, as it is on disk and on this machine."""
        if self._dependencies is None:
            file_cache = FileCache(self.root / STATE_FOLDER / "cache" / "files.json")
            self._dependencies = ProjectDependencies(
                Workspace(self.root, file_cache),
                file_cache,
                self.store,
                os.environ,
                restores=self.settings.store.enabled,
            )
        return self._dependencies

    def check_params(self, name: str | None, given: Given) -> None:
        """Raises `PipelineInvalid` for what is wrong with parameters."""
        loaded = self.load(name)
        _, problems = self._params(loaded.pipeline, given)
        if problems:
            raise PipelineInvalid([*loaded.problems, *problems])

    def stage_ids(self, name: str | None = None) -> list[str]:
        """The stage instances of a pipeline as its file has them now, with the default parameters.
        Notebooks are not read, and mistakes are not told."""
        loaded = self.load(name)
        params, _ = self._params(loaded.pipeline, Given())
        return list(Expansion(loaded.pipeline, params, self.dependencies.workspace, os.environ).expand())

    def _params(self, pipeline: Pipeline, given: Given) -> tuple[dict[str, Value], list[Problem]]:
        values: dict[str, Value] = {}
        origins: dict[str, tuple[str, int, int]] = {}
        problems: list[Problem] = []
        for file in given.files:
            try:
                more, places, found = parse_file(file.read_bytes(), str(file))
            except OSError as error:
                problems.append(Problem(path=str(file), message=f"cannot be read: {error.strerror}"))
                continue
            values |= more
            origins |= places
            problems += found
        more, found = parse_pairs(pipeline, given.pairs)
        values |= more | dict(given.values)
        for name in {**more, **given.values}:
            origins.pop(name, None)  # what is given on the command line wins, and is to blame
        bound, wrong = bind_params(pipeline, values, origins)
        return bound, [*problems, *found, *wrong]

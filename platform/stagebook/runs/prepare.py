"""Planning a run: what is asked for, held against the files, the machine and earlier results."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
from collections.abc import Callable, Mapping, Sequence

from stagebook.errors import PipelineInvalid, Problem, UsageError
from stagebook.journal.journal import Journal, RunRecord
from stagebook.journal.result_table import KnownResults, SharedResults
from stagebook.pipeline.loader import LoadedPipeline
from stagebook.pipeline.model import Pipeline, Schedule
from stagebook.pipeline.types import Value
from stagebook.planning.declared import Declared
from stagebook.planning.neighbours import Neighbours, neighbours_of
from stagebook.planning.plan import Plan
from stagebook.planning.planner import Planner
from stagebook.planning.result import Result, Results
from stagebook.planning.reuse import ReusePolicy
from stagebook.planning.select import Matching, Selection
from stagebook.runs.history import EarlierScraps, History
from stagebook.runs.intervals import as_scheduled, interval_for, interval_of
from stagebook.runs.lease import outwait
from stagebook.runs.request import RunRequest
from stagebook.runs.resume import Rest, changed_since, refuse_changed, rest_of
from stagebook.sharing.results import ResultsBehind
from stagebook.sharing.shared_store import SharedStore
from stagebook.timing.interval import Interval
from stagebook.workspace.catalog import Catalog, bind
from stagebook.workspace.dependencies import ProjectDependencies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that was planned. `forced`: stages to run though nothing changed (names or globs; `()`: all,
    `None`: none); `rest`: what it goes on with."""

    plan: Plan
    planner: Planner
    selection: Selection
    forced: tuple[str, ...] | None = None
    rest: Rest | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What plans are made of, as it is at one moment."""

    loaded: LoadedPipeline
    declared: Declared
    results: Results
    scraps: EarlierScraps
    neighbours: Neighbours
    intervals: Callable[[], Sequence[Interval]]


class Preparer:
    """Plans runs of one project."""

    def __init__(  # noqa: PLR0913 - the parts of a project that plans are made of
        self,
        catalog: Catalog,
        history: History,
        dependencies: ProjectDependencies,
        clock: Callable[[], float],
        *,
        defaults: Mapping[str, Value] | None = None,
        schedules: Mapping[str, Mapping[str, Schedule]] | None = None,
        others: Callable[[], Mapping[str, Journal]] = dict,
        shared: SharedStore | None = None,
    ) -> None:
        """`defaults`: values in place of the defaults of parameters; `schedules`: those that the environment adds, by
        pipeline and name; `others`: the journals of other environments, by
        their names; `shared`: the store that the project shares with others."""
        self.catalog = catalog
        self.history = history
        self.dependencies = dependencies
        self._clock = clock
        self._defaults = defaults or {}
        self._others = others
        self._schedules = schedules or {}
        self.shared = shared

    def prepare(self, request: RunRequest, moment: Moment | None = None) -> PreparedRun:
        """Plan what is asked for; as of a `moment`, or of now.

        Raises:
            PipelineInvalid: with every mistake of the file, its notebooks and the parameters.
            UsageError: the selection matches nothing, or the interval is none.
        """
        return self._prepare(request, request.selection, request.forced, moment=moment)

    def look(self, request: RunRequest) -> Moment:
        """What plans of the pipeline of a request are made of, as it is now: for many that differ in their intervals alone."""
        loaded, dependencies = self.catalog.load(request.pipeline), self.dependencies
        dependencies.forget()
        dependencies.file_cache.verify(request.verify)
        if self.shared is not None:
            self.shared.begin()
        results = self.results()
        return Moment(
            loaded=loaded,
            declared=Declared.of(loaded.pipeline, dependencies.workspace),
            results=results,
            scraps=EarlierScraps(self.history, results, loaded.pipeline.name),
            neighbours=neighbours_of(self.catalog, loaded.pipeline.path, dependencies.workspace, os.environ),
            intervals=functools.cache(lambda: self.intervals(loaded.pipeline.name)),
        )

    def _prepare(
        self,
        request: RunRequest,
        selection: Selection,
        forced: Sequence[str] | None,
        rest: Rest | None = None,
        moment: Moment | None = None,
    ) -> PreparedRun:
        moment = moment or self.look(request)
        loaded = moment.loaded
        schedules = {**loaded.pipeline.schedules, **self._schedules.get(loaded.pipeline.name, {})}
        request = as_scheduled(request, schedules)
        params, problems = self._bind(loaded.pipeline, request)
        missing = [p for p in loaded.pipeline.params.values() if p.required and params[p.name] is None]
        if missing and problems:
            raise PipelineInvalid([*loaded.problems, *problems])
        pipeline, dependencies = loaded.pipeline.name, self.dependencies
        interval = interval_for(
            loaded.pipeline,
            request,
            schedules,
            dt.datetime.fromtimestamp(self._clock(), dt.UTC),
            lambda: moment.intervals() or self._intervals_elsewhere(pipeline),
        )
        planner = Planner(
            loaded.pipeline,
            params,
            dependencies.workspace,
            selection=selection,
            env=os.environ,
            earlier=moment.scraps,
            problems=[*loaded.problems, *problems],
            policy=ReusePolicy(
                pipeline,
                dependencies,
                moment.results,
                forced=() if forced is None else Matching(forced or ("*",)),
                finished=rest.finished if rest is not None else {},
                audited=Matching(request.selection.named or ("*",)) if request.audit else (),
                interval=interval,
            ),
            neighbours=moment.neighbours,
            interval=interval,
            intervals=moment.intervals,
            declared=moment.declared,
        )
        plan = planner.plan()
        dependencies.file_cache.save()  # looking at a pipeline with mistakes leaves no trace
        return PreparedRun(
            plan=plan,
            planner=planner,
            selection=selection,
            forced=None if forced is None else tuple(forced),
            rest=rest,
        )

    def intervals(self, pipeline: str) -> list[Interval]:
        """What runs of a pipeline were about that completed."""
        if not self.history.has_journal:
            return []
        return self.history.journal.intervals.completed(pipeline)

    def _intervals_elsewhere(self, pipeline: str) -> list[Interval]:
        """The same, of runs in other environments."""
        journals = self._others().values()
        return [one for journal in journals for one in journal.intervals.completed(pipeline)]

    def results(self) -> Results:
        """The results that the journal knows, those of other environments, and those of the shared store."""
        found = self._own_results()
        return found if self.shared is None else ResultsBehind(found, self.shared)

    def _own_results(self) -> Results:
        others = {name: one.results for name, one in self._others().items()}
        if not (self.history.has_journal or others):
            return Results()
        own = self.history.journal.results
        return SharedResults(own, others) if others else KnownResults(own)

    def prepare_rest(
        self, run: RunRecord, *, failed_only: bool = False, keep: bool = False, verify: bool = False
    ) -> PreparedRun:
        """Plan what is left of a run: what it finished is not run again. With `failed_only`, what failed
        and what depends on it; with `keep`, also where what was finished would come out otherwise today; `verify` as in
        `RunRequest`.

        Raises:
            UsageError: nothing is left, or the run is going on.
            ResumeRefused: what was finished depends on what changed since.
        """
        if run.ended is None:
            outwait(self.history.journal, run.id, clock=self._clock)
        rest = rest_of(run.id, self.history.journal.events.of, self._result)
        if failed_only and not rest.failed:
            msg = f"no stage of the run {run.id} failed"
            raise UsageError(msg, hint=f"go on with the rest of it: stagebook resume {run.id}")
        selection = rest.with_failed_only() if failed_only else rest.selection
        request = RunRequest(
            pipeline=str(rest.started.plan.get("path", run.pipeline)),
            values=dict(rest.started.plan.get("params", {})),
            interval=interval_of(rest.started),
            verify=verify,
        )
        prepared = self._prepare(request, selection, rest.forced, rest)
        policy = prepared.planner.policy
        assert policy is not None
        if not keep and (changed := changed_since(prepared.plan, policy, rest.finished)):
            raise refuse_changed(run.id, run.pipeline, changed)
        return prepared

    def _result(self, number: int) -> Result | None:
        return next(iter(self.history.journal.results.where("number = ?", (number,))), None)

    def check_params(self, request: RunRequest) -> None:
        """Raises `PipelineInvalid` for what is wrong with the parameters of a request."""
        loaded = self.catalog.load(request.pipeline)
        _, problems = self._bind(loaded.pipeline, request)
        if problems:
            raise PipelineInvalid([*loaded.problems, *problems])

    def _bind(self, pipeline: Pipeline, request: RunRequest) -> tuple[dict[str, Value], list[Problem]]:
        defaults = {name: value for name, value in self._defaults.items() if name in pipeline.params}
        return bind(
            pipeline, defaults=defaults, files=request.files, pairs=request.pairs, values=request.values
        )

"""A pipeline run once for each point of a grid, one point after the other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.errors import PipelineInvalid, UsageError
from stagebook.events import RunStarted, Status
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.params import parse_pairs
from stagebook.pipeline.types import Value
from stagebook.planning.select import Selection
from stagebook.runs.grid import Grid, Point, StopRule, SweepReport, grid_of, metrics_of
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.intervals import interval_of
from stagebook.runs.launcher import Launcher
from stagebook.runs.origin import describe_origin
from stagebook.runs.prepare import PreparedRun, Preparer
from stagebook.runs.request import RunRequest
from stagebook.runs.series import run_series
from stagebook.tracking.delivery import Delivery
from stagebook.tracking.state import state_of
from stagebook.workspace.catalog import Catalog


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SweepHooks:
    """`told` and `ended` are called before and after each point; `run` takes part in each of its runs."""

    told: Callable[[int, int, Mapping[str, Any]], None] = lambda _at, _of, _params: None
    ended: Callable[[Point], None] = lambda _point: None
    run: LaunchHooks = dataclasses.field(default_factory=LaunchHooks)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SweepRest:
    """What is left of the sweep `of`: the points that did not complete; with `failed_only`, those that failed. `keep` is as
    in `Preparer.prepare_rest`."""

    of: RunRecord
    failed_only: bool = False
    keep: bool = False


def grid_for(catalog: Catalog, request: RunRequest) -> tuple[Grid, RunRequest]:
    """The points of a sweep, and the request without what is swept.

    Raises:
        UsageError: nothing is swept.
        PipelineInvalid: a parameter cannot be read.
    """
    loaded = catalog.load(request.pipeline)
    values, problems = parse_pairs(loaded.pipeline, request.pairs, lists=True)
    if problems:
        raise PipelineInvalid([*loaded.problems, *problems])
    grid = grid_of(loaded.pipeline, {**values, **request.values})
    return grid, dataclasses.replace(request, pairs=(), values=grid.fixed, run_id="", parent="")


def sweep(
    preparer: Preparer, launcher: Launcher, request: RunRequest, hooks: SweepHooks | None = None
) -> SweepReport:
    """Run a pipeline at each point. What does not depend on a swept parameter is run at the first point
    and reused at the others.

    Raises:
        UsageError: nothing is swept, or the rule cannot be read.
        PipelineInvalid: a point cannot be planned; nothing was started.
        PipelineBusy: the pipeline is being run.
    """
    grid, fixed = grid_for(preparer.catalog, request)
    return _Sweep(preparer, launcher, fixed, grid, hooks or SweepHooks()).run()


def resume_sweep(
    preparer: Preparer,
    launcher: Launcher,
    rest: SweepRest,
    request: RunRequest,
    hooks: SweepHooks | None = None,
) -> SweepReport:
    """Run what is left of a sweep, each point from where it was. Of `request`, how to run counts. Raises as `sweep`."""
    record = rest.of
    events = [event for _, event in preparer.history.journal.events.of(record.id)]
    started = events[0]
    assert isinstance(started, RunStarted)
    asked = started.request
    axes = {name: tuple(values) for name, values in asked.get("axes", {}).items()}
    fixed = {name: value for name, value in started.plan.get("params", {}).items() if name not in axes}
    again = dataclasses.replace(
        request,
        pipeline=str(started.plan.get("path", record.pipeline)),
        values=fixed,
        selection=Selection(**{name: tuple(texts) for name, texts in asked.get("selection", {}).items()}),
        most=asked.get("most"),
        stop_when=asked.get("stop_when"),
        force=bool(asked.get("force")),
        interval=interval_of(started),
    )
    return _Sweep(preparer, launcher, again, Grid(axes=axes, fixed=fixed), hooks or SweepHooks(), rest).run()


class _Sweep:
    """One sweep."""

    def __init__(
        self,
        preparer: Preparer,
        launcher: Launcher,
        request: RunRequest,
        grid: Grid,
        hooks: SweepHooks,
        rest: SweepRest | None = None,
    ) -> None:
        self._preparer = preparer
        self._launcher = launcher
        self._request = request
        self._grid = grid
        self._hooks = hooks
        self._rest = rest
        stages = list(preparer.catalog.load(request.pipeline).pipeline.stages)
        self._rule = StopRule.parse(request.stop_when, stages) if request.stop_when else None
        self._earlier = self._points_of(rest.of) if rest is not None else {}
        points = grid.points()[: request.most or None]
        self._points = [point for point in points if self._is_left(point)]
        self._done: list[Point] = []
        self._because = ""

    def _points_of(self, sweep_run: RunRecord) -> dict[str, RunRecord]:
        """The latest runs of the points of a sweep, and of those that it went on with."""
        journal = self._preparer.history.journal
        found: dict[str, RunRecord] = {}
        started = next((event for _, event in journal.events.of(sweep_run.id)), None)
        if isinstance(started, RunStarted) and started.resumes:
            before = journal.runs.find(started.resumes)
            found |= self._points_of(before) if before is not None else {}
        for run in journal.runs.points_of(sweep_run.id):
            found[_key({name: run.params.get(name) for name in self._grid.axes})] = run
        return found

    def _is_done(self, point: Mapping[str, Value]) -> bool:
        run = self._earlier.get(_key(point))
        return run is not None and run.status is Status.COMPLETED

    def _is_left(self, point: Mapping[str, Value]) -> bool:
        if self._rest is not None and self._rest.failed_only:
            run = self._earlier.get(_key(point))
            return run is not None and run.status is Status.FAILED
        return not self._is_done(point)

    def run(self) -> SweepReport:
        """Run all points."""
        launcher, journal = self._launcher, self._launcher.journal
        if not self._points:
            assert self._rest is not None
            what = "has no point that failed" if self._rest.failed_only else "finished all of its points"
            msg = f"the sweep {self._rest.of.id} {what}"
            raise UsageError(msg, hint="stagebook runs lists them")
        # Mistakes are told before anything is run.
        first = self._prepare(self._points[0])
        for point in self._points[1:]:
            self._preparer.check_params(self._at(point))
        run = launcher.new_run_id()
        made = run_series(
            launcher,
            self._started(run, first),
            self._hooks.run,
            lambda delivery: (self._run_points(run, first, delivery), self._because),
            wait=self._request.wait,
        )
        left = self._grid.size - len(self._done) - sum(map(self._is_done, self._grid.points()))
        why = made.reason or (f"--max {self._request.most}" if left else "")
        return SweepReport(
            run=run,
            status=made.status,
            points=self._done,
            left=left,
            why=why,
            undelivered=made.undelivered,
            tracking=state_of(journal.outbox, made.undelivered, run=run, behind=self._hooks.run.behind),
        )

    def _run_points(self, run: str, first: PreparedRun, delivery: Delivery | None) -> Status:
        status = Status.COMPLETED
        hooks = dataclasses.replace(self._hooks.run, parent=run, delivery=delivery, keep_server=True)
        request = dataclasses.replace(self._request, wait=False)
        for at, point in enumerate(self._points):
            self._hooks.told(at + 1, len(self._points), point)
            prepared = first if at == 0 else self._prepare(point)
            report = self._launcher.run(prepared, request, hooks)
            done = Point(
                params=point,
                run=report.run,
                status=report.status,
                metrics=metrics_of(report.history),
                history=report.history,
            )
            self._done.append(done)
            self._hooks.ended(done)
            if report.status is Status.CANCELLED:
                self._because = report.history.reason
                return Status.CANCELLED
            if report.status is not Status.COMPLETED:
                status = Status.FAILED  # the other points are worth their runs all the same
            elif self._rule is not None and self._rule.holds(report.history):
                self._because = f"{self._rule} holds"
                break
        return status

    def _prepare(self, point: Mapping[str, Value]) -> PreparedRun:
        """Plan a point: what is left of it, if it was begun."""
        earlier = self._earlier.get(_key(point))
        if earlier is not None:
            assert self._rest is not None
            failed_only, keep = self._rest.failed_only, self._rest.keep
            return self._preparer.prepare_rest(
                earlier, failed_only=failed_only, keep=keep, verify=self._request.verify
            )
        return self._preparer.prepare(self._at(point))

    def _at(self, point: Mapping[str, Value]) -> RunRequest:
        return dataclasses.replace(self._request, values={**self._request.values, **point})

    def _started(self, run: str, first: PreparedRun) -> RunStarted:
        axes = {name: list(values) for name, values in self._grid.axes.items()}
        plan = first.plan
        return RunStarted(
            run=run,
            at=self._launcher.now(),
            pipeline=plan.pipeline,
            plan={
                "pipeline": plan.pipeline,
                "path": plan.path,
                "description": plan.description,
                "params": {**plan.params, **axes},
                "stages": [],
            },
            origin=describe_origin(self._launcher.root),
            kind="sweep",
            resumes=self._rest.of.id if self._rest else "",
            interval={} if plan.interval is None else plan.interval.to_json(),
            schedule=self._request.schedule,
            request={
                "axes": axes,
                "points": len(self._points),
                "most": self._request.most,
                "stop_when": self._request.stop_when,
                "force": self._request.force,
                "selection": dataclasses.asdict(self._request.selection),
            },
        )


def _key(params: Mapping[str, Value] | Sequence[Value]) -> str:
    return json.dumps(params, sort_keys=True)

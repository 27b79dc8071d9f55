"""A pipeline run once for each point of a grid, one point after the other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.errors import PipelineInvalid, UsageError
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.params import parse_pairs
from stagebook.pipeline.types import Value
from stagebook.planning.select import Selection
from stagebook.project import Given, Ordered, Project
from stagebook.runs.grid import Grid, Point, StopRule, SweepReport, grid_of, metrics_of
from stagebook.runs.lease import heartbeat, take_ownership
from stagebook.runs.run import Delivery, describe_origin


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """`most` bounds how many points are run; `stop_when` is a rule such as `train.auc >= 0.9`, after
    which no further point is. `told` and `ended` are called before and after each point."""

    most: int | None = None
    stop_when: str | None = None
    told: Callable[[int, int, Mapping[str, Any]], None] = lambda _at, _of, _params: None
    ended: Callable[[Point], None] = lambda _point: None


def sweep(
    project: Project,
    name: str | None,
    given: Given,
    selection: Selection | None = None,
    options: SweepOptions | None = None,
    **run_options: Any,
) -> SweepReport:
    """Run a pipeline at each point. What does not depend on a swept parameter is run at the first point
    and reused at the others. `run_options` are those of `Project.run_planned`.

    Raises:
        UsageError: nothing is swept, or the rule cannot be read.
        PipelineInvalid: a point cannot be planned; nothing was started.
        PipelineBusy: the pipeline is being run.
    """
    loaded = project.load(name)
    values, problems = parse_pairs(loaded.pipeline, given.pairs, lists=True)
    if problems:
        raise PipelineInvalid([*loaded.problems, *problems])
    grid = grid_of(loaded.pipeline, {**values, **given.values})
    fixed = dataclasses.replace(given, pairs=(), values=grid.fixed)
    return _Sweep(project, name, fixed, selection or Selection(), grid, options or SweepOptions()).run(
        run_options
    )


def resume_sweep(
    project: Project, record: RunRecord, options: SweepOptions | None = None, **run_options: Any
) -> SweepReport:
    """Run the points that a sweep left, each from where it was. Raises as `sweep`."""
    events = [event for _, event in project.journal.events(record.id)]
    started = events[0]
    assert isinstance(started, RunStarted)
    request = started.request
    axes = {name: tuple(values) for name, values in request.get("axes", {}).items()}
    fixed = {name: value for name, value in started.plan.get("params", {}).items() if name not in axes}
    asked = request.get("selection", {})
    again = dataclasses.replace(
        options or SweepOptions(), most=request.get("most"), stop_when=request.get("stop_when")
    )
    return _Sweep(
        project,
        str(started.plan.get("path", record.pipeline)),
        Given(values=fixed),
        Selection(**{name: tuple(items) for name, items in asked.items()}),
        Grid(axes=axes, fixed=fixed),
        again,
        resumes=record,
    ).run(run_options)


class _Sweep:
    """One sweep."""

    def __init__(  # noqa: PLR0913 - what was asked for
        self,
        project: Project,
        name: str | None,
        given: Given,
        selection: Selection,
        grid: Grid,
        options: SweepOptions,
        *,
        resumes: RunRecord | None = None,
    ) -> None:
        self._project = project
        self._name = name
        self._given = given
        self._selection = selection
        self._grid = grid
        self._options = options
        self._resumes = resumes
        stages = list(project.load(name).pipeline.stages)
        self._rule = StopRule.parse(options.stop_when, stages) if options.stop_when else None
        self._earlier = self._points_of(resumes) if resumes is not None else {}
        points = grid.points()[: options.most or None]
        self._points = [point for point in points if not self._is_done(point)]
        self._done: list[Point] = []
        self._because = ""

    def _points_of(self, sweep_run: RunRecord) -> dict[str, RunRecord]:
        """The runs of an earlier sweep by their points."""
        found: dict[str, RunRecord] = {}
        for run in self._project.journal.runs_of_parent(sweep_run.id):
            found[_key({name: run.params.get(name) for name in self._grid.axes})] = run
        return found

    def _is_done(self, point: Mapping[str, Value]) -> bool:
        run = self._earlier.get(_key(point))
        return run is not None and run.status is Status.COMPLETED

    def run(self, run_options: dict[str, Any]) -> SweepReport:
        """Run all points."""
        project = self._project
        if not self._points:
            msg = f"the sweep {self._resumes.id if self._resumes else ''} finished all of its points"
            raise UsageError(msg, hint="stagebook runs lists them")
        # Mistakes are told before anything is run.
        first = self._order(self._points[0])
        for point in self._points[1:]:
            project.check_params(self._name, self._at(point))
        run = project.new_run_id()
        take_ownership(
            project.journal,
            self._started(run, first),
            clock=project.now,
            wait=run_options.pop("wait", False),
            waiting=run_options.pop("waiting", lambda _busy: None),
        )
        uri = project.tracking_uri
        delivery = Delivery(project.journal, project.root, uri, run) if uri else None
        status = Status.FAILED
        undelivered = 0
        try:
            with heartbeat(project.journal.path, run):
                if delivery is not None:
                    delivery.start()
                status = self._run_points(run, first, delivery, run_options)
        except KeyboardInterrupt:
            status, self._because = Status.CANCELLED, "interrupted from the keyboard"
        finally:
            end = RunEnded(run=run, at=project.now(), status=status, reason=self._because)
            project.journal.append([end], owner=run)
            project.cool_down()
            if delivery is not None:
                undelivered = delivery.finish()
        left = self._grid.size - len(self._done) - sum(map(self._is_done, self._grid.points()))
        why = self._because or (f"--max {self._options.most}" if left else "")
        return SweepReport(
            run=run, status=status, points=self._done, left=left, why=why, undelivered=undelivered
        )

    def _run_points(
        self, run: str, first: Ordered, delivery: Delivery | None, run_options: Mapping[str, Any]
    ) -> Status:
        status = Status.COMPLETED
        for at, point in enumerate(self._points):
            self._options.told(at + 1, len(self._points), point)
            ordered = first if at == 0 else self._order(point)
            report = self._project.run_planned(
                ordered, parent=run, delivery=delivery, keep_server=True, **run_options
            )
            done = Point(
                params=point,
                run=report.run,
                status=report.status,
                metrics=metrics_of(report.history),
                history=report.history,
            )
            self._done.append(done)
            self._options.ended(done)
            if report.status is Status.CANCELLED:
                self._because = "cancelled"
                return Status.CANCELLED
            if report.status is not Status.COMPLETED:
                status = Status.FAILED  # the other points are worth their runs all the same
            elif self._rule is not None and self._rule.holds(report.history):
                self._because = f"{self._rule} holds"
                break
        return status

    def _order(self, point: Mapping[str, Value]) -> Ordered:
        """Plan a point: what is left of it, if it was begun."""
        earlier = self._earlier.get(_key(point))
        if earlier is not None:
            return self._project.order_rest(earlier)
        return self._project.order(self._name, self._at(point), self._selection)

    def _at(self, point: Mapping[str, Value]) -> Given:
        return dataclasses.replace(self._given, values={**self._given.values, **point})

    def _started(self, run: str, first: Ordered) -> RunStarted:
        axes = {name: list(values) for name, values in self._grid.axes.items()}
        plan = first.plan
        return RunStarted(
            run=run,
            at=self._project.now(),
            pipeline=plan.pipeline,
            plan={
                "pipeline": plan.pipeline,
                "path": plan.path,
                "description": plan.description,
                "params": {**plan.params, **axes},
                "stages": [],
            },
            origin=describe_origin(self._project.root),
            kind="sweep",
            resumes=self._resumes.id if self._resumes else "",
            request={
                "axes": axes,
                "points": len(self._points),
                "most": self._options.most,
                "stop_when": self._options.stop_when,
                "selection": dataclasses.asdict(self._selection),
            },
        )


def _key(params: Mapping[str, Value] | Sequence[Value]) -> str:
    return json.dumps(params, sort_keys=True)

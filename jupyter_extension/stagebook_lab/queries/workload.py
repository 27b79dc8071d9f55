"""How much there is to do in a run or a sweep, and about how long that takes: by what stages took before."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence

from stagebook.planning.plan import Decision, NextRun, Plan, PlannedStage
from stagebook.project import Project
from stagebook.runs.request import RunRequest
from stagebook_lab import wire

SAMPLE = 4  # points of a sweep that are planned; the others are taken to be like those after the first one


def workload(project: Project, points: Sequence[RunRequest], first: Plan) -> wire.Workload:
    """How much there is to do at the points of a sweep, or at the only one of a run; `first` is the plan of the first one.

    Raises:
        StagebookError: as `Project.plan`.
    """
    plans = [first, *(project.plan(point) for point in points[1:SAMPLE])]
    took = project.journal.events.durations(first.pipeline) if project.history.has_journal else {}
    jobs = project.settings.run.jobs or os.cpu_count() or 1
    done: set[str] = set()
    each = [_left(plan, done) for plan in plans]
    seconds = [_seconds(stages, took, jobs) for stages in each]
    counts = [len(stages) for stages in each]
    everything = [stage for stages in each for stage in stages]
    known = any(stage.id in took for stage in everything) or not everything
    return wire.Workload(
        points=len(points),
        stages=round(_total(counts, len(points))),
        waiting=sum(stage.decision is Decision.WAIT for stage in everything),
        unknown=len({stage.id for stage in everything if stage.id not in took}),
        seconds=_total(seconds, len(points)) if known else None,
        restores=any(stage.next_run is NextRun.RESTORES for plan in plans for stage in plan.stages),
    )


def _total(planned: Sequence[float], points: int) -> float:
    """The sum over all points; those that were not planned are as the others are on average."""
    first, *others = planned
    return first + (statistics.fmean(others) * (points - 1) if others else 0)


def _left(plan: Plan, done: set[str]) -> list[PlannedStage]:
    """The stages that would run, without those that an earlier point has `done` with the same parameters."""
    keys: dict[str, str] = {}
    left = []
    for stage in plan.stages:
        before = [keys[name] for name in stage.upstream if name in keys]
        key = json.dumps([stage.id, stage.to_json()["params"], before], default=str, sort_keys=True)
        keys[stage.id] = key
        if stage.decision in {Decision.RUN, Decision.AUDIT, Decision.WAIT} and key not in done:
            left.append(stage)
        done.add(key)
    return left


def _seconds(stages: Sequence[PlannedStage], took: Mapping[str, float], jobs: int) -> float:
    """How long stages take together, each after those that it depends on, and so many at a time."""
    ends: dict[str, float] = {}
    for stage in stages:
        ends[stage.id] = took.get(stage.id, 0.0) + max(
            (ends.get(name, 0.0) for name in stage.upstream), default=0.0
        )
    whole = sum(took.get(stage.id, 0.0) for stage in stages)
    return max([whole / jobs, *ends.values()])

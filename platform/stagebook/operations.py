"""What is done with a project beyond a single run: sweeps, judgements of a person, explanations."""

from __future__ import annotations

import dataclasses
import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.definition.overrides import parse_pairs
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.events import Event, RunEnded, RunStarted, StageAccepted, StageEnded, Status
from stagebook.explaining import Explanation, explain
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.resolving import Scopes, depends_on_run, needed_stages, params_of
from stagebook.planning.results import Made
from stagebook.planning.select import Matching, Selection
from stagebook.project import Given, Project
from stagebook.record.results import KnownResults
from stagebook.sweeping import Point, StopRule, SweepReport, grid_of, metrics_of


def why(
    project: Project, name: str | None = None, stages: Sequence[str] = (), given: Given | None = None
) -> list[Explanation]:
    """Why stages of a pipeline run, are reused or wait; of all stages if none is named.

    Raises:
        UsageError: a name fits no stage.
    """
    plan = project.plan(name, given)
    chosen = _chosen(plan, stages)
    results = KnownResults(project.journal)
    return [explain(plan, stage, project.facts, results) for stage in chosen]


def _chosen(plan: Plan, texts: Sequence[str]) -> list[PlannedStage]:
    names = [stage.id for stage in plan.stages]
    for text in texts:
        if not any(name in Matching([text]) for name in names):
            from stagebook.errors import did_you_mean  # noqa: PLC0415 - only for the message

            msg = f"no stage '{text}'"
            raise UsageError(msg, hint=did_you_mean(text, dict.fromkeys(n.split("@")[0] for n in names)))
    return [stage for stage in plan.stages if not texts or stage.id in Matching(texts)]


# -- accept -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The run that records the judgement, and the stages whose outputs were declared good."""

    run: str
    stages: tuple[str, ...]


def accept(
    project: Project, name: str | None, stages: Sequence[str], because: str, given: Given | None = None
) -> Accepted:
    """Declare the outputs that are there good for the code, parameters and inputs as they are now.

    Raises:
        UsageError: no reason is given, a stage is not known, or its outputs are not there.
        PipelineBusy: the pipeline is being run.
    """
    from stagebook.ownership import take_ownership  # noqa: PLC0415 - psutil, which looking does without
    from stagebook.running import describe_origin  # noqa: PLC0415

    if not because.strip():
        msg = "say why the outputs are good all the same"
        raise UsageError(msg, hint='--because "only the plot changed"')
    ordered = project.order(name, given)
    plan, judge = ordered.plan, ordered.planner.judge
    assert judge is not None
    chosen = _chosen(plan, stages)
    by = _user()
    run, at = project.new_run_id(), project.now()
    events: list[Event] = []
    made: dict[str, Made] = {}
    scraps: dict[str, Mapping[str, Any]] = {}
    scopes = Scopes.of_plan(plan)
    for stage in plan.stages:
        latest = judge.results.latest(plan.pipeline, stage.id)
        made[stage.id] = judge.from_disk(stage, latest.values if latest else {})
        scraps[stage.id] = latest.values if latest else {}
        if stage not in chosen:
            continue
        _check_outputs(project, stage)
        if depends_on_run(stage):
            msg = f"{stage.id} depends on the run itself, so that nothing can be said of a later one"
            raise UsageError(msg, hint="take ${run.…} out of its parameters")
        lacking = [other for other in sorted(needed_stages(stage)) if not _known(plan, other, scraps)]
        if lacking:
            msg = f"{stage.id} needs scraps of '{lacking[0]}', which never ran"
            raise UsageError(msg, hint=f"run it first: stagebook run {plan.pipeline} {lacking[0]}")
        fingerprint = judge.fingerprint(stage, params_of(stage, scopes.of(stage, scraps)), made)
        outputs = {
            key: project.blobs.keep(project.root / output.path, output.path)
            for key, output in stage.outputs.items()
            if output.kind == "file"
        }
        events.append(
            StageAccepted(
                run=run,
                at=at,
                stage=stage.id,
                because=because.strip(),
                by=by,
                attempt=latest.attempt if latest else 0,
                folder=latest.folder if latest else "",
                fingerprint=fingerprint.digest,
                head=fingerprint.head,
                parts=fingerprint.parts,
                sources=project.keep_sources(stage),
                scraps=latest.scraps if latest else {},
                outputs=outputs,
            )
        )
        events.append(
            StageEnded(
                run=run,
                at=at,
                stage=stage.id,
                status=Status.REUSED,
                reason=f"accepted by {by}: {because.strip()}",
            )
        )
    taken = [stage.to_json() for stage in chosen]
    started = RunStarted(
        run=run,
        at=at,
        pipeline=plan.pipeline,
        plan={**plan.to_json(), "stages": taken},
        origin=describe_origin(project.root),
        kind="accept",
    )
    take_ownership(project.journal, started, clock=project.now)
    end = RunEnded(run=run, at=project.now(), status=Status.COMPLETED, reason=because.strip())
    project.journal.append([*events, end], owner=run)
    project.tell_mlflow()
    return Accepted(run=run, stages=tuple(stage.id for stage in chosen))


def _known(plan: Plan, stage: str, scraps: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(scraps.get(other.id) for other in plan.stages if other.stage == stage)


def _check_outputs(project: Project, stage: PlannedStage) -> None:
    if stage.foreach is not None:
        msg = f"the list of {stage.id} is not known yet"
        raise UsageError(msg, hint="run the stage that makes it first")
    for output in stage.outputs.values():
        if output.kind == "file" and not (project.root / output.path).exists():
            msg = f"{stage.id} cannot be accepted: its output '{output.path}' is not there"
            raise UsageError(msg, hint="run the stage, or put the file there")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        return str(os.getuid()) if hasattr(os, "getuid") else "somebody"


# -- sweeps -------------------------------------------------------------------------------------


def sweep(  # noqa: PLR0913 - the options of a sweep
    project: Project,
    name: str | None,
    given: Given,
    selection: Selection | None = None,
    *,
    most: int | None = None,
    stop_when: str | None = None,
    told: Callable[[int, int, Mapping[str, Any]], None] = lambda _at, _of, _params: None,
    ended: Callable[[Point], None] = lambda _point: None,
    **options: Any,
) -> SweepReport:
    """Run a pipeline once for each point of a grid of parameters, one after the other.

    What does not depend on a swept parameter is run at the first point and reused at the others. `most`
    bounds how many points are run; `stop_when` is a rule such as `train.auc >= 0.9`. `told` and `ended`
    are called before and after each point; `options` are those of `Project.run_planned`.

    Raises:
        UsageError: nothing is swept, or the rule cannot be read.
        PipelineInvalid: a point cannot be planned; nothing was started.
        PipelineBusy: the pipeline is being run.
    """
    from stagebook.ownership import heartbeat, take_ownership  # noqa: PLC0415 - as above
    from stagebook.running import Delivery, describe_origin  # noqa: PLC0415

    loaded = project.load(name)
    values, problems = parse_pairs(loaded.pipeline, given.pairs)
    if problems:
        raise PipelineInvalid([*loaded.problems, *problems])
    grid = grid_of(loaded.pipeline, {**values, **given.values})
    rule = StopRule.parse(stop_when, list(loaded.pipeline.stages)) if stop_when else None
    points = grid.points()[: most or None]
    everywhere = dataclasses.replace(given, pairs=(), values=grid.fixed)
    first = project.order(name, _at(everywhere, points[0]), selection)  # mistakes are told before anything
    for point in points[1:]:
        project.check_params(name, _at(everywhere, point))
    run = project.new_run_id()
    axes = {key: list(axis) for key, axis in grid.axes.items()}
    started = RunStarted(
        run=run,
        at=project.now(),
        pipeline=first.plan.pipeline,
        plan={
            "pipeline": first.plan.pipeline,
            "path": first.plan.path,
            "description": first.plan.description,
            "params": {**first.plan.params, **axes},
            "stages": [],
        },
        origin=describe_origin(project.root),
        kind="sweep",
        request={"axes": axes, "points": len(points)},
    )
    take_ownership(
        project.journal,
        started,
        clock=project.now,
        wait=options.pop("wait", False),
        waiting=options.pop("waiting", lambda _busy: None),
    )
    uri = project.tracking_uri
    delivery = Delivery(project.journal, project.root, uri, run) if uri else None
    done: list[Point] = []
    status, because = Status.COMPLETED, ""
    undelivered = 0
    try:
        with heartbeat(project.journal.path, run):
            if delivery is not None:
                delivery.start()
            for at, point in enumerate(points):
                told(at + 1, len(points), point)
                ordered = first if at == 0 else project.order(name, _at(everywhere, point), selection)
                report = project.run_planned(ordered, parent=run, delivery=delivery, **options)
                done.append(
                    Point(
                        params=point,
                        run=report.run,
                        status=report.status,
                        metrics=metrics_of(report.history),
                        history=report.history,
                    )
                )
                ended(done[-1])
                if report.status is Status.CANCELLED:
                    status, because = Status.CANCELLED, "cancelled"
                    break
                if report.status is not Status.COMPLETED:
                    status = Status.FAILED
                elif rule is not None and rule.holds(report.history):
                    because = f"{rule} holds"
                    break
    except BaseException:
        status, because = Status.FAILED, "the sweep broke off"
        raise
    finally:
        end = RunEnded(run=run, at=project.now(), status=status, reason=because)
        project.journal.append([end], owner=run)
        if delivery is not None:
            undelivered = delivery.finish()
    left = grid.size - len(done)
    if not because and left:
        because = f"--max {most}"
    return SweepReport(run=run, status=status, points=done, left=left, why=because, undelivered=undelivered)


def _at(given: Given, point: Mapping[str, Any]) -> Given:
    return dataclasses.replace(given, values={**given.values, **point})

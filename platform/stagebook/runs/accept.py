"""What a person asks of results, and says of them: `why` and `accept`."""

from __future__ import annotations

import dataclasses
import getpass
import os
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.artifact import Artifact
from stagebook.errors import UsageError, did_you_mean
from stagebook.events import Event, RunEnded, RunStarted, StageAccepted, StageEnded, Status
from stagebook.journal.result_table import KnownResults
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.result import Made, Result, made_of, mark_of
from stagebook.planning.scopes import Scopes, depends_on_run, needed_stages, params_of
from stagebook.planning.select import Matching
from stagebook.project import Given, Project
from stagebook.runs.why import Explanation, explain


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
    return [explain(plan, stage, project.dependencies, results) for stage in chosen]


def _chosen(plan: Plan, texts: Sequence[str]) -> list[PlannedStage]:
    names = [stage.id for stage in plan.stages]
    for text in texts:
        if not any(name in Matching([text]) for name in names):
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
    from stagebook.runs.lease import take_ownership  # noqa: PLC0415 - psutil, which looking does without
    from stagebook.runs.run import describe_origin  # noqa: PLC0415

    if not because.strip():
        msg = "say why the outputs are good all the same"
        raise UsageError(msg, hint='--because "only the plot changed"')
    ordered = project.order(name, given)
    plan, policy = ordered.plan, ordered.planner.policy
    assert policy is not None
    chosen = _chosen(plan, stages)
    run = project.new_run_id()
    said = _Said(run=run, at=project.now(), because=because.strip(), by=_user())
    events: list[Event] = []
    made: dict[str, Made] = {}
    scraps: dict[str, Mapping[str, Any]] = {}
    scopes = Scopes.of_plan(plan)
    for stage in plan.stages:
        latest = policy.results.latest(plan.pipeline, stage.id)
        made[stage.id] = policy.from_disk(stage, latest.values if latest else {})
        scraps[stage.id] = latest.values if latest else {}
        if stage not in chosen:
            continue
        _check(project, plan, stage, scraps)
        fingerprint = policy.fingerprints.of(stage, params_of(stage, scopes.of(stage, scraps)), made)
        event = said.of(project, stage, latest, fingerprint)
        made[stage.id] = made_of(event.outputs, event.scraps, mark_of(run, stage.id, event.attempt))
        reason = f"accepted by {said.by}: {said.because}"
        events += [
            event,
            StageEnded(run=run, at=said.at, stage=stage.id, status=Status.REUSED, reason=reason),
        ]
    taken = [stage.to_json() for stage in chosen]
    started = RunStarted(
        run=run,
        at=said.at,
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a person says of outputs, and when."""

    run: str
    at: float
    because: str
    by: str

    def of(
        self, project: Project, stage: PlannedStage, latest: Result | None, fingerprint: Fingerprint
    ) -> StageAccepted:
        """The event about one stage, whose outputs are kept."""
        outputs = {
            key: project.store.keep(project.root / output.path, output.path)
            if output.kind == "file"
            else Artifact(path=output.path, external=True)
            for key, output in stage.outputs.items()
        }
        return StageAccepted(
            run=self.run,
            at=self.at,
            stage=stage.id,
            because=self.because,
            by=self.by,
            attempt=latest.attempt if latest else 0,
            folder=latest.folder if latest else "",
            fingerprint=fingerprint.digest,
            head=fingerprint.head,
            parts=fingerprint.parts,
            sources=project.keep_sources(stage),
            scraps=latest.scraps if latest else {},
            outputs=outputs,
        )


def _check(
    project: Project, plan: Plan, stage: PlannedStage, scraps: Mapping[str, Mapping[str, Any]]
) -> None:
    """Whether anything can be said of a stage. Raises `UsageError`."""
    _check_outputs(project, stage)
    if depends_on_run(stage):
        msg = f"{stage.id} depends on the run itself, so that nothing can be said of a later one"
        raise UsageError(msg, hint="take ${run.…} out of its parameters")
    lacking = [other for other in sorted(needed_stages(stage)) if not _known(plan, other, scraps)]
    if lacking:
        msg = f"{stage.id} needs scraps of '{lacking[0]}', which never ran"
        raise UsageError(msg, hint=f"run it first: stagebook run {plan.pipeline} {lacking[0]}")


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

"""Outputs that somebody declares good: `stagebook accept`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.errors import UsageError
from stagebook.events import Event, RunEnded, RunStarted, StageAccepted, StageEnded, Status
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.result import Made, Result, made_of, mark_of
from stagebook.planning.reuse import ReusePolicy
from stagebook.planning.scopes import Scopes, depends_on_run, needed_stages, params_of
from stagebook.runs.launcher import Launcher
from stagebook.runs.lease import take_ownership
from stagebook.runs.origin import describe_origin
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.runs.why import stages_named
from stagebook.system.this_process import Asker


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The run that records the judgement, and the stages whose outputs were declared good."""

    run: str
    stages: tuple[str, ...]


def accept(
    preparer: Preparer,
    launcher: Launcher,
    request: RunRequest,
    stages: Sequence[str],
    because: str,
    asker: Asker | None = None,
) -> Accepted:
    """Declare the outputs that are there good for the code, parameters and inputs as they are now.

    Args:
        preparer: plans the request.
        launcher: has the journal and the store.
        request: the pipeline and its parameters.
        stages: names, instances or globs.
        because: why they are good all the same.
        asker: who declares it in another program than the command; by default the user of this process.

    Raises:
        UsageError: no reason is given, a stage is not known, or its outputs are not there.
        PipelineBusy: the pipeline is being run.
    """
    if not because.strip():
        msg = "say why the outputs are good all the same"
        raise UsageError(msg, hint='--because "only the plot changed"')
    prepared = preparer.prepare(request)
    plan, policy = prepared.plan, prepared.planner.policy
    assert policy is not None
    chosen = stages_named(plan, stages)
    origin = describe_origin(launcher.root, asker)
    by = origin.user or (str(os.getuid()) if hasattr(os, "getuid") else "somebody")
    said = Statement(run=launcher.new_run_id(), at=launcher.now(), because=because.strip(), by=by)
    events = accepted_events(launcher, plan, policy, chosen, said)
    started = RunStarted(
        run=said.run,
        at=said.at,
        pipeline=plan.pipeline,
        plan={**plan.to_json(), "stages": [stage.to_json() for stage in chosen]},
        origin=origin,
        kind="accept",
    )
    end = RunEnded(run=said.run, at=said.at, status=Status.COMPLETED, reason=said.because)
    take_ownership(launcher.journal, started, clock=launcher.now, then=[*events, end])
    launcher.tell_mlflow()
    return Accepted(run=said.run, stages=tuple(stage.id for stage in chosen))


def accepted_events(
    launcher: Launcher, plan: Plan, policy: ReusePolicy, chosen: Sequence[PlannedStage], said: Statement
) -> list[Event]:
    """The events about the stages. One that builds on another is accepted on what that one's outputs are."""
    events: list[Event] = []
    made: dict[str, Made] = {}
    scraps: dict[str, Mapping[str, Any]] = {}
    scopes = Scopes.of_plan(plan)
    for stage in plan.stages:
        latest = policy.results.latest(plan.pipeline, stage.id)
        scraps[stage.id] = latest.values if latest else {}
        made[stage.id] = policy.from_disk(stage, scraps[stage.id])
        if stage not in chosen:
            continue
        _check(launcher.root, plan, stage, scraps)
        fingerprint = policy.fingerprints.of(stage, params_of(stage, scopes.of(stage, scraps)), made)
        event = said.of(launcher, stage, latest, fingerprint)
        made[stage.id] = made_of(event.outputs, event.scraps, mark_of(said.run, stage.id, event.attempt))
        reason = f"accepted by {said.by}: {said.because}"
        events += [
            event,
            StageEnded(run=said.run, at=said.at, stage=stage.id, status=Status.REUSED, reason=reason),
        ]
    return events


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person states of outputs, and when."""

    run: str
    at: float
    because: str
    by: str

    def of(
        self, launcher: Launcher, stage: PlannedStage, latest: Result | None, fingerprint: Fingerprint
    ) -> StageAccepted:
        """The event about one stage, whose outputs are kept."""
        outputs = {
            key: launcher.store.keep(launcher.root / output.path, output.path)
            if output.kind != "external"
            else Artifact(path=output.path, external=True)
            for key, output in stage.outputs.items()
        }
        same = [
            key
            for key, output in stage.outputs.items()
            if latest is not None
            and output.delta is None
            and (known := latest.outputs.get(key)) is not None
            and known.content == outputs[key].content
        ]
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
            sources=launcher.keep_sources(stage),
            scraps=latest.scraps if latest else {},
            outputs=outputs,
            audits={key: latest.audits[key] for key in same if latest and key in latest.audits},
            written={key: latest.written[key] for key in same if latest and key in latest.written},
        )


def _check(root: Path, plan: Plan, stage: PlannedStage, scraps: Mapping[str, Mapping[str, Any]]) -> None:
    """Whether anything can be said of a stage. Raises `UsageError`."""
    _check_outputs(root, stage)
    if depends_on_run(stage):
        msg = f"{stage.id} depends on the run itself, so that nothing can be said of a later one"
        raise UsageError(msg, hint="take ${run.…} out of its parameters")
    lacking = [other for other in sorted(needed_stages(stage)) if not _known(plan, other, scraps)]
    if lacking:
        msg = f"{stage.id} needs scraps of '{lacking[0]}', which never ran"
        raise UsageError(msg, hint=f"run it first: stagebook run {plan.pipeline} {lacking[0]}")


def _known(plan: Plan, stage: str, scraps: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(scraps.get(other.id) for other in plan.stages if other.stage == stage)


def _check_outputs(root: Path, stage: PlannedStage) -> None:
    if stage.foreach is not None:
        raise UsageError(f"the list of {stage.id} is not known yet", hint="run the stage that makes it first")
    for output in stage.outputs.values():
        if output.kind != "external" and not (root / output.path).exists():
            msg = f"{stage.id} cannot be accepted: its output '{output.path}' is not there"
            raise UsageError(msg, hint="run the stage, or put the file there")

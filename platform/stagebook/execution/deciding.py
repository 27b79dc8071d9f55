"""What becomes of a stage once its turn has come: it runs, is reused, is left out, or expands.

The plan said so before; here it is decided anew with what the stages before it really came to, so
that a follower of a stage with the same outputs as before is not run again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stagebook.definition.notebook import NotebookUnreadable
from stagebook.definition.values import Value
from stagebook.errors import PipelineInvalid, StageFailure, UsageError
from stagebook.events import Cause
from stagebook.planning.build import Planner
from stagebook.planning.fingerprint import Fingerprint, changes
from stagebook.planning.judging import made_by
from stagebook.planning.plan import Decision, Judgement, Plan, PlannedStage
from stagebook.planning.resolving import Scopes, condition_of, params_of
from stagebook.planning.results import Made, Result, made_of

_FRESH = 1.0  # seconds for which what was seen of the disk is good enough to decide by


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Execute it with these parameters."""

    params: Mapping[str, Value]
    fingerprint: Fingerprint | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reuse:
    """Take this result."""

    result: Result | None
    reasons: tuple[str, ...]
    restores: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Skip:
    """A condition leaves it out."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """It fails before it starts."""

    cause: Cause
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Grow:
    """Others take its place."""

    plan: Plan


Answer = Run | Reuse | Skip | Broken | Grow


class Decider:
    """Decides for the stages of one run. Without a planner, as the plan says."""

    def __init__(self, plan: Plan, planner: Planner | None, *, run: str, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._planner = planner
        self._judge = planner.judge if planner else None
        self._run = run
        self._clock = clock
        self._looked = clock()
        self.scraps: dict[str, Mapping[str, Any]] = dict(plan.scraps)
        self.made: dict[str, Made] = {}
        if self._judge is not None:
            for stage in plan.stages:
                if not stage.selected:
                    self.made[stage.id] = self._judge.from_disk(stage, plan.scraps.get(stage.id, {}))
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        self.plan = plan
        self._scopes = Scopes.of_plan(plan)
        self._by_stage: dict[str, list[str]] = {}
        for stage in plan.stages:
            self._by_stage.setdefault(stage.stage, []).append(stage.id)

    def decide(self, stage: PlannedStage, failed: Sequence[str]) -> Answer:
        """What becomes of a stage, now that all that it waits for has come."""
        scope = self._scopes.of(stage, self.scraps, run=self._run, failed=failed)
        try:
            if stage.foreach is not None:
                return self._grow(stage)
            if not condition_of(stage, scope):
                assert stage.when is not None
                return Skip(f"when: {stage.when.source} is false")
            params = params_of(stage, scope)
        except StageFailure as error:
            return Broken(Cause(error.cause), error.message)
        if self._judge is None:
            if stage.decision is Decision.REUSE:
                return Reuse(None, stage.reasons)
            return Run(params)
        found = self._judged(stage, params)
        if found.decision is Decision.REUSE:
            return Reuse(found.result, found.reasons, found.restores)
        if found.decision is Decision.SKIP:
            return Broken(Cause.OUTPUT_MISSING, found.reasons[0])
        return Run(params, found.fingerprint)

    def _judged(self, stage: PlannedStage, params: Mapping[str, Value]) -> Judgement:
        assert self._judge is not None
        if stage.id in self.plan.relied and stage.judgement is not None:
            return stage.judgement  # what stages there are was decided by this result
        if abs(self._clock() - self._looked) > _FRESH:
            self._judge.forget()
            self._looked = self._clock()
        return self._judge.judge(stage, params, self.made)

    def _grow(self, stage: PlannedStage) -> Answer:
        if self._planner is None:
            return Broken(Cause.INTERNAL, "this run cannot expand stages")
        try:
            plan = self._planner.grow(self.scraps)
        except PipelineInvalid as error:
            first = error.problems[0]
            return Broken(Cause.PARAMS, f"{first.place}: {first.message}")
        except UsageError as error:
            return Broken(Cause.PARAMS, error.message)
        if not any(other.id == stage.id for other in plan.stages):
            plan = dataclasses.replace(plan, relied=self.plan.relied, scraps=self.plan.scraps)
            self._take(plan)
            return Grow(plan)
        same = plan.stage(stage.id)
        return Skip(same.reasons[0] if same.reasons else "the list of its foreach is empty")

    def inputs(self, stage: PlannedStage) -> dict[str, Value]:
        """What is passed for the inputs: without those that a stage which failed or was left out did
        not make, and None where nothing is left."""
        passed: dict[str, Value] = {}
        for name, item in stage.inputs.items():
            paths = [
                path
                for path, source in zip(item.paths, item.sources, strict=False)
                if not source or source in self.made or source in self.scraps
            ]
            passed[name] = list(paths) if item.many else next(iter(paths), None)
        return passed

    # -- what happened --------------------------------------------------------------------------

    def completed(
        self, stage: PlannedStage, outputs: Mapping[str, Any], scraps: Mapping[str, Any], attempt: int
    ) -> None:
        """An attempt left this."""
        made = made_of(outputs, scraps, f"{self._run}/{stage.id}/{attempt}")
        self.made[stage.id] = made
        self.scraps[stage.id] = made.scraps

    def reused(self, stage: PlannedStage, result: Result | None) -> None:
        """A result was taken."""
        made = made_by(stage, result) if result is not None else Made()
        self.made[stage.id] = made
        self.scraps.setdefault(stage.id, made.scraps)

    def what_changed(self, stage: PlannedStage, params: Mapping[str, Value], before: Fingerprint) -> str:
        """What a result depends on and that changed while it was made, if anything: then nobody can say
        what it depends on, and it is not reused."""
        assert self._judge is not None
        self._judge.forget()
        self._looked = self._clock()
        try:
            after = self._judge.fingerprint(stage, params, self.made)
        except NotebookUnreadable as error:
            return f"'{stage.notebook}' {error}"
        found = changes(before.parts, after.parts)
        if found:
            return found[0].text
        for paths in before.parts["inputs"].values():
            for path, digest in paths:
                is_made = len(digest) == 64 and digest != "absent"
                if is_made and self._judge.facts.digest(path) != digest:
                    return f"{path} changed"
        return ""

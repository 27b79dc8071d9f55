"""Decides what becomes of a stage once its turn has come: it is executed, reused, skipped, or expanded.

The plan said so ahead of the run. Here it is decided with what the stages before really made, so that a
stage whose inputs came out the same as before is not executed again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from stagebook.artifact import Artifacts
from stagebook.errors import PipelineInvalid, StageFailure, UsageError
from stagebook.events import Cause, Status
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.types import ANY, Value, ValueMismatch, accept
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import Decision, Judgement, News, Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.result import Made, Result, made_of, mark_of
from stagebook.planning.reuse import made_by
from stagebook.planning.scopes import Scopes, condition_of, params_of, reads_run

_LOOK_AGAIN = 1.0  # seconds after which the files on disk are looked at again


@dataclasses.dataclass(frozen=True, slots=True)
class Execute:
    """Execute the stage with these parameters. `stamps`: path → stamp of each file that the result depends on. Where
    it `audits` an earlier result, the notebook is not executed. `related`: output → dataset → what the datasets hold that
    its contract asks for. `news`: what a stage with a bookmark is to read."""

    params: Mapping[str, Value]
    fingerprint: Fingerprint | None = None
    stamps: Mapping[str, object] = dataclasses.field(default_factory=dict)
    audits: Result | None = None
    related: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    news: News | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reuse:
    """Take this earlier result. `restores`: the outputs to bring back from the store."""

    result: Result | None
    reasons: tuple[str, ...]
    restores: tuple[str, ...] = ()
    unnoticed: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Skip:
    """Skip the stage: its condition is false, or its list is empty."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Fail:
    """Fail the stage before it starts."""

    cause: Cause
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Expand:
    """Go on with this plan, in which the stage's instances take its place."""

    plan: Plan


Answer = Execute | Reuse | Skip | Fail | Expand


class Decider:
    """Decides for the stages of one run; without a planner as the plan says."""

    def __init__(self, plan: Plan, planner: Planner | None, *, run: str, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._planner = planner
        self._policy = planner.policy if planner else None
        self._run = run
        self._clock = clock
        self._looked = clock()
        self.scraps: dict[str, Mapping[str, Any]] = dict(plan.scraps)
        self.made: dict[str, Made] = {}
        self._written: dict[str, str] = {}  # what reused stages wrote undeclared when they ran: path → stage
        self._relied: dict[str, Result] = {
            one.id: one.judgement.result
            for one in plan.stages
            if one.id in plan.relied and one.judgement is not None and one.judgement.result is not None
        }
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        self.plan = plan
        self._scopes = Scopes.of_plan(plan)
        for stage in plan.stages:
            if not stage.selected and stage.id not in self.made:
                scraps = plan.scraps.get(stage.id, {})
                if stage.id in plan.scraps:
                    self.scraps.setdefault(stage.id, scraps)
                self.made[stage.id] = self._policy.from_disk(stage, scraps) if self._policy else Made()

    def decide(self, stage: PlannedStage, statuses: Mapping[str, Status]) -> Answer:
        """Decide about a stage whose turn has come. `statuses` has all stages, in the order of the plan."""
        failed: list[str] = []
        if reads_run(stage):
            failed = [name for name, status in statuses.items() if status is Status.FAILED]
        scope = self._scopes.of(stage, self.scraps, run=self._run, failed=failed)
        try:
            if stage.foreach is not None:
                return self._grow(stage, statuses)
            if not condition_of(stage, scope):
                assert stage.when is not None
                return Skip(f"when: {stage.when.source} is false")
            params = params_of(stage, scope)
        except StageFailure as error:
            return Fail(Cause(error.cause), error.message)
        if self._policy is None:
            if stage.decision is Decision.REUSE:
                return Reuse(None, stage.reasons)
            return Execute(params)
        found = self._judged(stage, params)
        if found.decision is Decision.REUSE:
            return Reuse(found.result, found.reasons, found.restores, found.unnoticed)
        if found.decision is Decision.SKIP:
            return Fail(Cause.OUTPUT_MISSING, found.reasons[0])
        return self._execute(stage, params, found)

    def _execute(self, stage: PlannedStage, params: Mapping[str, Value], found: Judgement) -> Answer:
        assert self._policy is not None
        audits = found.result if found.decision is Decision.AUDIT else None
        try:
            news = _typed(stage, found.news)
        except StageFailure as error:
            return Fail(Cause(error.cause), error.message)
        related = {
            name: self._policy.related(stage, output, self.made) for name, output in stage.outputs.items()
        }
        if found.fingerprint is None:
            return Execute(params, audits=audits, related=related)
        with contextlib.suppress(NotebookUnreadable):  # the attempt tells
            self._policy.dependencies.freshen(stage.notebook, stage.runs_in, stage.folder)
        stamps = self._policy.fingerprints.stamps(stage, found.fingerprint)
        return Execute(params, found.fingerprint, stamps, audits, related, news)

    def _judged(self, stage: PlannedStage, params: Mapping[str, Value]) -> Judgement:
        assert self._policy is not None
        if abs(self._clock() - self._looked) > _LOOK_AGAIN:
            self._policy.fingerprints.forget()
            self._looked = self._clock()
        found = self._policy.decide(stage, params, self.made)
        planned = self._relied.get(stage.id)
        if planned is not None and (found.result is None or found.result.number != planned.number):
            why = "what stages there are was decided by its earlier result, which cannot be taken any more"
            return Judgement(decision=Decision.SKIP, reasons=(f"{why}: run it again",))
        return found

    def _grow(self, stage: PlannedStage, statuses: Mapping[str, Status]) -> Answer:
        """Expand a stage, and with it all others whose lists are known, so that the followers of one item need
        not wait for the other items. Stages that ended unexpanded stay so."""
        if self._planner is None:
            return Fail(Cause.INTERNAL, "this run cannot expand stages")
        open_ones = {one.stage: one.id for one in self.plan.stages if one.foreach is not None}
        held = {name for name, stands_in in open_ones.items() if statuses[stands_in].is_final}
        try:
            plan = self._grown(held, open_ones.keys() - {stage.stage})
        except PipelineInvalid as error:
            first = error.problems[0]
            return Fail(Cause.PARAMS, f"{first.place}: {first.message}")
        except UsageError as error:
            return Fail(Cause.PARAMS, error.message)
        same = next((one for one in plan.stages if one.id == stage.id), None)
        if same is None:
            self._take(plan)
            return Expand(plan)
        if same.reasons:
            return Skip(same.reasons[0])
        makers = self._scopes.needs(stage)
        lacking = next((name for name in makers if name not in self.scraps), makers[0])
        return Skip(f"there is no list for its foreach, since {lacking} left none")

    def _grown(self, held: set[str], others: set[str]) -> Plan:
        assert self._planner is not None
        # What was planned by earlier results stays so, even if those stages are still to come.
        scraps = {**{name: result.values for name, result in self._relied.items()}, **self.scraps}
        try:
            plan = self._planner.grow(scraps, held)
        except PipelineInvalid:
            # Another stage whose list is known may be at fault; it fails when its own turn comes.
            if others <= held:
                raise
            plan = self._planner.grow(scraps, held | others)
        return dataclasses.replace(plan, relied=self.plan.relied, scraps={**plan.scraps, **self.plan.scraps})

    def inputs(self, stage: PlannedStage, news: News | None) -> dict[str, Value]:
        """The paths to pass for the inputs; of one with a bookmark those that are new. A path whose stage made nothing is
        left out; an input without any path is `None`."""
        passed: dict[str, Value] = {}
        for name, item in stage.inputs.items():
            paths = [
                path
                for path, source in zip(item.paths, item.sources, strict=False)
                if not source or source in self.made or source in self.scraps
            ]
            if news is not None and name == news.input:
                paths = [path for path in paths if path in news.items]
            passed[name] = list(paths) if item.many else next(iter(paths), None)
        return passed

    # -- what happened --------------------------------------------------------------------------

    def completed(
        self, stage: PlannedStage, outputs: Artifacts, scraps: Mapping[str, Any], attempt: int
    ) -> None:
        """Take note of what a completed attempt made."""
        made = made_of(outputs, scraps, mark_of(self._run, stage.id, attempt))
        self.made[stage.id] = made
        self.scraps[stage.id] = made.scraps

    def reused(self, stage: PlannedStage, result: Result | None) -> None:
        """Take note that an earlier result was taken."""
        made = made_by(stage, result) if result is not None else Made()
        self.made[stage.id] = made
        self.scraps.setdefault(stage.id, made.scraps)
        if result is not None:
            self._written |= dict.fromkeys(result.undeclared.get("writes", ()), stage.id)

    def who_wrote(self, message: str) -> str:
        """What to do about an error that names a file which is not there, and which a reused stage was seen to
        write, undeclared; empty where that is not so."""
        for path, stage in self._written.items():
            named = re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w/.-])", message)
            if named and self._policy and not self._policy.dependencies.workspace.exists(path):
                how = f"stagebook run {self.plan.pipeline} {stage} --force"
                return f"{stage}, which was reused, wrote {path} when it ran, and does not declare it: {how}"
        return ""

    def what_changed(self, stage: PlannedStage, asked: Execute, wrote: Container[str] = ()) -> str:
        """What changed while an attempt ran of what its result depends on, empty if nothing; then the result is
        not reused later. The paths that the notebook itself `wrote` are compared by content alone."""
        assert self._policy is not None
        assert asked.fingerprint is not None
        stamps = {path: stamp for path, stamp in asked.stamps.items() if path not in wrote}
        self._looked = self._clock()
        return self._policy.fingerprints.what_changed(
            stage, asked.params, self.made, asked.fingerprint, stamps
        )


def _typed(stage: PlannedStage, news: News | None) -> News | None:
    """What is new, with the value for the parameter of a bookmark as the notebook declares that. Raises `StageFailure`."""
    if news is None or not news.params:
        return news
    try:
        params = {name: accept(stage.types.get(name, ANY), value) for name, value in news.params.items()}
    except ValueMismatch as error:
        message = f"the bookmark {stage.bookmark} does not fit its parameter: {error}"
        raise StageFailure(message, cause=Cause.PARAMS) from error
    return dataclasses.replace(news, params=params)

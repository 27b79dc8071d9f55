"""The runner: asks the state of the run what to do, has the engine do it, and emits what happened.

It owns readiness, retries, publication and events. Journal and MLflow get the events from its caller.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import shutil
from collections.abc import Mapping
from typing import Any, assert_never

from stagebook import events
from stagebook.errors import StageFailure
from stagebook.events import Cause, Status
from stagebook.execution.attempt import OUTPUTS_FOLDER, Attempt, AttemptResult
from stagebook.execution.engine.protocol import Ended, Engine, Progress, Report
from stagebook.execution.runner.attempts import Attempts, attempt_at, with_given, with_news
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.decider import Decider, Execute, Expand, Fail, Reuse, Skip
from stagebook.execution.runner.event_buffer import EventBuffer
from stagebook.execution.runner.publication import Publisher, with_marks
from stagebook.execution.runner.run_state import Ask, Cancel, End, Finish, Instruction, Retry, RunState, Start
from stagebook.pipeline.arguments import as_written
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.undeclared import refusal
from stagebook.system.blobs import BlobDamaged

# Trying again changes nothing about these.
_HOPELESS = {Cause.PARAMS, Cause.NOTEBOOK, Cause.CANCELLED, Cause.UNDECLARED, Cause.TABLE}
_POLL = 0.05  # seconds between looks at what an attempt still waits for


class Runner:
    """Runs one plan on one engine. `run` may be called once; `cancel` from any thread or signal. `published`:
    the outputs that it put into their places, path → its stat then, and its SHA-256."""

    def __init__(self, plan: Plan, engine: Engine, options: RunOptions, context: RunContext) -> None:
        self._engine = engine
        self._options = options
        self._context = context
        self._clock = context.clock
        self._decider = Decider(plan, context.planner, run=options.run_id, clock=context.clock)
        self._state = RunState(plan, jobs=options.jobs, keep_going=options.keep_going)
        self._stages = {stage.id: stage for stage in plan.stages}
        self._publisher = Publisher(context)
        self.published = self._publisher.published
        self._attempts = Attempts(engine, context)
        self._to_execute: dict[str, Execute] = {}
        self._to_fail: dict[str, Fail] = {}
        self._due: list[tuple[float, str]] = []  # further attempts, by their time
        self._queue: collections.deque[Instruction] = collections.deque()
        self._events = EventBuffer(
            run=options.run_id, clock=context.clock, emit=context.emit, expected=context.expected
        )
        self._stop_asked = 0
        self._stop_reason = ""
        self._stop_seen = 0
        self._status: Status | None = None

    @property
    def plan(self) -> Plan:
        """The plan, as it has grown."""
        return self._decider.plan

    def cancel(self, reason: str) -> None:
        """Stop the run; called a second time, by force."""
        self._stop_asked += 1
        self._stop_reason = self._stop_reason or reason
        self._engine.wake()

    def run(self) -> Status:
        """Run to the end; the final status. The engine is closed afterwards."""
        try:
            self._queue += self._state.begin()
            while True:
                self._look_for_stop()
                self._do_all()
                for attempt, failure in self._attempts.start_prepared(self._publisher.begin):
                    result = AttemptResult(cause=Cause(failure.cause), message=failure.message)
                    self._end(self._stages[attempt.stage], attempt.number, result)
                self._events.flush()
                if self._status is not None:
                    return self._status
                for report in self._engine.wait(self._timeout()):
                    self._take(report)
                while self._due and self._due[0][0] <= self._clock():
                    self._queue += self._state.retry_due(heapq.heappop(self._due)[1])
        finally:
            self._engine.close()
            self._publisher.close()
            self._events.flush()

    # -- instructions ---------------------------------------------------------------------------

    def _do_all(self) -> None:
        while self._queue:
            self._do(self._queue.popleft())

    def _do(self, instruction: Instruction) -> None:
        match instruction:
            case Ask(stage):
                if self._state.is_asked(stage):
                    self._answer(self._stages[stage])
            case Start(stage, number):
                self._begin(self._stages[stage], number)
            case Retry(stage, number, delay):
                heapq.heappush(self._due, (self._clock() + delay, stage))
                self._events.add(events.StageRetrying, stage=stage, attempt=number, delay=delay)
            case Cancel(stage):
                if (attempt := self._attempts.cancel(stage)) is not None:
                    result = AttemptResult(cause=Cause.CANCELLED, message=self._stop_reason)
                    self._end(self._stages[stage], attempt.number, result)
            case Finish(stage, status, reason):
                self._events.add(events.StageEnded, stage=stage, status=status, reason=reason)
            case End(status):
                self._status = status
                self._events.add(events.RunEnded, status=status, reason=self._stop_reason)
            case _:
                assert_never(instruction)

    def _answer(self, stage: PlannedStage) -> None:
        """Decide what becomes of a stage whose turn has come."""
        answer = self._decider.decide(stage, self._state.status)
        match answer:
            case Execute(audits=given) if given is not None and not self._publisher.brings(stage, given):
                self._answer(stage)  # what it is to audit is nowhere, so this will not be the answer again
            case Execute():
                self._to_execute[stage.id] = answer
                self._queue += self._state.decided(stage.id, Status.RUNNING)
            case Reuse():
                self._reuse(stage, answer)
            case Skip(reason):
                self._queue += self._state.decided(stage.id, Status.SKIPPED, reason)
            case Fail():
                self._to_fail[stage.id] = answer  # told as the end of its attempt
                self._queue += self._state.decided(stage.id, Status.RUNNING)
            case Expand(plan):
                self._grow(stage, plan)
            case _:
                assert_never(answer)

    def _grow(self, stage: PlannedStage, plan: Plan) -> None:
        before, self._stages = self._stages, {one.id: one for one in plan.stages}
        new = [one.to_json() for one in plan.stages if one.id not in before]
        waiting = [one for one in plan.stages if one.id in before and one.upstream != before[one.id].upstream]
        self._events.add(
            events.StageExpanded,
            stage=stage.id,
            gone=[name for name in before if name not in self._stages],
            stages=new,
            changed=[one.to_json() for one in waiting],
        )
        self._queue += self._state.grow(stage.id, plan)

    def _reuse(self, stage: PlannedStage, answer: Reuse) -> None:
        """Take an earlier result, and restore those of its outputs that are not in their places."""
        result = answer.result
        try:
            with self._publisher.restored(stage, result, answer.restores):
                if result is not None:
                    self._events.reused(stage, result, answer.restores, remark=answer.unnoticed)
                self._decider.reused(stage, result)
                reason = "; ".join(answer.reasons)
                self._queue += self._state.decided(stage.id, Status.REUSED, reason)
        except BlobDamaged:
            self._answer(stage)  # it is out of the store now, so this will not be the answer again
        except StageFailure as error:
            self._queue += self._state.decided(stage.id, Status.FAILED, error.message)

    def _begin(self, stage: PlannedStage, number: int) -> None:
        broken = self._to_fail.get(stage.id)
        if broken is not None:
            params = dict(stage.params)
            self._events.add(events.AttemptStarted, stage=stage.id, attempt=number, folder="", params=params)
            self._end(stage, number, AttemptResult(cause=broken.cause, message=broken.message))
            return
        asked = self._to_execute[stage.id]
        params = {**asked.params, **(asked.news.params if asked.news else {})}
        self._events.add(
            events.AttemptStarted,
            stage=stage.id,
            attempt=number,
            folder=self._context.shown(self._context.attempt_folder(stage.id, number)),
            params=as_written(params),
            expected=self._context.expected.get(stage.id),
            external=[item.path for item in stage.outputs.values() if item.kind == "external"],
        )
        values = params, self._decider.inputs(stage, asked.news)
        try:
            attempt = attempt_at(
                stage,
                number,
                plan=self.plan,
                context=self._context,
                options=self._options,
                values=values,
                related=asked.related,
            )
            attempt = with_news(with_given(attempt, asked.audits), stage, asked.news)
        except NotebookUnreadable as error:  # it changed since the run was planned
            message = f"'{stage.path}' {error}"
            self._end(stage, number, AttemptResult(cause=Cause.NOTEBOOK, message=message))
            return
        self._attempts.add(stage, attempt)

    # -- reports --------------------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        match report:
            case Progress(event=event):
                self._events.progress(event)
            case Ended(stage=stage, attempt=number, result=result):
                attempt = self._attempts.find(stage, number)
                if attempt is None:
                    return
                self._do_all()
                self._publish(self._stages[stage], attempt, result)
            case _:
                assert_never(report)

    def _publish(self, stage: PlannedStage, attempt: Attempt, result: AttemptResult) -> None:
        """Move the outputs to their places and emit the end of the attempt, at once as others see it."""
        remark, asked = "", self._to_execute[stage.id]
        strict = result.cause is None and stage.strict
        if strict and (why := refusal(stage, result.observed, self._context.code_paths(stage))):
            result = dataclasses.replace(result, cause=Cause.UNDECLARED, message=why, outputs={})
        if result.cause is None and asked.fingerprint is not None and asked.news is None:
            wrote = result.observed.writes if result.observed else ()
            remark = self._decider.what_changed(stage, asked, wrote)
        if result.cause is Cause.EXCEPTION and (hint := self._decider.who_wrote(result.message)):
            result = dataclasses.replace(result, message=f"{result.message}; {hint}")
        near, result = self._publisher.bring_near(attempt.outputs, result)
        result = with_marks(result, asked.news)
        reusable: dict[str, Any] = {}
        if result.cause is None and asked.fingerprint is not None and not remark:
            reusable = self._publisher.reusable(stage, asked.fingerprint, result.observed)
        with self._context.guard():
            result = self._publisher.publish(attempt.outputs, near, result)
            if result.cause is not None:
                self._publisher.put_back(attempt)
            self._end(stage, attempt.number, result, reusable, remark)
            while self._queue and isinstance(self._queue[0], Finish):
                self._do(self._queue.popleft())  # emitted with the end of the attempt, or not at all
            self._events.flush()
        self._publisher.drop(attempt)

    def _end(
        self,
        stage: PlannedStage,
        number: int,
        result: AttemptResult,
        reusable: Mapping[str, Any] | None = None,
        remark: str = "",
    ) -> None:
        """Emit the end of an attempt. `reusable`: what makes its result recognised later, if it completed."""
        self._attempts.remove(stage.id)
        folder = self._context.attempt_folder(stage.id, number)
        more: Mapping[str, Any] = {}
        if result.cause is None:
            self._decider.completed(stage, result.outputs, result.scraps, number)
            more = reusable or {}
        remark = f"not reused later, since {remark} while it ran" if remark else ""
        shown = self._context.shown(folder)
        self._events.attempt_ended(stage.id, number, result, folder=shown, remark=remark, **more)
        if stage.outputs:
            # The outputs of a failed attempt are of no use, and it may have failed because the disk is full.
            shutil.rmtree(folder / OUTPUTS_FOLDER, ignore_errors=True)
        asked = self._to_execute.get(stage.id)
        is_audit = asked is not None and asked.audits is not None  # of the same data each time
        self._queue += self._state.attempt_ended(
            stage.id,
            ok=result.cause is None,
            reason=result.message,
            retryable=result.cause not in _HOPELESS and not is_audit,
        )

    # -- time and stops -------------------------------------------------------------------------

    def _look_for_stop(self) -> None:
        if self._stop_asked == self._stop_seen:
            return
        forced = self._stop_asked > 1
        if self._stop_seen == 0:
            self._events.add(events.RunCancelling, reason=self._stop_reason)
            self._queue += self._state.cancel(self._stop_reason)
        self._stop_seen = self._stop_asked
        if forced:
            self._attempts.force()

    def _timeout(self) -> float | None:
        if self._queue:
            return 0.0
        if self._attempts.are_waiting:
            return _POLL
        if self._due:
            return max(0.0, self._due[0][0] - self._clock())
        return None

"""The runner: asks the state of the run what to do, has the engine do it, and tells what happened.

It owns readiness, retries, publication and events; it knows no journal and no MLflow, only a
function that takes events.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import heapq
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, assert_never

from stagebook.artifact import Artifacts
from stagebook.errors import StageFailure
from stagebook.events import (
    AttemptStarted,
    Cause,
    Event,
    RunCancelling,
    RunEnded,
    StageEnded,
    StageExpanded,
    StageRetrying,
    Status,
)
from stagebook.execution.engine.attempt import (
    OUTPUTS_FOLDER,
    Attempt,
    OutputSlot,
    Result,
)
from stagebook.execution.engine.protocol import Ended, Engine, Progress, Report
from stagebook.execution.runner import restoring, staging
from stagebook.execution.runner.decider import Broken, Decider, Grow, Reuse, Run, Skip
from stagebook.execution.runner.event_buffer import Notes
from stagebook.execution.runner.run_state import Ask, Cancel, End, Finish, Instruction, Retry, RunState, Start
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.types import Value
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.undeclared import refusal
from stagebook.system.blobs import BlobDamaged, Blobs
from stagebook.system.file_cache import stat_of

# Trying again changes nothing about these.
_HOPELESS = {Cause.PARAMS, Cause.NOTEBOOK, Cause.CANCELLED, Cause.UNDECLARED}
_POLL = 0.05  # seconds between looks at what an attempt still waits for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run. `grace`: seconds that a stage has to end after it was asked to. `keep_dump` and
    `keep_kernel`: what a failed stage leaves for a look afterwards. `store_most`: the size in bytes up
    to which an output is kept in the store."""

    run_id: str
    jobs: int = 1
    keep_going: bool = False
    grace: float = 10.0
    keep_dump: bool = False
    keep_kernel: bool = False
    store_most: int | None = None


Prepare = Callable[[PlannedStage, int], Mapping[str, str] | None]
"""More environment for an attempt, or None while it is not known yet."""


class Runner:
    """Runs one plan on one engine. `run` may be called once; `cancel` from any thread or signal."""

    def __init__(  # noqa: PLR0913 - the parts that a run is put together from
        self,
        plan: Plan,
        engine: Engine,
        *,
        root: Path,
        folder: Path,
        options: RunOptions,
        clock: Callable[[], float],
        emit: Callable[[list[Event]], None],
        executable: Callable[[str], Path],
        prepare: Prepare = lambda _stage, _attempt: {},
        expected: Mapping[str, float] | None = None,
        planner: Planner | None = None,
        blobs: Blobs | None = None,
        guard: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
        sources: Callable[[PlannedStage], Mapping[str, Any]] = lambda _stage: {},
        code: Callable[[PlannedStage], Collection[str]] = lambda _stage: (),
    ) -> None:
        """`planner`: decides about reuse, and expands stages. `guard`: while it is held, no other run
        takes the pipeline over. `sources`: the texts of a stage's code, to compare them later.
        `code`: the files that they are, which a strict stage may read."""
        self._pipeline = plan.pipeline
        self._engine = engine
        self._root = root
        self._folder = folder
        self._options = options
        self._clock = clock
        self._executable = executable
        self._prepare = prepare
        self._expected = expected or {}
        self._blobs = blobs
        self._guard = guard
        self._sources = sources
        self._code = code
        self._decider = Decider(plan, planner, run=options.run_id, clock=clock)
        self._state = RunState(plan, jobs=options.jobs, keep_going=options.keep_going)
        self._stages = {stage.id: stage for stage in plan.stages}
        self.published: dict[str, tuple[object, str]] = {}  # path → stat then, SHA-256
        self._runs: dict[str, Run] = {}
        self._broken: dict[str, Broken] = {}
        self._attempts: dict[str, Attempt] = {}
        self._waiting: list[tuple[PlannedStage, Attempt]] = []
        self._due: list[tuple[float, str]] = []
        self._queue: collections.deque[Instruction] = collections.deque()
        self._notes = Notes(run=options.run_id, clock=clock, emit=emit, expected=self._expected)
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
            while (status := self._step()) is None:
                for report in self._engine.wait(self._timeout()):
                    self._take(report)
                self._release_due()
            return status
        finally:
            self._engine.close()
            self._notes.flush()

    def _step(self) -> Status | None:
        """Do all that is to be done now; the final status, once there is one."""
        self._look_for_stop()
        self._do_all()
        self._start_prepared()
        self._notes.flush()
        return self._status

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
                self._notes.note(StageRetrying, stage=stage, attempt=number, delay=delay)
            case Cancel(stage):
                self._cancel(stage)
            case Finish(stage, status, reason):
                self._notes.note(StageEnded, stage=stage, status=status, reason=reason)
            case End(status):
                self._status = status
                self._notes.note(RunEnded, status=status, reason=self._stop_reason)
            case _:
                assert_never(instruction)

    def _answer(self, stage: PlannedStage) -> None:
        """Decide what becomes of a stage whose turn has come."""
        answer = self._decider.decide(stage, self._state.status)
        match answer:
            case Run():
                self._runs[stage.id] = answer
                self._queue += self._state.decided(stage.id, Status.RUNNING)
            case Reuse():
                self._reuse(stage, answer)
            case Skip(reason):
                self._queue += self._state.decided(stage.id, Status.SKIPPED, reason)
            case Broken():
                self._broken[stage.id] = answer  # its attempt tells
                self._queue += self._state.decided(stage.id, Status.RUNNING)
            case Grow(plan):
                self._grow(stage, plan)
            case _:
                assert_never(answer)

    def _grow(self, stage: PlannedStage, plan: Plan) -> None:
        before, self._stages = self._stages, {one.id: one for one in plan.stages}
        new = [one.to_json() for one in plan.stages if one.id not in before]
        waiting = [one for one in plan.stages if one.id in before and one.upstream != before[one.id].upstream]
        self._notes.note(
            StageExpanded,
            stage=stage.id,
            gone=[name for name in before if name not in self._stages],
            stages=new,
            changed=[one.to_json() for one in waiting],
        )
        self._queue += self._state.grow(stage.id, plan)

    def _reuse(self, stage: PlannedStage, answer: Reuse) -> None:
        """Take a result, with those of its outputs that are not in their places."""
        result = answer.result
        try:
            with (
                restoring.fetched(self._root, self._blobs, stage, result, answer.restores) as (slots, near),
                self._guard() if slots else contextlib.nullcontext(),
            ):
                staging.publish(self._root, slots, near)
                self._look_at(slots, result.outputs if result is not None else {})
                if result is not None:
                    self._notes.reused(stage, result, answer.restores)
                self._decider.reused(stage, result)
                reason = "; ".join(answer.reasons)
                self._queue += self._state.decided(stage.id, Status.REUSED, reason)
        except BlobDamaged:
            self._answer(stage)  # it is out of the store now, so this will not be the answer again
        except StageFailure as error:
            self._queue += self._state.decided(stage.id, Status.FAILED, error.message)

    def _begin(self, stage: PlannedStage, number: int) -> None:
        shown = self._shown(stage.id, number)
        broken = self._broken.get(stage.id)
        if broken is not None:
            self._notes.note(
                AttemptStarted, stage=stage.id, attempt=number, folder="", params=dict(stage.params)
            )
            self._end(stage, number, Result(cause=broken.cause, message=broken.message))
            return
        params = dict(self._runs[stage.id].params)
        self._notes.note(
            AttemptStarted,
            stage=stage.id,
            attempt=number,
            folder=shown,
            params=params,
            expected=self._expected.get(stage.id),
            external=[item.path for item in stage.outputs.values() if item.kind == "external"],
        )
        try:
            attempt = self._attempt(stage, number, params, shown)
        except NotebookUnreadable as error:  # it changed since the run was planned
            message = f"'{stage.notebook}' {error}"
            self._end(stage, number, Result(cause=Cause.NOTEBOOK, message=message))
            return
        self._attempts[stage.id] = attempt
        self._waiting.append((stage, attempt))

    def _start_prepared(self) -> None:
        """Start what has all that it needs; an attempt may wait for the id of its MLflow run."""
        still = []
        for stage, attempt in self._waiting:
            more = self._prepare(stage, attempt.number)
            if more is None:
                still.append((stage, attempt))
            else:
                self._engine.start(dataclasses.replace(attempt, env={**attempt.env, **more}))
        self._waiting = still

    def _attempt(self, stage: PlannedStage, number: int, params: Mapping[str, Value], shown: str) -> Attempt:
        outputs = {}
        for name, output in stage.outputs.items():
            last = output.path.rsplit("/", maxsplit=1)[-1]
            staged = f"{shown}/{OUTPUTS_FOLDER}/{name}/{last}"
            if output.kind == "external":
                staged = output.path
            outputs[name] = OutputSlot(path=output.path, staged=staged, kind=output.kind)
        return Attempt(
            run=self._options.run_id,
            pipeline=self._pipeline,
            stage=stage.id,
            number=number,
            root=str(self._root),
            folder=str(self._root / shown),
            notebook=stage.notebook,
            executable=str(self._executable(stage.notebook)),
            params=params,
            types={name: str(kind) for name, kind in stage.types.items()},
            inputs=self._decider.inputs(stage),
            outputs=outputs,
            kernel=stage.kernel,
            executor=stage.executor,
            timeout=stage.timeout,
            grace=self._options.grace,
            store=str(self._blobs.folder) if self._blobs is not None else "",
            store_most=self._options.store_most,
            keep_dump=self._options.keep_dump,
            # Of several attempts the last one's kernel is kept: it is the one that the stage failed with.
            keep_kernel=self._options.keep_kernel and number > stage.retries,
        )

    def _shown(self, stage: str, number: int) -> str:
        """The folder of an attempt, relative to the project."""
        return (self._folder / stage / str(number)).relative_to(self._root).as_posix()

    # -- reports --------------------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        match report:
            case Progress():
                self._notes.progress(report)
            case Ended(stage=stage, attempt=number, result=result):
                attempt = self._attempts.get(stage)
                if attempt is None or attempt.number != number:
                    return  # an attempt that is over cannot report again
                self._do_all()
                self._publish(self._stages[stage], attempt, result)
            case _:
                assert_never(report)

    def _publish(self, stage: PlannedStage, attempt: Attempt, result: Result) -> None:
        """Move the outputs to their places and tell of the end, in one go as others see it."""
        remark, before = "", self._runs[stage.id].fingerprint
        strict = result.cause is None and stage.strict
        if strict and (why := refusal(stage, result.observed, self._code(stage))):
            result = dataclasses.replace(result, cause=Cause.UNDECLARED, message=why, outputs={})
        if result.cause is None and before is not None:
            wrote = (result.observed or {}).get("writes", ())
            remark = self._decider.what_changed(stage, self._runs[stage.id], wrote)
        near: Mapping[str, Path] = {}
        if result.cause is None:
            try:
                near = staging.bring_near(self._root, attempt.outputs)
            except StageFailure as error:
                result = _failed(result, error)
        with self._guard():
            if result.cause is None:
                try:
                    staging.publish(self._root, attempt.outputs, near)
                    self._look_at(attempt.outputs, result.outputs)
                except StageFailure as error:
                    result = _failed(result, error)
            self._end(stage, attempt.number, result, None if remark else before, remark)
            while self._queue and isinstance(self._queue[0], Finish):
                self._do(self._queue.popleft())  # told with the end of the attempt, or not at all
            self._notes.flush()

    def _look_at(self, slots: Mapping[str, OutputSlot], outputs: Artifacts) -> None:
        """Keep how files that were just published are recognised, so that they need not be read again."""
        for name, slot in slots.items():
            path = self._root / slot.path
            if slot.kind == "file" and not path.is_dir():
                with contextlib.suppress(OSError, KeyError):
                    self.published[slot.path] = (stat_of(path), outputs[name].sha256)

    def _end(
        self,
        stage: PlannedStage,
        number: int,
        result: Result,
        fingerprint: Fingerprint | None = None,
        remark: str = "",
    ) -> None:
        self._attempts.pop(stage.id, None)
        known: dict[str, Any] = {}
        if result.cause is None:
            self._decider.completed(stage, result.outputs, result.scraps, number)
            if fingerprint is not None:
                known = self._known(stage, fingerprint)
        self._notes.attempt_ended(stage.id, number, result, self._shown(stage.id, number), remark, known)
        if stage.outputs:
            # What a failed attempt wrote is of no use; the disk may be what it failed of.
            shutil.rmtree(self._folder / stage.id / str(number) / OUTPUTS_FOLDER, ignore_errors=True)
        self._queue += self._state.attempt_ended(
            stage.id,
            ok=result.cause is None,
            reason=result.message,
            retryable=result.cause not in _HOPELESS,
        )

    def _known(self, stage: PlannedStage, fingerprint: Fingerprint) -> dict[str, Any]:
        """What makes a result one that can be reused."""
        sources = ""
        if self._blobs is not None:
            with contextlib.suppress(NotebookUnreadable, OSError):
                texts = self._sources(stage)
                sources = self._blobs.keep_bytes(json.dumps(texts).encode()) or "" if texts else ""
        return {
            "fingerprint": fingerprint.digest,
            "head": fingerprint.head,
            "parts": fingerprint.parts,
            "sources": sources,
        }

    # -- time and stops -------------------------------------------------------------------------

    def _look_for_stop(self) -> None:
        if self._stop_asked == self._stop_seen:
            return
        forced = self._stop_asked > 1
        if self._stop_seen == 0:
            self._notes.note(RunCancelling, reason=self._stop_reason)
            self._queue += self._state.cancel(self._stop_reason)
        self._stop_seen = self._stop_asked
        if forced:
            for stage in list(self._attempts):
                self._engine.cancel(stage, now=True)

    def _cancel(self, stage: str) -> None:
        waiting = [item for item in self._waiting if item[0].id == stage]
        if waiting:  # it never got to the engine
            self._waiting = [item for item in self._waiting if item[0].id != stage]
            attempt = waiting[0][1]
            result = Result(cause=Cause.CANCELLED, message=self._stop_reason)
            self._end(waiting[0][0], attempt.number, result)
        else:
            self._engine.cancel(stage)

    def _timeout(self) -> float | None:
        if self._queue:
            return 0.0
        if self._waiting:
            return _POLL
        if self._due:
            return max(0.0, self._due[0][0] - self._clock())
        return None

    def _release_due(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, stage = heapq.heappop(self._due)
            self._queue += self._state.retry_due(stage)


def _failed(result: Result, error: StageFailure) -> Result:
    return dataclasses.replace(result, cause=Cause(error.cause), message=error.message, outputs={})

"""The state of a run: what happened goes in, what to do comes out. Pure, without clock or I/O.

Promises, whatever the order of the calls: a stage starts only when its trigger allows it and `decided`
said so, never twice at a time, and at most `retries + 1` times; a final status stays; and the run
ends exactly once, after its last stage.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping

from stagebook.events import Cause, Status
from stagebook.execution.runner.stage_table import ReadyQueue, StageTable
from stagebook.execution.runner.triggers import AFTERMATH, Readiness, readiness
from stagebook.planning.plan import Plan, PlannedStage

MAX_DELAY = 300.0  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """The stage's turn has come: decide what becomes of it, and call `decided`, or `grow` if it expands."""

    stage: str


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """Begin this attempt."""

    stage: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """Call `retry_due` after `delay` seconds; `attempt` is the one to come."""

    stage: str
    attempt: int
    delay: float


@dataclasses.dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the running attempt to end."""

    stage: str


@dataclasses.dataclass(frozen=True, slots=True)
class Finish:
    """The stage has its final status."""

    stage: str
    status: Status
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """The run has its final status."""

    status: Status


Instruction = Ask | Start | Retry | Cancel | Finish | End


class RunState:
    """The stages of one plan, as they go. `jobs`: how many attempts at a time."""

    def __init__(self, plan: Plan, *, jobs: int, keep_going: bool = False) -> None:
        """`ended`: whether `End` was given."""
        self.ended = False
        self._table = StageTable(plan)
        self._asked: set[str] = set()
        self._unanswered: set[str] = set()
        self._jobs = jobs
        self._keep_going = keep_going
        self._running = 0
        self._stopped_by: str | None = None
        self._cancelled: str | None = None
        self._ready = ReadyQueue(self._table)
        self._todo: collections.deque[str] = collections.deque()

    @property
    def status(self) -> Mapping[str, Status]:
        """The status of each stage, in the order of the plan."""
        return self._table.status

    def is_asked(self, stage: str) -> bool:
        """Whether an answer to `Ask` is still wanted: another failure, or a stop, may have ended it."""
        return stage in self._unanswered

    def begin(self) -> list[Instruction]:
        """The first instructions."""
        out: list[Instruction] = []
        for name in self._table.stages:
            if self._table.is_out(name):
                self._leave_out(name, out)
        self._look_at(self._table.stages, out)
        return self._go_on(out)

    def decided(self, stage: str, status: Status, reason: str = "") -> list[Instruction]:
        """The answer to `Ask`: RUNNING to execute it, or REUSED, SKIPPED, FAILED as a final status."""
        out: list[Instruction] = []
        if stage not in self._unanswered:
            return out
        self._unanswered.discard(stage)
        if status is Status.RUNNING:
            self._ready.push(stage)
        else:
            if status is Status.SKIPPED:
                self._table.absent.add(stage)
            self._finish(stage, status, reason, out)
            if status is Status.FAILED:
                self._fail_fast(stage, out)
        return self._go_on(out)

    def grow(self, stage: str, plan: Plan) -> list[Instruction]:
        """The answer to `Ask` for a stage that expands: the whole plan, with instances in place of it and of
        those that expand with it. None of the replaced stages may have ended. The others are as before,
        but for what they depend on."""
        out: list[Instruction] = []
        if stage not in self._unanswered:
            return out
        known = set(self.status)
        self._table.take(plan)
        self._unanswered &= self.status.keys()
        self._ready.keep(self.status)
        # A stage that was selected only for instances that do not exist takes no part any more.
        for name in self._table.stages:
            if (
                self.status[name] is Status.PENDING
                and not self._table.attempts[name]
                and self._table.is_out(name)
            ):
                self._leave_out(name, out)
        self._look_at([name for name in self._table.stages if name not in known], out)
        return self._go_on(out)

    def attempt_ended(
        self, stage: str, *, ok: bool, reason: str = "", retryable: bool = True
    ) -> list[Instruction]:
        """The running attempt of a stage ended. Ignored unless one is running."""
        out: list[Instruction] = []
        if self.status.get(stage) is not Status.RUNNING:
            return out
        self._running -= 1
        made = self._table.attempts[stage]
        if ok:
            self._finish(stage, Status.COMPLETED, "", out)
        elif self._cancelled is not None:
            own = reason if reason != Cause.CANCELLED else ""  # who cancelled it says more
            self._finish(stage, Status.CANCELLED, own or self._cancelled, out)
        elif retryable and made <= self._table.stages[stage].retries and self._may_start(stage):
            self._table.status[stage] = Status.RETRYING
            out.append(Retry(stage, made + 1, _delay(self._table.stages[stage], made)))
        else:
            self._finish(stage, Status.FAILED, reason, out)
            self._fail_fast(stage, out)
        return self._go_on(out)

    def retry_due(self, stage: str) -> list[Instruction]:
        """The delay before a further attempt is over. Ignored unless the stage waits for it."""
        out: list[Instruction] = []
        if self.status.get(stage) is Status.RETRYING:
            self._table.status[stage] = Status.PENDING
            self._ready.push(stage)
        return self._go_on(out)

    def cancel(self, reason: str) -> list[Instruction]:
        """Stop the run: nothing starts any more, what runs is asked to end."""
        out: list[Instruction] = []
        if self._cancelled is not None or self.ended:
            return out
        self._cancelled = reason
        for name, status in list(self.status.items()):
            if status is Status.RUNNING:
                out.append(Cancel(name))
            elif not status.is_final:
                self._finish(name, Status.CANCELLED, reason, out)
        return self._go_on(out)

    # -- inside ---------------------------------------------------------------------------------

    def _may_start(self, stage: str) -> bool:
        """Whether it may start, or start again, as far as failures elsewhere go."""
        return self._stopped_by is None or self._table.stages[stage].trigger in AFTERMATH

    def _go_on(self, out: list[Instruction]) -> list[Instruction]:
        # What is still to be decided may come before what is ready.
        while self._ready and self._running < self._jobs and not self._unanswered:
            name = self._ready.pop()
            if self.status[name] is not Status.PENDING:
                continue
            self._running += 1
            self._table.attempts[name] += 1
            self._table.status[name] = Status.RUNNING
            out.append(Start(name, self._table.attempts[name]))
        if self._table.open == 0 and not self.ended:
            self.ended = True
            out.append(End(_outcome(self.status.values(), cancelled=self._cancelled is not None)))
        return out

    def _leave_out(self, name: str, out: list[Instruction]) -> None:
        stage = self._table.stages[name]
        if stage.selected:
            self._table.absent.add(name)
        reason = "; ".join(stage.reasons) if stage.selected else "not selected"
        self._finish(name, Status.SKIPPED, reason, out)

    def _look_at(self, names: Iterable[str], out: list[Instruction]) -> None:
        """Ask what becomes of each stage whose trigger lets it start; end those that it rules out."""
        if self._cancelled is not None:
            return
        for name in names:
            stage = self._table.stages[name]
            if self.status[name] is not Status.PENDING or name in self._asked or self._table.is_out(name):
                continue
            match readiness(stage.trigger, self._table.ends[name]):
                case Readiness.GO if self._table.lacks_scraps(stage):
                    pass
                case Readiness.GO:
                    self._asked.add(name)
                    self._unanswered.add(name)
                    out.append(Ask(name))
                case Readiness.SKIP:
                    self._table.absent.add(name)
                    self._finish(name, Status.SKIPPED, self._table.why_skipped(stage), out)
                case Readiness.BLOCK:
                    culprit = self._table.culprit(stage) or self._stopped_by or "a stage"
                    self._table.culprits[name] = culprit
                    self._finish(name, Status.BLOCKED, f"needs {culprit}, which failed", out)
                case Readiness.WAIT:
                    pass

    def _finish(self, first: str, status: Status, reason: str, out: list[Instruction]) -> None:
        """Give a stage its final status, and look at those that wait for it."""
        if self.status[first].is_final:
            return
        self._unanswered.discard(first)
        out.append(Finish(first, status, reason))
        self._table.end(first, status)
        self._todo.append(first)
        if len(self._todo) > 1:
            return  # the loop below, further up, comes to it: chains may be longer than the stack
        while self._todo:
            self._look_at(self._table.followers[self._todo[0]], out)
            self._todo.popleft()

    def _fail_fast(self, failed: str, out: list[Instruction]) -> None:
        """After the first failure nothing new starts, but for stages whose trigger asks for failures. What runs
        goes on to its end."""
        if self._keep_going or self._stopped_by is not None:
            return
        self._stopped_by = failed
        for name in list(self.status):
            if self.status[name] not in {Status.PENDING, Status.RETRYING} or self._may_start(name):
                continue
            if self._table.attempts[name]:  # it waits for a further attempt, or for a slot to make it
                self._finish(name, Status.FAILED, f"not tried again, since {failed} failed", out)
            else:
                self._table.culprits.setdefault(name, failed)
                self._finish(name, Status.BLOCKED, f"not started, since {failed} failed", out)
        self._ready.keep({name for name, status in self.status.items() if status is Status.PENDING})


def _outcome(statuses: Collection[Status], *, cancelled: bool) -> Status:
    """The status of a run whose stages ended so."""
    if cancelled and not {Status.CANCELLED, Status.BLOCKED}.isdisjoint(statuses):
        return Status.CANCELLED
    return Status.COMPLETED if {Status.FAILED, Status.BLOCKED}.isdisjoint(statuses) else Status.FAILED


def _delay(stage: PlannedStage, made: int) -> float:
    """Exponential back-off: the delay doubles with each attempt, up to five minutes."""
    return float(min(stage.retry_delay * 2 ** (made - 1), MAX_DELAY))

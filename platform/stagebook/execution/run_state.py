"""The state of a run: what happened goes in, what to do comes out. Pure, without clock or I/O.

The machine promises, whatever the order of what it is told: a stage starts only when all it
depends on ended well, never twice at a time, and at most `retries + 1` times; a final status
stays; and the run ends exactly once, after its last stage.
"""

from __future__ import annotations

import dataclasses
import heapq

from stagebook.events import Status
from stagebook.planning import graph
from stagebook.planning.plan import Decision, Plan, PlannedStage

MAX_DELAY = 300.0  # seconds


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


Instruction = Start | Retry | Cancel | Finish | End


class RunState:
    """The stages of one plan, as they go. `jobs`: how many attempts at a time."""

    def __init__(self, plan: Plan, *, jobs: int, keep_going: bool = False) -> None:
        self._stages = {stage.id: stage for stage in plan.stages}
        needs = {stage.id: stage.upstream for stage in plan.stages}
        ordered = [stage.id for stage in plan.stages]
        heights = graph.heights(needs, ordered)
        self._followers = graph.followers_of(needs)
        self._missing = {stage.id: len(set(stage.upstream)) for stage in plan.stages}
        # The longest chain first, then the order of the plan: this keeps all slots busy longest.
        self._priority = {name: (-heights[name], at) for at, name in enumerate(ordered)}
        self._ready: list[tuple[tuple[int, int], str]] = []
        self._attempts: dict[str, int] = dict.fromkeys(ordered, 0)
        self._jobs = jobs
        self._keep_going = keep_going
        self._running = 0
        self._open = len(ordered)
        self._stopped_by: str | None = None
        self._cancelled: str | None = None
        self._ended = False
        self.status: dict[str, Status] = dict.fromkeys(ordered, Status.PENDING)

    @property
    def ended(self) -> bool:
        """Whether `End` was given."""
        return self._ended

    def begin(self) -> list[Instruction]:
        """The first instructions."""
        out: list[Instruction] = []
        roots = [name for name, count in self._missing.items() if count == 0]
        for stage in self._stages.values():
            # What is not selected takes no part: it is out at once and holds up nothing.
            if stage.decision is Decision.SKIP:
                self._finish(stage.id, Status.SKIPPED, "; ".join(stage.reasons), out)
        for name in roots:
            self._offer(name, out)
        return self._go_on(out)

    def attempt_ended(
        self, stage: str, *, ok: bool, reason: str = "", retryable: bool = True
    ) -> list[Instruction]:
        """The running attempt of a stage ended. Ignored unless one is running."""
        out: list[Instruction] = []
        if self.status.get(stage) is not Status.RUNNING:
            return out
        self._running -= 1
        made = self._attempts[stage]
        if ok:
            self._finish(stage, Status.COMPLETED, "", out)
        elif self._cancelled is not None:
            self._finish(stage, Status.CANCELLED, reason or self._cancelled, out)
        elif retryable and made <= self._stages[stage].retries and self._stopped_by is None:
            self.status[stage] = Status.RETRYING
            out.append(Retry(stage, made + 1, self._delay(self._stages[stage], made)))
        else:
            self._finish(stage, Status.FAILED, reason, out)
            if not self._keep_going and self._stopped_by is None:
                self._stop(stage, out)
        return self._go_on(out)

    def retry_due(self, stage: str) -> list[Instruction]:
        """The delay before a further attempt is over. Ignored unless the stage waits for it."""
        out: list[Instruction] = []
        if self.status.get(stage) is Status.RETRYING:
            self.status[stage] = Status.PENDING
            heapq.heappush(self._ready, (self._priority[stage], stage))
        return self._go_on(out)

    def cancel(self, reason: str) -> list[Instruction]:
        """Stop the run: nothing starts any more, what runs is asked to end."""
        out: list[Instruction] = []
        if self._cancelled is not None or self._ended:
            return out
        self._cancelled = reason
        for name, status in list(self.status.items()):
            if status is Status.RUNNING:
                out.append(Cancel(name))
            elif not status.is_final:
                self._finish(name, Status.CANCELLED, reason, out)
        return self._go_on(out)

    # -- inside ---------------------------------------------------------------------------------

    def _go_on(self, out: list[Instruction]) -> list[Instruction]:
        while self._ready and self._running < self._jobs:
            _, name = heapq.heappop(self._ready)
            if self.status[name] is not Status.PENDING:
                continue
            self._running += 1
            self._attempts[name] += 1
            self.status[name] = Status.RUNNING
            out.append(Start(name, self._attempts[name]))
        if self._open == 0 and not self._ended:
            self._ended = True
            out.append(End(self._outcome()))
        return out

    def _offer(self, name: str, out: list[Instruction]) -> None:
        """All that this stage depends on ended well."""
        stage = self._stages[name]
        if stage.decision is Decision.REUSE:
            self._finish(name, Status.REUSED, "; ".join(stage.reasons), out)
        elif stage.decision is not Decision.SKIP:
            heapq.heappush(self._ready, (self._priority[name], name))

    def _finish(self, first: str, status: Status, reason: str, out: list[Instruction]) -> None:
        """Give a stage its final status, and what follows from it to those that wait for it."""
        todo = [(first, status, reason)]
        while todo:
            name, status, reason = todo.pop()
            if self.status[name].is_final:
                continue
            self.status[name] = status
            self._open -= 1
            out.append(Finish(name, status, reason))
            if status.is_good:
                for follower in self._followers[name]:
                    self._missing[follower] -= 1
                    if self._missing[follower] == 0 and self.status[follower] is Status.PENDING:
                        self._offer(follower, out)
            elif status is not Status.CANCELLED:
                blocked = f"needs {first}, which failed"
                todo += [(after, Status.BLOCKED, blocked) for after in reversed(self._followers[name])]

    def _stop(self, failed: str, out: list[Instruction]) -> None:
        """Fail-fast: nothing new starts; what runs goes on to its end, since its result is good."""
        self._stopped_by = failed
        for name, status in list(self.status.items()):
            if status is Status.RETRYING:
                self._finish(name, Status.FAILED, f"not tried again, since {failed} failed", out)
            elif status is Status.PENDING and not self.status[name].is_final:
                self._finish(name, Status.BLOCKED, f"not started, since {failed} failed", out)
        self._ready.clear()

    def _outcome(self) -> Status:
        statuses = set(self.status.values())
        if self._cancelled is not None and statuses & {Status.CANCELLED, Status.BLOCKED}:
            return Status.CANCELLED
        return Status.FAILED if statuses & {Status.FAILED, Status.BLOCKED} else Status.COMPLETED

    def _delay(self, stage: PlannedStage, made: int) -> float:
        """Exponential back-off: the delay doubles with each attempt, up to five minutes."""
        return float(min(stage.retry_delay * 2 ** (made - 1), MAX_DELAY))

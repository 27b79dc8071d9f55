"""The stages of a run: their statuses, and how those before each of them ended. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Container

from stagebook.events import Status
from stagebook.execution.runner.triggers import SKIPPED_BECAUSE, Upstream
from stagebook.planning import graph
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.scopes import needed_stages


class StageTable:
    """The stages of one plan by id, in its order, with what is known of each.

    - `status`, `attempts`: the status, and how many attempts were begun
    - `followers`: the stages that wait for it
    - `priority`: what sorts those that may start; less is earlier
    - `ends`: the ends of those that it waits for
    - `absent`: those that a condition left out, so that nothing is there to build on
    - `culprits`: of those that are blocked, the stage whose failure did it
    - `open`: how many have no final status
    """

    def __init__(self, plan: Plan) -> None:
        self.status: dict[str, Status] = {}
        self.attempts: dict[str, int] = {}
        self.absent: set[str] = set()
        self.culprits: dict[str, str] = {}
        self.take(plan)

    def take(self, plan: Plan) -> None:
        """Take over a plan; what is known of its stages stays."""
        self.stages = {stage.id: stage for stage in plan.stages}
        needs = {stage.id: stage.upstream for stage in plan.stages}
        ordered = list(self.stages)
        heights = graph.heights(needs, ordered)
        self.followers = graph.followers_of(needs)
        # The longest chain first, then the order of the plan: this keeps all slots busy longest.
        self.priority = {name: (-heights[name], at) for at, name in enumerate(ordered)}
        self.status = {name: self.status.get(name, Status.PENDING) for name in ordered}
        self.attempts = {name: self.attempts.get(name, 0) for name in ordered}
        self.ends = {name: Upstream(waiting=len(set(stage.upstream))) for name, stage in self.stages.items()}
        self.open = 0
        for name, status in self.status.items():
            if status.is_final:
                self._count(name, status)
            else:
                self.open += 1

    def is_out(self, name: str) -> bool:
        """Whether a stage takes no part, whatever happens: it is out at once and holds up nothing."""
        stage = self.stages[name]
        return stage.absent or not stage.selected

    def end(self, name: str, status: Status) -> None:
        """Give a stage its final status, and count it for those that wait for it."""
        self.status[name] = status
        self.open -= 1
        self._count(name, status)

    def _count(self, name: str, status: Status) -> None:
        for follower in self.followers[name]:
            ends = self.ends[follower]
            ends.waiting -= 1
            if name in self.absent:
                # An order without data (`after`) is kept by a stage that was left out, too.
                if name in self.stages[follower].loosely:
                    ends.good += 1
                else:
                    ends.skipped += 1
            elif status.is_good:
                ends.good += 1
            else:
                ends.failed += 1

    def lacks_scraps(self, stage: PlannedStage) -> bool:
        """Whether a stage that its expressions refer to has not ended. A trigger that does not wait for all
        stages before it waits for these, whose scraps it needs."""
        if not self.ends[stage.id].waiting:
            return False
        needed = needed_stages(stage)
        return any(
            self.stages[name].stage in needed and not self.status[name].is_final for name in stage.upstream
        )

    def why_skipped(self, stage: PlannedStage) -> str:
        """Why the trigger of a stage skips it."""
        absent = [name for name in stage.upstream if name in self.absent and name not in stage.loosely]
        if stage.trigger == "all_success" and absent:
            return f"needs {absent[0]}, which was skipped"
        return SKIPPED_BECAUSE.get(stage.trigger, "what it needs was skipped")

    def culprit(self, stage: PlannedStage) -> str:
        """The failed stage that is behind a blocked one; empty where it is not among those before it."""
        for name in stage.upstream:
            if self.status[name] is Status.FAILED:
                return name
        return next((self.culprits[name] for name in stage.upstream if name in self.culprits), "")


class ReadyQueue:
    """The stages that may start, by their priority."""

    def __init__(self, table: StageTable) -> None:
        self._table = table
        self._heap: list[tuple[tuple[int, int], str]] = []

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, name: str) -> None:
        """Add a stage."""
        heapq.heappush(self._heap, (self._table.priority[name], name))

    def pop(self) -> str:
        """Take out the first one."""
        return heapq.heappop(self._heap)[1]

    def keep(self, names: Container[str]) -> None:
        """Leave out all but these; priorities may have changed."""
        self._heap = [(self._table.priority[name], name) for _, name in self._heap if name in names]
        heapq.heapify(self._heap)

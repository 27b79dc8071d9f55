"""The state machine against its promises, under any order of what it is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.events import Status
from stagebook.execution.run_state import Cancel, End, Finish, Retry, RunState, Start
from stagebook.planning.plan import Decision, Plan, PlannedStage


def make_plan(
    edges: dict[str, tuple[str, ...]],
    retries: dict[str, int] | None = None,
    decisions: dict[str, Decision] | None = None,
) -> Plan:
    stages = tuple(
        PlannedStage(
            id=name,
            stage=name,
            notebook=f"{name}.ipynb",
            upstream=needs,
            retries=(retries or {}).get(name, 0),
            decision=(decisions or {}).get(name, Decision.RUN),
        )
        for name, needs in edges.items()
    )
    return Plan(pipeline="p", path="pipelines/p.yaml", stages=stages)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 12))
    names = [f"s{at}" for at in range(count)]
    edges = {
        name: tuple(draw(st.sets(st.sampled_from(names[:at]), max_size=3))) if at else ()
        for at, name in enumerate(names)
    }
    retries = {name: draw(st.integers(0, 2)) for name in names}
    kinds = st.sampled_from([Decision.RUN, Decision.RUN, Decision.RUN, Decision.SKIP, Decision.REUSE])
    decisions = {name: draw(kinds) for name in names}
    return make_plan(edges, retries, decisions)


class Checker:
    """Follows the instructions and holds them against what is promised."""

    def __init__(self, plan: Plan, jobs: int) -> None:
        self.stages = {stage.id: stage for stage in plan.stages}
        self.jobs = jobs
        self.running: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.final: dict[str, Status] = {}
        self.attempts: dict[str, int] = dict.fromkeys(self.stages, 0)
        self.cancelled: set[str] = set()
        self.end: Status | None = None

    def take(self, instructions: list[object]) -> None:
        for instruction in instructions:
            assert self.end is None, "something followed the end"
            match instruction:
                case Start(stage, attempt):
                    assert stage not in self.running
                    assert stage not in self.final
                    assert attempt == self.attempts[stage] + 1 <= self.stages[stage].retries + 1
                    assert all(self.final[need].is_good for need in self.stages[stage].upstream)
                    assert self.stages[stage].runs
                    self.attempts[stage] = attempt
                    self.waiting.pop(stage, None)
                    self.running[stage] = attempt
                    assert len(self.running) <= self.jobs
                case Retry(stage, attempt, delay):
                    assert attempt == self.attempts[stage] + 1
                    assert delay > 0
                    self.waiting[stage] = attempt
                case Finish(stage, status, reason):
                    assert stage not in self.final, "a final status changed"
                    assert stage not in self.running
                    assert status.is_final
                    if status not in {Status.COMPLETED, Status.FAILED, Status.CANCELLED}:
                        assert reason or status in {Status.SKIPPED, Status.REUSED}
                    self.waiting.pop(stage, None)
                    self.final[stage] = status
                case Cancel(stage):
                    assert stage in self.running
                    self.cancelled.add(stage)
                case End(status):
                    assert set(self.final) == set(self.stages), "the run ended before a stage"
                    self.end = status


@settings(max_examples=400, deadline=None)
@given(data=st.data(), plan=plans(), jobs=st.integers(1, 4), keep_going=st.booleans())
def test_any_order_of_events_keeps_every_promise(
    data: st.DataObject, plan: Plan, jobs: int, keep_going: bool
) -> None:
    state = RunState(plan, jobs=jobs, keep_going=keep_going)
    checker = Checker(plan, jobs)
    checker.take(state.begin())
    cancelled = False
    for _ in range(300):
        if checker.end is not None:
            break
        choices = [("end", name) for name in checker.running] + [("due", name) for name in checker.waiting]
        if not cancelled:
            choices.append(("cancel", ""))
        # What may come late or by mistake: it has to change nothing.
        choices += [("late", name) for name in checker.final]
        kind, name = data.draw(st.sampled_from(choices))
        match kind:
            case "end":
                del checker.running[name]
                ok = data.draw(st.booleans())
                retryable = data.draw(st.booleans())
                checker.take(state.attempt_ended(name, ok=ok, reason="it broke", retryable=retryable))
            case "due":
                checker.take(state.retry_due(name))
                # The slot may be taken: then it starts later.
            case "cancel":
                cancelled = data.draw(st.integers(0, 9)) == 0
                if cancelled:
                    checker.take(state.cancel("asked to"))
            case "late":
                assert state.attempt_ended(name, ok=True) == []
                assert state.retry_due(name) == []
    # Whatever is left runs to its end.
    for _ in range(200):
        for name in list(checker.running):
            del checker.running[name]
            checker.take(state.attempt_ended(name, ok=True))
        for name in list(checker.waiting):
            checker.take(state.retry_due(name))
    assert checker.end is not None
    statuses = set(checker.final.values())
    if not cancelled:
        assert (checker.end is Status.FAILED) == bool(statuses & {Status.FAILED, Status.BLOCKED})
    if checker.end is Status.COMPLETED:
        assert all(status.is_good for status in statuses)


def drive(state: RunState, failing: set[str]) -> dict[str, Status]:
    """Run to the end; stages in `failing` fail."""
    todo = list(state.begin())
    while todo:
        match todo.pop(0):
            case Start(stage, _):
                todo += state.attempt_ended(stage, ok=stage not in failing, reason="broke")
            case Retry(stage, _, _):
                todo += state.retry_due(stage)
    return state.status


DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ()}


def test_keep_going_runs_all_that_does_not_need_the_failed_stage() -> None:
    status = drive(RunState(make_plan(DIAMOND), jobs=1, keep_going=True), {"b"})
    assert status == {
        "a": Status.COMPLETED,
        "b": Status.FAILED,
        "c": Status.COMPLETED,
        "d": Status.BLOCKED,
        "e": Status.COMPLETED,
    }


def test_fail_fast_starts_nothing_new_and_lets_running_stages_end() -> None:
    state = RunState(make_plan({"a": (), "b": (), "c": ()}), jobs=2)
    assert state.begin() == [Start("a", 1), Start("b", 1)]
    assert state.attempt_ended("a", ok=False, reason="broke") == [
        Finish("a", Status.FAILED, "broke"),
        Finish("c", Status.BLOCKED, "not started, since a failed"),
    ]
    assert state.attempt_ended("b", ok=True) == [Finish("b", Status.COMPLETED), End(Status.FAILED)]


def test_a_retry_comes_after_a_delay_that_doubles() -> None:
    state = RunState(make_plan({"a": ()}, {"a": 3}), jobs=1)
    state.begin()
    delays = []
    for _ in range(3):
        (retry,) = state.attempt_ended("a", ok=False)
        assert isinstance(retry, Retry)
        delays.append(retry.delay)
        assert state.retry_due("a") == [Start("a", retry.attempt)]
    assert delays == [1.0, 2.0, 4.0]
    assert state.attempt_ended("a", ok=False, reason="no") == [
        Finish("a", Status.FAILED, "no"),
        End(Status.FAILED),
    ]


def test_what_cannot_be_helped_is_not_tried_again() -> None:
    state = RunState(make_plan({"a": ()}, {"a": 3}), jobs=1)
    state.begin()
    assert state.attempt_ended("a", ok=False, reason="no", retryable=False)[-1] == End(Status.FAILED)


def test_cancel_ends_what_waits_and_asks_what_runs() -> None:
    state = RunState(make_plan({"a": (), "b": ("a",)}), jobs=1)
    state.begin()
    assert state.cancel("Ctrl-C") == [Cancel("a"), Finish("b", Status.CANCELLED, "Ctrl-C")]
    assert state.cancel("again") == []
    assert state.attempt_ended("a", ok=False, reason="stopped") == [
        Finish("a", Status.CANCELLED, "stopped"),
        End(Status.CANCELLED),
    ]


def test_a_stage_that_completes_while_it_is_cancelled_is_completed() -> None:
    state = RunState(make_plan({"a": ()}), jobs=1)
    state.begin()
    state.cancel("Ctrl-C")
    assert state.attempt_ended("a", ok=True) == [Finish("a", Status.COMPLETED), End(Status.COMPLETED)]


def test_the_longest_chain_starts_first() -> None:
    edges = {"short": (), "long1": (), "long2": ("long1",), "long3": ("long2",)}
    assert RunState(make_plan(edges), jobs=1).begin() == [Start("long1", 1)]


@pytest.mark.parametrize("decision", [Decision.SKIP, Decision.REUSE])
def test_what_does_not_run_holds_up_nothing(decision: Decision) -> None:
    plan = make_plan({"a": (), "b": ("a",), "c": ("b",)}, decisions={"b": decision})
    assert drive(RunState(plan, jobs=1), set())["c"] is Status.COMPLETED


def test_a_plan_without_stages_ends_at_once() -> None:
    assert RunState(make_plan({}), jobs=1).begin() == [End(Status.COMPLETED)]

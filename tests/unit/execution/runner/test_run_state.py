"""The state machine against its promises, under any order of what it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import at_most
from stagebook.events import Status
from stagebook.execution.runner.run_state import Ask, Cancel, End, Finish, Instruction, Retry, RunState, Start
from stagebook.execution.runner.triggers import AFTERMATH
from stagebook.pipeline.expressions import compile_value
from stagebook.pipeline.model import Trigger
from stagebook.planning.plan import Plan, PlannedStage

TRIGGERS: tuple[Trigger, ...] = (
    "all_success", "all_done", "one_failed", "all_failed", "one_success", "none_failed",
)  # fmt: skip
Edges = Mapping[str, tuple[str, ...]]


def make_plan(edges: Edges, **more: Mapping[str, Any]) -> Plan:
    """A plan of stages; `more` has values of fields by stage, such as `retries={"a": 1}`."""
    stages = tuple(
        PlannedStage(
            id=name,
            stage=name.split("@")[0],
            notebook=f"{name}.ipynb",
            upstream=needs,
            **{field: values[name] for field, values in more.items() if name in values},
        )
        for name, needs in edges.items()
    )
    return Plan(pipeline="p", path="pipelines/p.yaml", stages=stages)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = [f"s{at}" for at in range(draw(st.integers(1, 12)))]
    edges = {
        name: tuple(draw(st.sets(st.sampled_from(names[:at]), max_size=3))) if at else ()
        for at, name in enumerate(names)
    }
    return make_plan(
        edges,
        retries={name: draw(st.integers(0, 2)) for name in names},
        selected={name: draw(st.integers(0, 7)) > 0 for name in names},
        absent={name: draw(st.integers(0, 7)) == 0 for name in names},
        trigger={name: draw(st.sampled_from(TRIGGERS)) if draw(st.booleans()) else "all_success" for name in names},
        loosely={name: tuple(need for need in edges[name] if draw(st.booleans())) for name in names},
    )  # fmt: skip


class Checker:
    """Follows the instructions and holds them against what is promised."""

    def __init__(self, plan: Plan, jobs: int, *, keep_going: bool = True) -> None:
        self.stages = {stage.id: stage for stage in plan.stages}
        self.jobs = jobs
        self.keep_going = keep_going
        self.asked: set[str] = set()
        self.unanswered: set[str] = set()
        self.running: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.final: dict[str, Status] = {}
        self.attempts: dict[str, int] = dict.fromkeys(self.stages, 0)
        self.cancelled: set[str] = set()
        self.was_cancelled = False
        self.end: Status | None = None

    def take(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            assert self.end is None, "something followed the end"
            match instruction:
                case Ask(stage):
                    assert stage not in self.asked, "asked twice"
                    assert self.stages[stage].selected
                    assert not self.stages[stage].absent
                    self.asked.add(stage)
                    self.unanswered.add(stage)
                case Start(stage, attempt):
                    self.start(stage, attempt)
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
                    if status is Status.BLOCKED:
                        assert not self.attempts[stage], "blocked, though it had begun"
                    self.waiting.pop(stage, None)
                    self.unanswered.discard(stage)
                    self.final[stage] = status
                case Cancel(stage):
                    assert stage in self.running
                    self.cancelled.add(stage)
                case End(status):
                    assert set(self.final) == set(self.stages), "the run ended before a stage"
                    self.end = status

    def start(self, stage: str, attempt: int) -> None:
        assert stage not in self.running
        assert stage not in self.final
        assert stage in self.asked
        assert not self.unanswered, "something started while an answer was open"
        assert attempt == self.attempts[stage] + 1 <= self.stages[stage].retries + 1
        trigger = self.stages[stage].trigger
        if trigger == "all_success":
            assert all(self.final[need].is_good for need in self.stages[stage].upstream)
        if not self.keep_going and Status.FAILED in self.final.values():
            assert trigger in AFTERMATH
        self.attempts[stage] = attempt
        self.waiting.pop(stage, None)
        self.running[stage] = attempt
        assert len(self.running) <= self.jobs


ANSWERS = [Status.RUNNING] * 5 + [Status.REUSED, Status.SKIPPED, Status.FAILED]


def happen(data: st.DataObject, state: RunState, checker: Checker, kind: str, name: str) -> None:
    """Something of a kind happens to a stage."""
    match kind:
        case "answer":
            checker.unanswered.discard(name)
            checker.take(state.decided(name, data.draw(st.sampled_from(ANSWERS)), "so"))
        case "end":
            del checker.running[name]
            ok, retryable = data.draw(st.booleans()), data.draw(st.booleans())
            checker.take(state.attempt_ended(name, ok=ok, reason="it broke", retryable=retryable))
        case "due":
            checker.take(state.retry_due(name))
            # The slot may be taken: then it starts later.
        case "cancel" if data.draw(st.integers(0, 9)) == 0:
            checker.was_cancelled = True
            checker.take(state.cancel("asked to"))
        case "late":
            assert state.attempt_ended(name, ok=True) == []
            assert state.retry_due(name) == []
            assert state.decided(name, Status.RUNNING) == []


@settings(max_examples=200, deadline=None)
@given(data=st.data(), plan=plans(), jobs=st.integers(1, 4), keep_going=st.booleans())
@pytest.mark.long
def test_any_order_of_events_keeps_every_promise(
    data: st.DataObject, plan: Plan, jobs: int, keep_going: bool
) -> None:
    state = RunState(plan, jobs=jobs, keep_going=keep_going)
    checker = Checker(plan, jobs, keep_going=keep_going)
    checker.take(state.begin())
    for _ in range(300):
        if checker.end is not None:
            break
        assert checker.unanswered == {name for name in checker.stages if state.is_asked(name)}
        choices = [("end", name) for name in checker.running] + [("due", name) for name in checker.waiting]
        choices += [("answer", name) for name in sorted(checker.unanswered)]
        if not checker.was_cancelled:
            choices.append(("cancel", ""))
        # What may come late or by mistake: it has to change nothing.
        choices += [("late", name) for name in checker.final]
        happen(data, state, checker, *data.draw(st.sampled_from(choices)))
    # Whatever is left runs to its end.
    for _ in range(200):
        for name in sorted(checker.unanswered):
            checker.unanswered.discard(name)
            checker.take(state.decided(name, Status.RUNNING))
        for name in list(checker.running):
            del checker.running[name]
            checker.take(state.attempt_ended(name, ok=True))
        for name in list(checker.waiting):
            checker.take(state.retry_due(name))
    assert checker.end is not None
    assert state.ended
    statuses = set(checker.final.values())
    if not checker.was_cancelled:
        assert (checker.end is Status.FAILED) == bool(statuses & {Status.FAILED, Status.BLOCKED})
    if checker.end is Status.COMPLETED:
        assert all(status.is_good for status in statuses)


def drive(
    state: RunState,
    failing: Iterable[str] = (),
    answer: Callable[[str], Status] = lambda _: Status.RUNNING,
) -> dict[str, Status]:
    """Run to the end; stages in `failing` fail."""
    todo = list(state.begin())
    while todo:
        match todo.pop(0):
            case Ask(stage):
                todo += state.decided(stage, answer(stage))
            case Start(stage, _):
                todo += state.attempt_ended(stage, ok=stage not in failing, reason="broke")
            case Retry(stage, _, _):
                todo += state.retry_due(stage)
    return state.status


def begun(state: RunState) -> list[Instruction]:
    """What comes of a beginning where everything that is asked for is to run."""
    out = state.begin()
    while any(isinstance(one, Ask) and state.is_asked(one.stage) for one in out):
        out = [
            item
            for one in out
            for item in (state.decided(one.stage, Status.RUNNING) if isinstance(one, Ask) else [one])
        ]
    return out


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
    assert begun(state) == [Start("a", 1), Start("b", 1)]
    assert state.attempt_ended("a", ok=False, reason="broke") == [
        Finish("a", Status.FAILED, "broke"),
        Finish("c", Status.BLOCKED, "not started, since a failed"),
    ]
    assert state.attempt_ended("b", ok=True) == [Finish("b", Status.COMPLETED), End(Status.FAILED)]


def test_a_retry_comes_after_a_delay_that_doubles() -> None:
    state = RunState(make_plan({"a": ()}, retries={"a": 3}), jobs=1)
    begun(state)
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
    state = RunState(make_plan({"a": ()}, retries={"a": 3}), jobs=1)
    begun(state)
    assert state.attempt_ended("a", ok=False, reason="no", retryable=False)[-1] == End(Status.FAILED)


def test_after_a_failure_what_had_begun_has_failed_and_what_had_not_is_blocked() -> None:
    # b waits for its delay, c for a slot to make its second attempt in; neither was never started.
    plan = make_plan({"a": (), "b": (), "c": (), "d": ()}, retries={"b": 1, "c": 1})
    state = RunState(plan, jobs=3)
    begun(state)
    state.attempt_ended("b", ok=False)
    state.attempt_ended("c", ok=False)
    assert state.status["d"] is Status.RUNNING
    filled = RunState(plan, jobs=1)
    begun(filled)
    filled.attempt_ended("a", ok=True)
    filled.attempt_ended("b", ok=False)  # and c has the slot
    assert filled.retry_due("b") == []
    for one, failing in ((state, "a"), (filled, "c")):
        out = one.attempt_ended(failing, ok=False, reason="broke", retryable=False)
        assert Finish("b", Status.FAILED, f"not tried again, since {failing} failed") in out
    assert state.status["c"] is Status.FAILED
    assert filled.status["d"] is Status.BLOCKED


def test_cancel_ends_what_waits_and_asks_what_runs() -> None:
    state = RunState(make_plan({"a": (), "b": ("a",)}), jobs=1)
    begun(state)
    assert state.cancel("Ctrl-C") == [Cancel("a"), Finish("b", Status.CANCELLED, "Ctrl-C")]
    assert state.cancel("again") == []
    assert state.attempt_ended("a", ok=False, reason="stopped") == [
        Finish("a", Status.CANCELLED, "stopped"),
        End(Status.CANCELLED),
    ]


def test_an_answer_after_a_cancel_changes_nothing() -> None:
    state = RunState(make_plan({"a": (), "b": ("a",)}), jobs=1)
    assert state.begin() == [Ask("a")]
    assert state.cancel("Ctrl-C")[-1] == End(Status.CANCELLED)
    assert not state.is_asked("a")
    assert state.decided("a", Status.REUSED) == []


def test_a_stage_that_completes_while_it_is_cancelled_is_completed() -> None:
    state = RunState(make_plan({"a": ()}), jobs=1)
    begun(state)
    state.cancel("Ctrl-C")
    assert state.attempt_ended("a", ok=True) == [Finish("a", Status.COMPLETED), End(Status.COMPLETED)]


def test_the_longest_chain_starts_first() -> None:
    edges = {"short": (), "long1": (), "long2": ("long1",), "long3": ("long2",)}
    assert begun(RunState(make_plan(edges), jobs=1)) == [Start("long1", 1)]


CHAIN = {"a": (), "b": ("a",), "c": ("b",)}


def test_what_is_not_selected_holds_up_nothing_and_is_never_asked_for() -> None:
    state = RunState(make_plan(CHAIN, selected={"a": False, "b": False}), jobs=1)
    skipped = [Finish(name, Status.SKIPPED, "not selected") for name in "ab"]
    assert state.begin() == [*skipped, Ask("c")]


def test_what_is_reused_holds_up_nothing() -> None:
    answers = {"b": Status.REUSED}
    state = RunState(make_plan(CHAIN), jobs=1)
    assert drive(state, answer=lambda name: answers.get(name, Status.RUNNING)) == {
        "a": Status.COMPLETED, "b": Status.REUSED, "c": Status.COMPLETED,
    }  # fmt: skip


@pytest.mark.parametrize("how", ["absent", "decided"])
def test_what_needs_a_stage_that_a_condition_leaves_out_is_left_out_and_what_comes_after_it_is_not(
    how: str,
) -> None:
    edges = {"a": (), "needs": ("a",), "further": ("needs",), "after": ("a",), "any": ("a",)}
    plan = make_plan(
        edges, loosely={"after": ("a",)}, trigger={"any": "none_failed"}, absent={"a": how == "absent"}
    )
    state = RunState(plan, jobs=1)
    answers = {"a": Status.SKIPPED}
    assert drive(state, answer=lambda name: answers.get(name, Status.RUNNING)) == {
        "a": Status.SKIPPED,
        "needs": Status.SKIPPED,
        "further": Status.SKIPPED,
        "after": Status.COMPLETED,
        "any": Status.COMPLETED,
    }


def test_what_is_there_for_failures_starts_after_one_and_is_tried_again() -> None:
    plan = make_plan(
        {"a": (), "b": ("a",), "alert": ("b",), "other": (), "late": ("alert",)},
        trigger={"alert": "one_failed"},
        retries={"alert": 1},
    )
    state = RunState(plan, jobs=2)
    begun(state)
    out = state.attempt_ended("a", ok=False, reason="broke")
    assert out == [
        Finish("a", Status.FAILED, "broke"),
        Finish("b", Status.BLOCKED, "needs a, which failed"),
        Ask("alert"),
        Finish("late", Status.BLOCKED, "not started, since a failed"),
    ]
    assert state.decided("alert", Status.RUNNING) == [Start("alert", 1)]
    (retry,) = state.attempt_ended("alert", ok=False)
    assert retry == Retry("alert", 2, 1.0)
    assert state.retry_due("alert") == [Start("alert", 2)]
    state.attempt_ended("other", ok=True)
    assert state.attempt_ended("alert", ok=True)[-1] == End(Status.FAILED)


def test_a_trigger_that_does_not_wait_for_all_waits_for_the_scraps_of_its_expressions() -> None:
    plan = make_plan({"a": (), "list": (), "c": ("a", "list")}, trigger={"c": "one_success"})
    when = compile_value("${stages.list.scraps.n > 1}")
    stages = tuple(
        dataclasses.replace(one, when=when) if one.id == "c" else one for one in plan.stages
    )  # fmt: skip
    state = RunState(dataclasses.replace(plan, stages=stages), jobs=2)
    begun(state)
    assert state.attempt_ended("a", ok=True) == [Finish("a", Status.COMPLETED)]
    assert Ask("c") in state.attempt_ended("list", ok=True)


def test_growing_puts_instances_in_the_place_of_a_stage_and_keeps_all_else() -> None:
    foreach = compile_value("${stages.list.scraps.items}")
    before = make_plan(
        {"list": (), "x": (), "b": ("list",), "c": ("list", "b"), "end": ("c", "x")},
        foreach={"b": foreach, "c": foreach},
    )
    edges = {
        "list": (), "x": (), "b@1": ("list",), "b@2": ("list",),
        "c@1": ("list", "b@1"), "c@2": ("list", "b@2"), "end": ("c@1", "c@2", "x"),
    }  # fmt: skip
    state = RunState(before, jobs=3, keep_going=True)
    assert begun(state) == [Start("list", 1), Start("x", 1)]
    assert state.attempt_ended("list", ok=True) == [Finish("list", Status.COMPLETED), Ask("b")]
    assert state.grow("b", make_plan(edges)) == [Ask("b@1"), Ask("b@2")]
    assert not state.is_asked("b")
    assert state.decided("b@1", Status.RUNNING) == []
    assert state.decided("b@2", Status.RUNNING) == [Start("b@1", 1), Start("b@2", 1)]
    # An item's follower does not wait for the other items.
    assert state.attempt_ended("b@1", ok=True) == [Finish("b@1", Status.COMPLETED), Ask("c@1")]
    assert state.decided("c@1", Status.RUNNING) == [Start("c@1", 1)]
    assert state.attempt_ended("b@2", ok=False, reason="broke") == [
        Finish("b@2", Status.FAILED, "broke"),
        Finish("c@2", Status.BLOCKED, "needs b@2, which failed"),
        Finish("end", Status.BLOCKED, "needs b@2, which failed"),
    ]
    assert state.attempt_ended("x", ok=True) == [Finish("x", Status.COMPLETED)]
    assert state.attempt_ended("c@1", ok=True)[-1] == End(Status.FAILED)


def test_stages_that_wait_for_an_answer_may_grow_with_another() -> None:
    foreach = compile_value("${stages.list.scraps.items}")
    before = make_plan({"list": (), "b": ("list",), "c": ("list",)}, foreach={"b": foreach, "c": foreach})
    state = RunState(before, jobs=2)
    begun(state)
    assert state.attempt_ended("list", ok=True)[1:] == [Ask("b"), Ask("c")]
    assert state.grow("b", make_plan({"list": (), "b@1": ("list",), "c@1": ("list",)})) == [
        Ask("b@1"),
        Ask("c@1"),
    ]
    assert not state.is_asked("c")
    state.decided("b@1", Status.RUNNING)
    assert state.decided("c@1", Status.RUNNING) == [Start("b@1", 1), Start("c@1", 1)]


def test_an_item_that_a_condition_leaves_out_is_out_as_its_stage_grows() -> None:
    state = RunState(make_plan({"list": (), "b": ("list",), "end": ("b",)}), jobs=1)
    begun(state)
    state.attempt_ended("list", ok=True)
    grown = make_plan(
        {"list": (), "b@1": ("list",), "b@2": ("list",), "end": ("b@1", "b@2")}, absent={"b@2": True}
    )
    assert state.grow("b", grown) == [Finish("b@2", Status.SKIPPED), Ask("b@1")]


def test_what_nobody_needs_once_a_stage_has_grown_is_left_out_unless_it_began() -> None:
    # Selected for the sake of b, whose one instance that is asked for needs only x@1.
    points = {"x@1": ("slow",), "x@2": ("slow",), "x@3": (), "x@4": ()}
    before = make_plan(
        {"list": (), "slow": (), **points, "b": ("list", *points)}, trigger={"b": "one_success"}
    )
    after = make_plan(
        {"list": (), "slow": (), **points, "b@1": ("list", "x@1")},
        selected=dict.fromkeys(("x@2", "x@3", "x@4"), False),
    )
    state = RunState(before, jobs=2)
    assert begun(state) == [Start("slow", 1), Start("list", 1)]
    assert state.attempt_ended("list", ok=True) == [Finish("list", Status.COMPLETED), Ask("b")]
    assert state.grow("b", after) == [
        *(Finish(name, Status.SKIPPED, "not selected") for name in ("x@2", "x@3", "x@4"))
    ]
    assert state.attempt_ended("slow", ok=True)[-1] == Ask("x@1")
    state = RunState(before, jobs=3)
    assert begun(state)[-1] == Start("x@3", 1)
    state.attempt_ended("list", ok=True)
    state.grow("b", after)
    assert state.attempt_ended("x@3", ok=True) == [Finish("x@3", Status.COMPLETED)]


def test_a_plan_without_stages_ends_at_once() -> None:
    assert RunState(make_plan({}), jobs=1).begin() == [End(Status.COMPLETED)]


@pytest.mark.long
def test_long_chains_and_wide_fans_take_little_time_whatever_becomes_of_them() -> None:
    chain = {f"s{at}": (f"s{at - 1}",) if at else () for at in range(5_000)}
    fan = {**{f"s{at}": () for at in range(4_999)}, "end": tuple(f"s{at}" for at in range(4_999))}
    with at_most(600):
        for edges in (chain, fan):
            for trigger in TRIGGERS:
                plan = make_plan(edges, trigger=dict.fromkeys(edges, trigger))
                drive_fast(RunState(plan, jobs=4, keep_going=trigger == "all_done"), ("s0",))


def drive_fast(state: RunState, failing: Iterable[str]) -> None:
    todo = list(state.begin())
    at = 0
    while at < len(todo):
        match todo[at]:
            case Ask(stage):
                todo += state.decided(stage, Status.RUNNING)
            case Start(stage, _):
                todo += state.attempt_ended(stage, ok=stage not in failing, reason="broke")
        at += 1
    assert state.ended

"""The table of stages counts how those before a stage ended, in any order of ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.events import Status
from stagebook.execution.runner.stage_table import ReadyQueue, StageTable
from stagebook.pipeline.expressions import compile_value
from stagebook.planning import graph
from stagebook.planning.plan import Plan, PlannedStage
from strategies import dags

Edges = Mapping[str, tuple[str, ...]]
FINAL = [status for status in Status if status.is_final]


def make_plan(edges: Edges, **more: Mapping[str, Any]) -> Plan:
    """A plan of stages; `more` has values of fields by stage, such as `trigger={"a": "all_done"}`."""
    stages = (
        PlannedStage(
            id=name,
            stage=name.split("@", maxsplit=1)[0],
            notebook="n.ipynb",
            upstream=needs,
            **{field: values[name] for field, values in more.items() if name in values},
        )
        for name, needs in ((name, edges[name]) for name in graph.order(edges))
    )
    return Plan(pipeline="p", path="pipelines/p.yaml", stages=tuple(stages))


@settings(max_examples=150, deadline=None)
@given(edges=dags(), data=st.data())
def test_every_end_is_counted_once_for_each_stage_that_waits(edges: Edges, data: st.DataObject) -> None:
    loosely = {
        name: tuple(need for need in needs if data.draw(st.booleans())) for name, needs in edges.items()
    }
    table = StageTable(make_plan(edges, loosely=loosely))
    open_ = list(data.draw(st.permutations(sorted(edges))))
    while open_:
        name = open_.pop()
        if data.draw(st.integers(0, 3)) == 0:
            table.absent.add(name)
            table.end(name, Status.SKIPPED)
        else:
            table.end(name, data.draw(st.sampled_from(FINAL)))
        assert table.open == len(open_)
        for stage, needs in edges.items():
            before = set(needs)
            left_out = {
                need for need in before - {*open_} if need in table.absent and need not in loosely[stage]
            }
            good = {
                need
                for need in before - {*open_} - left_out
                if need in table.absent or table.status[need].is_good
            }
            ends = table.ends[stage]
            assert (ends.waiting, ends.skipped, ends.good) == (
                len(before & {*open_}),
                len(left_out),
                len(good),
            )
            assert ends.waiting + ends.skipped + ends.good + ends.failed == len(before)


@settings(max_examples=100, deadline=None)
@given(edges=dags(), data=st.data())
def test_what_is_known_survives_another_plan(edges: Edges, data: st.DataObject) -> None:
    table = StageTable(make_plan(edges))
    for name in graph.order(edges):
        if data.draw(st.booleans()):
            table.attempts[name] += 1
            table.end(name, data.draw(st.sampled_from(FINAL)))
    known = dict(table.status), dict(table.attempts)
    counted = {name: (it.waiting, it.good, it.failed) for name, it in table.ends.items()}, table.open
    table.take(make_plan(edges))
    assert (table.status, table.attempts) == known
    assert (
        {name: (it.waiting, it.good, it.failed) for name, it in table.ends.items()},
        table.open,
    ) == counted


@settings(max_examples=100, deadline=None)
@given(edges=dags(), data=st.data())
def test_ready_stages_come_by_the_longest_chain_then_in_the_order_of_the_plan(
    edges: Edges, data: st.DataObject
) -> None:
    plan = make_plan(edges)
    table, order = StageTable(plan), [stage.id for stage in plan.stages]
    heights = graph.heights(edges, order)
    queue = ReadyQueue(table)
    for name in data.draw(st.permutations(order)):
        queue.push(name)
    kept = {name for name in order if data.draw(st.booleans())}
    queue.keep(kept)
    came = []
    while queue:
        came.append(queue.pop())
    assert came == sorted(kept, key=lambda name: (-heights[name], order.index(name)))


def test_a_stage_waits_for_every_instance_whose_scraps_it_needs() -> None:
    edges = {"a@1": (), "a@2": (), "b": (), "c": ("a@1", "a@2", "b"), "d": ("a@1", "b")}
    deferred = {"c": {"n": compile_value("${stages.a.scraps.rows}")}}
    when = {"d": compile_value("${stages.b.scraps.rows > 1}")}
    plan = make_plan(edges, deferred=deferred, when=when)
    table = StageTable(plan)
    seen = []
    for name in ("b", "a@2", "a@1"):
        seen.append([table.lacks_scraps(plan.stage(stage)) for stage in ("c", "d")])
        table.end(name, Status.COMPLETED)
    seen.append([table.lacks_scraps(plan.stage(stage)) for stage in ("c", "d")])
    assert seen == [[True, True], [True, False], [True, False], [False, False]]


def test_the_culprit_is_the_failure_at_the_beginning_of_what_is_blocked() -> None:
    plan = make_plan({"good": (), "bad": (), "mid": ("good", "bad"), "last": ("mid",), "free": ("good",)})
    table = StageTable(plan)
    table.end("good", Status.COMPLETED)
    table.end("bad", Status.FAILED)
    assert table.culprit(plan.stage("mid")) == "bad"
    table.culprits["mid"] = "bad"
    table.end("mid", Status.BLOCKED)
    assert (table.culprit(plan.stage("last")), table.culprit(plan.stage("free"))) == ("bad", "")


def test_a_skipped_stage_tells_why_by_its_trigger() -> None:
    edges = {"out": (), "a": ("out",), "b": ("out",), "c": ("out",)}
    plan = make_plan(edges, trigger={"b": "one_failed"}, loosely={"c": ("out",)})
    table = StageTable(plan)
    table.absent.add("out")
    table.end("out", Status.SKIPPED)
    assert table.why_skipped(plan.stage("a")) == "needs out, which was skipped"
    assert table.why_skipped(plan.stage("b")) == "nothing before it failed"
    assert "out" not in table.why_skipped(plan.stage("c")), "an order without data needs nothing of it"


def test_what_was_left_out_or_not_selected_is_out_at_once() -> None:
    plan = make_plan({"a": (), "b": (), "c": ()}, absent={"a": True}, selected={"b": False})
    table = StageTable(plan)
    assert [table.is_out(name) for name in ("a", "b", "c")] == [True, True, False]

"""What becomes of a stage once its turn has come."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from fakes import FakeClock, FakeEngine
from stagebook.events import AttemptEnded, AttemptStarted, Cause, Event, StageEnded, StageExpanded, Status
from stagebook.execution import attempt as attempts
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.decider import Decider, Execute, Expand, Fail, Reuse, Skip
from stagebook.execution.runner.runner import Runner
from stagebook.pipeline.expressions import compile_value
from stagebook.pipeline.loader import load_pipeline
from stagebook.planning.plan import Decision, Judgement, Plan, PlannedInput, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.result import Made, Result
from stagebook.planning.select import Selection
from stagebook.workspace.workspace import Workspace

PENDING = Status.PENDING


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", params="n = 0\nsrc = None\nout = ''")
    return builder


def planner_of(project: ProjectBuilder, text: str, selection: Selection | None = None) -> Planner:
    loaded = load_pipeline(textwrap.dedent(text), "pipelines/p.yaml")
    assert loaded.problems == ()
    return Planner(loaded.pipeline, {}, Workspace(project.root), selection=selection)


def decider_of(plan: Plan, planner: Any = None) -> Decider:
    return Decider(plan, planner, run="20260101-000000-r", clock=FakeClock())


def pending(plan: Plan, **statuses: Status) -> dict[str, Status]:
    return {stage.id: statuses.get(stage.id, PENDING) for stage in plan.stages}


# -- growing --------------------------------------------------------------------------------------

TWO_LISTS = """
stages:
  list: {notebook: notebooks/a.ipynb}
  good: {notebook: notebooks/a.ipynb, foreach: "${stages.list.scraps.items}", outputs: {out: "data/${item}"}}
  bad: {notebook: notebooks/a.ipynb, foreach: "${stages.list.scraps.others}", outputs: {out: "other/${item}"}}
  end: {notebook: notebooks/a.ipynb, inputs: {src: good.out}}
"""


def grown(project: ProjectBuilder, name: str, scraps: Mapping[str, Any], **statuses: Status) -> Any:
    planner = planner_of(project, TWO_LISTS)
    plan = planner.plan()
    decider = decider_of(plan, planner)
    decider.scraps["list"] = scraps
    return decider.decide(plan.stage(name), pending(plan, **statuses))


def names(answer: Any) -> list[str]:
    assert isinstance(answer, Expand)
    return [stage.id for stage in answer.plan.stages]


def test_all_whose_lists_are_known_grow_together(project: ProjectBuilder) -> None:
    answer = grown(project, "good", {"items": ["x", "y"], "others": ["z"]})
    assert sorted(names(answer)) == ["bad@z", "end", "good@x", "good@y", "list"]
    assert answer.plan.stage("end").inputs["src"].value == ["data/x", "data/y"]


def test_what_has_ended_stays_as_it_is(project: ProjectBuilder) -> None:
    answer = grown(project, "good", {"items": ["x"], "others": ["z"]}, bad=Status.BLOCKED)
    assert sorted(names(answer)) == ["bad", "end", "good@x", "list"]


def test_a_mistake_in_one_list_fails_the_stage_that_goes_over_it(project: ProjectBuilder) -> None:
    scraps = {"items": ["x"], "others": "no list"}
    assert sorted(names(grown(project, "good", scraps))) == ["bad", "end", "good@x", "list"]
    answer = grown(project, "bad", scraps)
    assert answer == Fail(
        Cause.PARAMS, "pipelines/p.yaml:5:38: 'foreach' has to be a list, not 'no list' (str)"
    )


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (["x/y", "x y"], "two items are called 'bad@x-y'"),
        (["../../x"], "is '../../x' (str), which leads to another folder"),
        ([["x"]], "'${item}' is ['x'] (list), which cannot stand inside a text"),
        (None, "'foreach' has to be a list, not None"),
    ],
)
def test_what_only_the_list_shows_fails_with_its_place(
    project: ProjectBuilder, others: Any, message: str
) -> None:
    answer = grown(project, "bad", {"items": [], "others": others})
    assert isinstance(answer, Fail)
    assert answer.message.startswith("pipelines/p.yaml:5:")
    assert message in answer.message


def test_a_scrap_that_is_not_there_is_named(project: ProjectBuilder) -> None:
    answer = grown(project, "good", {"rows": 1})
    assert isinstance(answer, Fail)
    assert "unknown name 'items' under 'stages.list.scraps'" in answer.message


def test_an_empty_list_and_none_at_all_leave_the_stage_out(project: ProjectBuilder) -> None:
    assert grown(project, "good", {"items": [], "others": []}) == Skip("the list of its foreach is empty")
    text = TWO_LISTS.replace('scraps.others}"', 'scraps.others}", trigger: all_done')
    planner = planner_of(project, text)
    plan = planner.plan()
    answer = decider_of(plan, planner).decide(plan.stage("bad"), pending(plan, list=Status.FAILED))
    assert answer == Skip("there is no list for its foreach, since list left none")


# -- values ---------------------------------------------------------------------------------------


def test_the_stages_that_failed_are_known_to_those_that_ask(project: ProjectBuilder) -> None:
    params = {"deferred": {"n": compile_value("${run.failed}")}}
    stages = tuple(PlannedStage(id=name, stage=name, notebook="n.ipynb") for name in "abc")
    alert = PlannedStage(id="d", stage="d", notebook="n.ipynb", trigger="one_failed", **params)
    plan = Plan(pipeline="p", path="p.yaml", stages=(*stages, alert))
    answer = decider_of(plan).decide(alert, pending(plan, c=Status.FAILED, a=Status.FAILED))
    assert answer == Execute({"n": ["a", "c"]})


def test_inputs_are_without_what_nobody_made() -> None:
    inputs = {
        "one": PlannedInput(paths=("data/a",), many=False, sources=("a",)),
        "all": PlannedInput(paths=("raw", "data/a", "data/b"), many=True, sources=("", "a", "b")),
        "open": PlannedInput(paths=("raw",), many=True, sources=("", "each")),
    }
    stages = [PlannedStage(id=name, stage=name, notebook="n.ipynb") for name in ("a", "b", "each")]
    last = PlannedStage(id="d", stage="d", notebook="n.ipynb", trigger="all_done", inputs=inputs)
    decider = decider_of(Plan(pipeline="p", path="p.yaml", stages=(*stages, last)))
    decider.completed(stages[1], {}, {}, 1)
    assert decider.inputs(last, None) == {"one": None, "all": ["raw", "data/b"], "open": ["raw"]}


def test_inputs_of_what_is_not_selected_are_as_they_lie_there() -> None:
    left_out = PlannedStage(id="a", stage="a", notebook="n.ipynb", selected=False)
    source = {"src": PlannedInput(paths=("data/a",), many=False, sources=("a",))}
    last = PlannedStage(id="d", stage="d", notebook="n.ipynb", inputs=source)
    decider = decider_of(Plan(pipeline="p", path="p.yaml", stages=(left_out, last)))
    assert decider.inputs(last, None) == {"src": "data/a"}


# -- results that decided what stages there are ---------------------------------------------------


class FixedPolicy:
    """A reuse policy with one answer, and its own fingerprints."""

    def __init__(self, found: Judgement) -> None:
        self.found = found
        self.fingerprints = self

    def decide(self, *_: Any) -> Judgement:
        return self.found

    def forget(self) -> None:
        """Look at the disk anew."""

    def from_disk(self, *_: Any) -> Made:
        return Made()


class FixedPlanner:
    def __init__(self, found: Judgement) -> None:
        self.policy = FixedPolicy(found)
        self.scraps: Mapping[str, Any] = {}

    def grow(self, scraps: Mapping[str, Any], held: set[str]) -> Plan:
        self.scraps = scraps
        return Plan(pipeline="p", path="p.yaml")


def reuse(number: int) -> Judgement:
    scraps = {"items": {"value": ["x"]}}
    result = Result(
        number=number, pipeline="p", stage="list", run="q", attempt=1, at=0.0, fingerprint="", scraps=scraps
    )
    return Judgement(decision=Decision.REUSE, reasons=("nothing changed",), result=result)


def relying(found: Judgement) -> tuple[Decider, PlannedStage, FixedPlanner]:
    """A decider with a plan that relies on result 1 of `list`, and a policy that decides `found`."""
    stage = PlannedStage(id="list", stage="list", notebook="n.ipynb", judgement=reuse(1))
    planner = FixedPlanner(found)
    plan = Plan(pipeline="p", path="p.yaml", stages=(stage,), relied=frozenset({"list"}))
    return decider_of(plan, planner), stage, planner


def test_a_result_that_decided_what_stages_there_are_is_taken_or_nothing_is() -> None:
    decider, stage, _ = relying(reuse(1))
    assert isinstance(decider.decide(stage, {"list": PENDING}), Reuse)
    for found in (reuse(2), Judgement(decision=Decision.RUN, reasons=("cell 1 changed",))):
        decider, stage, _ = relying(found)
        answer = decider.decide(stage, {"list": PENDING})
        assert isinstance(answer, Fail)
        assert "cannot be taken any more: run it again" in answer.message


def test_what_was_decided_by_a_result_stays_so_while_its_stage_is_still_to_come() -> None:
    decider, stage, planner = relying(reuse(1))
    other = dataclasses.replace(
        stage, id="b", stage="b", foreach=compile_value("${stages.list.scraps.items}")
    )
    decider.decide(other, {"list": PENDING, "b": PENDING})
    assert planner.scraps == {"list": {"items": ["x"]}}
    assert "list" not in decider.scraps, "nobody took it yet"


# -- in a run -------------------------------------------------------------------------------------


def run(
    project: ProjectBuilder, text: str, script: Any, selection: Selection | None = None, **more: Any
) -> tuple[list[Event], FakeEngine]:
    planner = planner_of(project, text, selection)
    plan = planner.plan()
    clock, events = FakeClock(), []
    engine = FakeEngine(clock, script)
    options = more.pop("options", RunOptions(run_id="r", jobs=2, keep_going=True))
    context = RunContext(
        root=project.root, folder=project.root / ".stagebook/runs/r", clock=clock,
        emit=events.extend, executable=Path, planner=planner, **more,
    )  # fmt: skip
    Runner(plan, engine, options, context).run()
    return events, engine


def glue(**scraps: Any) -> Any:
    """A script of a run in which each stage leaves its scraps."""

    def script(attempt: attempts.Attempt) -> tuple[float, attempts.AttemptResult]:
        found = {key: {"value": value} for key, value in scraps.get(attempt.stage, {}).items()}
        return 1.0, attempts.AttemptResult(scraps=found)

    return script


def test_a_run_expands_a_stage_and_gives_each_item_its_attempt(project: ProjectBuilder) -> None:
    text = """
    stages:
      list: {notebook: notebooks/a.ipynb}
      fetch:
        notebook: notebooks/a.ipynb
        foreach: ${stages.list.scraps.items}
        params: {n: "${item.n * 2}"}
        outputs: {out: {path: "x://${item.name}", kind: external}}
      end: {notebook: notebooks/a.ipynb, inputs: {src: fetch.out}, trigger: none_failed}
    """
    items = [{"name": "x", "n": 1}, {"name": "y", "n": 2}]
    events, engine = run(project, text, glue(list={"items": items}))
    (expanded,) = [event for event in events if isinstance(event, StageExpanded)]
    assert expanded.gone == ["fetch"]
    assert [item["id"] for item in expanded.stages] == ["fetch@name-x-n-1", "fetch@name-y-n-2"]
    assert [item["upstream"] for item in expanded.changed] == [["fetch@name-x-n-1", "fetch@name-y-n-2"]]
    assert [dict(one.params) for one in engine.started[1:3]] == [{"n": 2}, {"n": 4}]
    assert engine.started[3].inputs == {"src": ["x://x", "x://y"]}
    events, engine = run(project, text, glue(list={"items": []}))
    assert engine.started[-1].inputs == {"src": []}
    ends = {event.stage: (event.status, event.reason) for event in events if isinstance(event, StageEnded)}
    assert ends["fetch"] == (Status.SKIPPED, "the list of its foreach is empty")


SELECTED = """
stages:
  pre: {notebook: notebooks/a.ipynb}
  raw: {notebook: notebooks/a.ipynb, matrix: {m: [x, y]}, after: pre, outputs: {out: {path: "x://${matrix.m}", kind: external}}}
  list: {notebook: notebooks/a.ipynb}
  fetch: {notebook: notebooks/a.ipynb, foreach: "${stages.list.scraps.items}", inputs: {src: "raw@${item}.out"}}
  end: {notebook: notebooks/a.ipynb, after: fetch}
"""


@pytest.mark.parametrize(
    ("selection", "completed"),
    [
        (Selection(targets=("fetch@x",)), {"pre", "raw@x", "raw@y", "list", "fetch@x"}),
        (Selection(targets=("end",), skip=("fetch@x",)), {"pre", "raw@x", "raw@y", "list", "fetch@y", "end"}),
        (Selection(skip=("fetch",)), {"pre", "raw@x", "raw@y", "list", "end"}),
        (Selection(only=("fetch@y", "list", "raw")), {"raw@x", "raw@y", "list", "fetch@y"}),
        (Selection(targets=("fetch@*",)), {"pre", "raw@x", "raw@y", "list", "fetch@x", "fetch@y"}),
    ],
)
def test_instances_that_are_to_come_may_be_selected(
    project: ProjectBuilder, selection: Selection, completed: set[str]
) -> None:
    events, _ = run(project, SELECTED, glue(list={"items": ["x", "y"]}), selection)
    ends = {event.stage: event for event in events if isinstance(event, StageEnded)}
    assert {name for name, event in ends.items() if event.status is Status.COMPLETED} == completed
    left_out = {event.reason for name, event in ends.items() if name not in completed}
    assert left_out <= {"not selected"}


def test_an_instance_that_is_asked_for_and_does_not_come_is_a_failure(project: ProjectBuilder) -> None:
    selection = Selection(targets=("fetch@z",))
    events, _ = run(project, SELECTED, glue(list={"items": ["x", "y"]}), selection)
    ended = next(event for event in events if isinstance(event, AttemptEnded) and event.stage == "fetch")
    assert (ended.cause, ended.message) == (Cause.PARAMS, "no stage 'fetch@z'")


def test_what_cannot_be_said_fails_in_an_attempt_and_is_not_tried_again(project: ProjectBuilder) -> None:
    text = """
    stages:
      a: {notebook: notebooks/a.ipynb}
      b: {notebook: notebooks/a.ipynb, retries: 2, when: "${stages.a.scraps.rows > 1}"}
    """
    events, engine = run(project, text, glue(a={"rows": "many"}))
    assert len(engine.started) == 1
    started = [event for event in events if isinstance(event, AttemptStarted) and event.stage == "b"]
    assert len(started) == 1
    ended = next(event for event in events if isinstance(event, AttemptEnded) and event.stage == "b")
    assert ended.cause is Cause.PARAMS
    assert ended.message.startswith("when: ")


def test_what_cannot_be_said_and_may_be_said_later_is_tried_again(tmp_path: Path) -> None:
    stage = PlannedStage(id="a", stage="a", notebook="n.ipynb", retries=2)
    planner = FixedPlanner(Judgement(decision=Decision.SKIP, reasons=("frozen, and 'x' is not there",)))
    clock, events = FakeClock(), []
    context = RunContext(
        root=tmp_path, folder=tmp_path / "r", clock=clock, emit=events.extend, executable=Path,
        planner=planner,
    )  # fmt: skip
    plan = Plan(pipeline="p", path="p.yaml", stages=(stage,))
    runner = Runner(plan, FakeEngine(clock), RunOptions(run_id="r"), context)
    assert runner.run() is Status.FAILED
    ended = [event for event in events if isinstance(event, AttemptEnded)]
    assert [event.attempt for event in ended] == [1, 2, 3]
    assert {event.message for event in ended} == {"frozen, and 'x' is not there"}

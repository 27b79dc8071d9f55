"""The runner on the fake engine: what it tells, what it publishes, what it waits for."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import ProjectBuilder
from effort import at_most
from fakes import FakeClock, FakeEngine, Script, succeed
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    RunCancelling,
    RunEnded,
    StageEnded,
    StageRetrying,
    Status,
)
from stagebook.execution.attempt import Attempt, AttemptResult
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.runner import Runner
from stagebook.journal.history import RunHistory
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.model import Trigger
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.workspace.workspace import Workspace


class Run:
    """One run on the fake engine, and what it told."""

    def __init__(self, plan: Plan, root: Path, script: Script = succeed, **more: Any) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, script, writes=bool(more.pop("writes", False)))
        self.events: list[Event] = []
        jobs, keep_going = more.pop("jobs", 2), more.pop("keep_going", False)
        context = RunContext(
            root=root,
            folder=root / ".stagebook/runs/r",
            clock=self.clock,
            emit=self.events.extend,
            executable=more.pop("executable", lambda name: root / name),
            **more,
        )
        options = RunOptions(run_id="r", jobs=jobs, keep_going=keep_going)
        self.runner = Runner(plan, self.engine, options, context)

    def of(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def statuses(self) -> dict[str, Status]:
        return {event.stage: event.status for event in self.of(StageEnded)}


def plan_of(**edges: tuple[str, ...]) -> Plan:
    stages = tuple(PlannedStage(id=n, stage=n, notebook=f"{n}.ipynb", upstream=e) for n, e in edges.items())
    return Plan(pipeline="p", path="p.yaml", stages=stages)


def failing(*bad: str, times: int = 99, cause: Cause = Cause.EXCEPTION) -> Script:
    def script(attempt: Attempt) -> tuple[float, AttemptResult]:
        if attempt.stage in bad and attempt.number <= times:
            return 1.0, AttemptResult(cause=cause, message="broke", seconds=1.0)
        return 1.0, AttemptResult(seconds=1.0)

    return script


def test_a_run_tells_its_course_in_order(tmp_path: Path) -> None:
    run = Run(plan_of(a=(), b=("a",)), tmp_path)
    assert run.runner.run() is Status.COMPLETED
    kinds = [type(event).__name__ for event in run.events]
    one = ["AttemptStarted", "CellStarted", "AttemptEnded", "StageEnded"]
    assert kinds == [*one, *one, "RunEnded"]
    assert run.engine.closed


def test_no_more_than_jobs_run_at_a_time(tmp_path: Path) -> None:
    run = Run(plan_of(**{f"s{at}": () for at in range(9)}), tmp_path, jobs=3)
    run.runner.run()
    assert run.engine.most_at_once == 3
    assert run.clock.now - 1_000_000_000 == 3


def test_a_retry_waits_by_the_clock(tmp_path: Path) -> None:
    stage = PlannedStage(id="a", stage="a", notebook="a.ipynb", retries=2, retry_delay=30.0)
    run = Run(Plan(pipeline="p", path="p", stages=(stage,)), tmp_path, failing("a", times=2))
    assert run.runner.run() is Status.COMPLETED
    assert [event.at for event in run.of(AttemptStarted)] == [1e9, 1e9 + 31, 1e9 + 92]
    assert [(event.attempt, event.delay) for event in run.of(StageRetrying)] == [(2, 30.0), (3, 60.0)]


@pytest.mark.parametrize("cause", [Cause.PARAMS, Cause.NOTEBOOK])
def test_what_cannot_be_helped_is_tried_once(tmp_path: Path, cause: Cause) -> None:
    stage = PlannedStage(id="a", stage="a", notebook="a.ipynb", retries=5)
    plan = Plan(pipeline="p", path="p", stages=(stage,))
    run = Run(plan, tmp_path, failing("a", cause=cause))
    assert run.runner.run() is Status.FAILED
    assert len(run.of(AttemptStarted)) == 1


def test_a_stop_in_the_middle_ends_everything_once(tmp_path: Path) -> None:
    run = Run(plan_of(a=(), b=(), c=("a", "b")), tmp_path, lambda _: (600.0, AttemptResult()))
    run.engine.on_wait = lambda: run.runner.cancel("Ctrl-C") if run.engine.started else None
    assert run.runner.run() is Status.CANCELLED
    assert run.statuses == dict.fromkeys("abc", Status.CANCELLED)
    assert len(run.of(RunCancelling)) == len(run.of(RunEnded)) == 1
    assert run.of(RunEnded)[0].reason == "Ctrl-C"


def test_a_second_stop_is_by_force(tmp_path: Path) -> None:
    run = Run(plan_of(a=()), tmp_path, lambda _: (600.0, AttemptResult()))
    run.runner.cancel("first")
    run.runner.cancel("second")
    assert run.runner.run() is Status.CANCELLED
    assert run.engine.started == [], "a run that was stopped before it began starts nothing"


def test_an_attempt_waits_for_what_it_needs(tmp_path: Path) -> None:
    asked: list[str] = []

    def prepare(stage: PlannedStage, _attempt: int) -> Mapping[str, str] | None:
        asked.append(stage.id)
        return {"MLFLOW_RUN_ID": "x"} if asked.count(stage.id) > 3 else None

    run = Run(plan_of(a=()), tmp_path, prepare=prepare)
    assert run.runner.run() is Status.COMPLETED
    assert run.engine.started[0].env == {"MLFLOW_RUN_ID": "x"}


def test_an_attempt_that_waits_can_be_stopped(tmp_path: Path) -> None:
    run = Run(plan_of(a=()), tmp_path, prepare=lambda *_: None)
    run.engine.on_wait = lambda: run.runner.cancel("Ctrl-C")
    assert run.runner.run() is Status.CANCELLED
    assert run.engine.started == []
    assert run.of(AttemptEnded)[0].cause is Cause.CANCELLED


def test_a_notebook_that_went_away_since_the_plan_fails_its_stage(tmp_path: Path) -> None:
    def executable(_notebook: str) -> Path:
        msg = "cannot be read: No such file or directory"
        raise NotebookUnreadable(msg)

    run = Run(plan_of(a=()), tmp_path, executable=executable)
    assert run.runner.run() is Status.FAILED
    event = run.of(AttemptEnded)[0]
    assert (event.cause, event.message) == (
        Cause.NOTEBOOK,
        "'a.ipynb' cannot be read: No such file or directory",
    )


def test_values_known_only_now_are_computed_typed_and_refused(builder: ProjectBuilder) -> None:
    builder.notebook("a", "x")
    builder.notebook("b", "x", params="n: int = 0\nwho = ''\nall = []")
    builder.pipeline("""
        stages:
          a: {notebook: notebooks/a.ipynb, matrix: {m: [1, 2]}}
          b:
            notebook: notebooks/b.ipynb
            params:
              n: "${len(stages.a.scraps.rows)}"
              who: "${run.pipeline}/${run.id} of ${env.STAGEBOOK_TEST_USER}"
              all: "${stages.a.scraps.rows}"
    """)

    def plan(monkey: pytest.MonkeyPatch) -> Plan:
        monkey.setenv("STAGEBOOK_TEST_USER", "me")
        return builder.plan()

    def glue(scraps: Callable[[str], dict[str, Any]]) -> Script:
        return lambda attempt: (1.0, AttemptResult(scraps=scraps(attempt.stage)))

    with pytest.MonkeyPatch.context() as monkey:
        made = plan(monkey)
    run = Run(made, builder.root, glue(lambda stage: {"rows": {"kind": "json", "value": stage}}))
    assert run.runner.run() is Status.COMPLETED
    assert dict(run.engine.started[-1].params) == {"n": 2, "who": "p/r of me", "all": ["a@1", "a@2"]}
    # A point without the scrap: no list with a gap, but an error that names it.
    run = Run(made, builder.root, glue(lambda stage: {"rows": {"value": 1}} if stage == "a@1" else {}))
    assert run.runner.run() is Status.FAILED
    event = run.of(AttemptEnded)[-1]
    assert event.cause is Cause.PARAMS
    assert "unknown name 'rows'" in event.message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(1, 10), jobs=st.integers(1, 3), keep_going=st.booleans())
def test_any_run_of_any_graph_ends_and_its_events_fold_to_its_statuses(
    tmp_path: Path, data: st.DataObject, count: int, jobs: int, keep_going: bool
) -> None:
    names = [f"s{at}" for at in range(count)]
    edges = {
        name: tuple(data.draw(st.sets(st.sampled_from(names[:at]), max_size=3))) if at else ()
        for at, name in enumerate(names)
    }
    bad = data.draw(st.sets(st.sampled_from(names)))
    stop_after = data.draw(st.none() | st.integers(0, 2 * count))
    run = Run(plan_of(**edges), tmp_path, failing(*bad), jobs=jobs, keep_going=keep_going)
    waits = [0]

    def on_wait() -> None:
        waits[0] += 1
        if waits[0] == stop_after:
            run.runner.cancel("stopped")

    run.engine.on_wait = on_wait
    status = run.runner.run()
    assert len(run.of(RunEnded)) == 1
    assert run.events[-1] == run.of(RunEnded)[0]
    assert set(run.statuses) == set(names)
    assert len(run.of(StageEnded)) == count, "a stage ended twice"
    ended: set[str] = set()
    for event in run.events:
        if isinstance(event, AttemptStarted):
            assert all(
                run.statuses[need] is Status.COMPLETED and need in ended for need in edges[event.stage]
            )
        if isinstance(event, StageEnded):
            ended.add(event.stage)
    history = RunHistory(run.events)
    assert history.status is status
    assert {name: stage.status for name, stage in history.stages.items()} == run.statuses
    if stop_after is None and keep_going:
        reached: dict[str, bool] = {}
        for name in names:
            reached[name] = name not in bad and all(reached[need] for need in edges[name])
        assert {name for name, good in run.statuses.items() if good is Status.COMPLETED} == {
            name for name, good in reached.items() if good
        }


STAGES = 4_000
UNITS = STAGES // 20  # half a millisecond a stage


@pytest.mark.parametrize("how", ["plain", "failing", "failing fast", "with triggers"])
def test_scheduling_takes_little_time(tmp_path: Path, how: str) -> None:
    rng = random.Random(7)
    triggers = get_args(Trigger) if how == "with triggers" else ("all_success",)
    stages = [
        PlannedStage(
            id=f"s{at}",
            stage=f"s{at}",
            notebook="n.ipynb",
            upstream=tuple(sorted({f"s{rng.randrange(max(0, at - 200), at)}" for _ in range(at and 3)})),
            trigger=rng.choice(triggers),
        )
        for at in range(STAGES)
    ]
    bad = () if how == "plain" else tuple(f"s{at}" for at in range(1, STAGES, 5))
    plan = Plan(pipeline="p", path="p.yaml", stages=tuple(stages))
    run = Run(plan, tmp_path, failing(*set(bad)), jobs=8, keep_going=how != "failing fast")
    with at_most(UNITS):
        run.runner.run()
    assert len(run.statuses) == STAGES


def test_growing_takes_little_time(builder: ProjectBuilder) -> None:
    builder.notebook("a", params="src = None\nout = ''\nn = 0")
    path = "{path: 'x://%s/${item}', kind: external}"
    text = f"""
    stages:
      list: {{notebook: notebooks/a.ipynb}}
      one: {{notebook: notebooks/a.ipynb, foreach: "${{stages.list.scraps.items}}", outputs: {{out: {path % 1}}}}}
      two: {{notebook: notebooks/a.ipynb, foreach: "${{stages.list.scraps.items}}", inputs: {{src: "one@${{item}}.out"}}, outputs: {{out: {path % 2}}}}}
      end: {{notebook: notebooks/a.ipynb, inputs: {{src: two.out}}, params: {{n: "${{len(stages.one.scraps.n)}}"}}}}
    """
    loaded = load_pipeline(textwrap.dedent(text), "pipelines/p.yaml")
    planner = Planner(loaded.pipeline, {}, Workspace(builder.root))
    scraps = {"items": {"value": list(range(STAGES // 2))}, "n": {"value": 1}}
    script = lambda _attempt: (1.0, AttemptResult(scraps=scraps))  # noqa: E731 - it is short
    run = Run(planner.plan(), builder.root, script, jobs=8, planner=planner)
    with at_most(UNITS):
        assert run.runner.run() is Status.COMPLETED
    assert len(run.statuses) == STAGES + 2

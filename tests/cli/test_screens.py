"""Whole screens: the rendering of a run on the fake engine, with frozen clock, ids and width."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from building import ProjectBuilder
from fakes import FakeClock, FakeEngine
from golden import Golden
from stagebook.events import Cause, Event, Status
from stagebook.execution.attempt import Attempt, AttemptResult
from stagebook.journal.history import RunHistory
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs.run import RunReport
from stagebook.views import log_lines, tables

NOW = 1_000_000_000.0  # 2001-09-09 01:46:40 UTC


def screen(*shown: RenderableType, width: int = 100) -> str:
    """What a person sees, without trailing spaces."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False)
    for item in shown:
        console.print(item, soft_wrap=isinstance(item, str))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def script(attempt: Attempt) -> tuple[float, AttemptResult]:
    if attempt.stage == "train" and attempt.number == 1:
        message = "ValueError: Input contains NaN"
        trace = "\x1b[31m---\x1b[0m\nValueError\x1b]0;evil\x07: Input contains NaN"
        return 12.0, AttemptResult(
            cause=Cause.EXCEPTION, message=message, cell=3, cells=8, traceback=trace, seconds=12.0
        )
    scraps = {"rows": {"kind": "json", "value": 1234567}, "auc": {"kind": "json", "value": 0.70123}}
    return 75.0, AttemptResult(seconds=75.0, cells=4, scraps=scraps)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def project(builder: ProjectBuilder, clock: FakeClock) -> Project:
    builder.without_tracking()
    builder.notebook("load", "x", params='month = 1\nout = "x"')
    builder.notebook("train", "x", params='months = []\ndepth = 2\nmodel = "m"')
    builder.pipeline("""
        description: Small.
        params: {months: [1, 2], depth: 4}
        stages:
          load:
            notebook: notebooks/load.ipynb
            matrix: {month: "${params.months}"}
            params: {month: "${matrix.month}"}
            outputs: {out: "data/${matrix.month}.txt"}
          train:
            notebook: notebooks/train.ipynb
            params: {depth: "${params.depth}", months: "${stages.load.scraps.rows}"}
            outputs: {model: data/model.bin}
          report: {notebook: notebooks/load.ipynb, after: [train]}
    """)
    numbers = itertools.count(1)
    return Project(builder.root, clock=clock, make_id=lambda _at: f"run-{next(numbers)}")


def run(
    project: Project, clock: FakeClock, *, keep_going: bool = False, listeners: Sequence[object] = ()
) -> RunReport:
    engine = FakeEngine(clock, script, writes=True)
    return project.run("p", jobs=2, keep_going=keep_going, engine=engine, listeners=list(listeners))  # type: ignore[arg-type]


def test_a_plan_says_what_runs_and_why(project: Project, golden: Golden) -> None:
    plan = project.plan("p", pairs=["depth=8"])
    golden(screen(tables.plan_table(plan)))


def test_a_plan_of_a_selection_skips_the_others(project: Project, golden: Golden) -> None:
    plan = project.plan("p", selection=Selection(only=("load@2",)))
    golden(screen(tables.plan_table(plan)))


def test_progress_shows_what_each_stage_does(project: Project, clock: FakeClock, golden: Golden) -> None:
    seen: list[str] = []
    history = RunHistory()

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            history.take(event)
        if clock.now == NOW + 75 and not seen and history.stages["train"].status is Status.RUNNING:
            seen.append(screen(tables.progress_table(history, clock.now + 3)))

    run(project, clock, listeners=[listen])
    golden("\n".join(seen))


def test_a_failed_run_shows_what_failed_and_where_to_look(
    project: Project, clock: FakeClock, golden: Golden
) -> None:
    report = run(project, clock)
    stage = report.history.stages["train"]
    golden(
        screen(
            tables.progress_table(report.history, clock.now),
            tables.run_summary(report.history, clock.now),
            tables.failure(report.run, stage),
        )
    )


def test_a_run_is_told_line_by_line_where_there_is_no_terminal(
    project: Project, clock: FakeClock, golden: Golden
) -> None:
    report = run(project, clock)
    history = RunHistory()
    shown = []
    for _, event in project.journal.events.of(report.run):
        history.take(event)
        shown += log_lines.lines_of(event, history)
    golden("\n".join(shown))


def test_status_and_runs_say_how_each_ended_and_when(
    project: Project, clock: FakeClock, golden: Golden
) -> None:
    run(project, clock)
    clock.now += 600
    project.run(
        "p",
        selection=Selection(only=("load",)),
        jobs=1,
        engine=FakeEngine(clock, script, writes=True),
        force=True,
    )
    clock.now += 120
    planned = {stage.id: stage for stage in project.plan("p").stages}
    known = {
        name: project.history.latest_stages("p").get(name)
        for name in ("load@1", "load@2", "train", "report", "new")
    }
    status = tables.status_table(known, planned, clock.now)
    golden(screen(status, "", tables.runs_table(project.history.runs(), clock.now)))


def test_the_journal_and_what_a_listener_saw_agree(project: Project, clock: FakeClock) -> None:
    seen: list[Event] = []
    report = run(project, clock, listeners=[seen.extend])
    assert [event for _, event in project.journal.events.of(report.run)] == seen


def test_plan_and_run_agree(project: Project, clock: FakeClock) -> None:
    plan = project.plan("p", {"months": [1, 2, 3]}).to_json()
    engine = FakeEngine(
        clock, writes=True, script=lambda _: (1.0, AttemptResult(scraps={"rows": {"value": 1}}))
    )
    report = project.run("p", {"months": [1, 2, 3]}, engine=engine)
    assert report.history.started is not None
    assert dict(report.history.started.plan) == plan
    assert sorted(attempt.stage for attempt in engine.started) == sorted(
        stage["id"] for stage in plan["stages"] if stage["decision"] in {"RUN", "WAIT"}
    )
    for attempt in engine.started:
        planned = next(stage for stage in plan["stages"] if stage["id"] == attempt.stage)
        known = {k: v for k, v in planned["params"].items() if not isinstance(v, dict)}
        assert known.items() <= dict(attempt.params).items()
        assert {name: slot.path for name, slot in attempt.outputs.items()} == planned["outputs"]


def test_state_is_private(project: Project, clock: FakeClock) -> None:
    run(project, clock)
    state = Path(project.root) / ".stagebook"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "journal.db").stat().st_mode & 0o777 == 0o600

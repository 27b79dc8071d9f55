"""One bad record never holds up another one in MLflow, nor loses it; what is not taken is counted, and told."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from building import ProjectBuilder
from commands import environment, stagebook
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    Origin,
    RunEnded,
    RunStarted,
    StageEnded,
    Status,
)
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import MLFLOW, Journal
from stagebook.runs.run import RunReport
from stagebook.tracking.deliver import deliver as take_all
from stagebook.tracking.tracker import Tracker
from stagebook.views import tables
from tracked import client, tracked_runs

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("default")]


def journal_of(builder: ProjectBuilder) -> Journal:
    return builder.project.journal


def told(
    run: str, *between: Event, params: Any = None, status: Status = Status.COMPLETED, **fields: Any
) -> list[Event]:
    """The events of a run."""
    started = RunStarted(run=run, at=1e9, pipeline="p", plan={"params": params or {}}, **fields)
    return [started, *between, RunEnded(run=run, at=1e9 + 9, status=status)]


def attempt(run: str, stage: str = "a", *, params: Any = None, **fields: Any) -> list[Event]:
    """The events of an attempt."""
    ended: dict[str, Any] = {"seconds": 2.5, "cpu": 1.0, "memory": 3_000_000, **fields}
    status = Status.FAILED if fields.get("cause") else Status.COMPLETED
    return [
        AttemptStarted(run=run, at=1e9 + 1, stage=stage, attempt=1, folder="", params=params or {}),
        AttemptEnded(run=run, at=1e9 + 4, stage=stage, attempt=1, **ended),
        StageEnded(run=run, at=1e9 + 4, stage=stage, status=status),
    ]


@pytest.fixture
def project(builder: ProjectBuilder, empty_store: Path) -> ProjectBuilder:
    """A project with a store."""
    shutil.copy(empty_store, builder.root / "mlflow.db")
    builder.file("pipelines/none.yaml", "")
    return builder


def deliver(builder: ProjectBuilder, *events: Event) -> Journal:
    """Deliver these events, all of them."""
    journal = journal_of(builder)
    journal.append(events)
    tracker = Tracker(journal, f"sqlite:///{builder.root}/mlflow.db", builder.root)
    assert take_all(journal, tracker, None) == 0
    assert journal.outbox.count_pending(MLFLOW) == 0
    return journal


def by_name(builder: ProjectBuilder) -> dict[str, Run]:
    return {run.info.run_name: run for run in tracked_runs(builder.root)}


def scraps(**values: Any) -> dict[str, Any]:
    return {name: {"kind": "json", "value": value} for name, value in values.items()}


def test_numbers_too_large_for_a_metric_are_tags(project: ProjectBuilder) -> None:
    """mlflow-poison-bigint"""
    found = {
        **scraps(big=10**400, huge=2**63, good=2.0, flag=True, nan=float("nan")),
        "odd": "no scrap",
        "none": None,
    }
    journal = deliver(
        project,
        *told("r1", *attempt("r1", scraps=found, memory=10**400, seconds=10**500), params={"n": 10**400}),
        *told("r2", *attempt("r2", "b")),
    )
    runs = by_name(project)
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ["r1", "a", "r2", "b"], "FINISHED"
    )
    assert runs["a"].data.tags["scrap.big"] == str(10**400)
    assert runs["a"].data.metrics["good"] == 2
    assert runs["a"].data.metrics["huge"] == float(2**63)
    assert runs["a"].data.metrics["cpu_seconds"] == 1
    assert journal.outbox.passed_over(MLFLOW) == []


SURROGATE = "caf\udce9\0"


def test_what_a_run_is_about_is_a_tag(project: ProjectBuilder) -> None:
    interval = {
        "start": "2026-01-05T00:00:00+00:00",
        "end": "2026-01-06T00:00:00+00:00",
        "name": "2026-01-05",
    }
    deliver(project, *told("r1", interval=interval, schedule="daily"), *told("r2"))
    runs = by_name(project)
    tags = runs["r1"].data.tags
    assert (tags["stagebook.interval"], tags["stagebook.schedule"]) == ("2026-01-05", "daily")
    assert not {"stagebook.interval", "stagebook.schedule"} & runs["r2"].data.tags.keys()


def test_text_that_is_none_is_stored_all_the_same(project: ProjectBuilder) -> None:
    """mlflow-poison-surrogate"""
    params = {"p": SURROGATE, SURROGATE: 1}
    ended = {
        "scraps": scraps(**{"x": SURROGATE, SURROGATE: 1.0}),
        "cause": Cause.EXCEPTION,
        "message": SURROGATE,
    }
    origin = Origin(user=SURROGATE, command=SURROGATE, commit=SURROGATE)
    deliver(
        project,
        *told("r1", *attempt("r1", "a", params=params, **ended), params=params, origin=origin),
        *told("r2", *attempt("r2", "b")),
    )
    runs = by_name(project)
    assert {name: run.info.status for name, run in runs.items()} == {
        "r1": "FINISHED", "a": "FAILED", "r2": "FINISHED", "b": "FINISHED",
    }  # fmt: skip
    failed = runs["a"]
    assert failed.data.tags["stagebook.message"] == "caf\\udce9\\x00"
    assert failed.data.tags["scrap.x"] == "caf\\udce9\\x00"
    assert failed.data.params["p"] == "caf\\udce9\\x00"
    assert runs["r1"].data.tags["mlflow.user"] == "caf\\udce9\\x00"


@pytest.mark.parametrize(
    "name", ["train//loss", "./x", "loss/", "..", "/abs", "a/../b", "x" * 300, "ä:ö", "", "\n"]
)
def test_a_name_that_mlflow_refuses_costs_nothing(project: ProjectBuilder, name: str) -> None:
    """mlflow-refused-name-leaves-running"""
    params = {name: "x", "fine": 1}
    deliver(project, *told("r1", *attempt("r1", scraps=scraps(**{name: 1.0, "good": 2.0}), params=params)))
    run = by_name(project)["a"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["good"] == 2
    others = run.data.metrics.keys() - {"good", "seconds", "cpu_seconds", "peak_memory_mb"}
    assert [run.data.metrics[other] for other in others] == [1]
    assert sorted(run.data.params.values()) == ["1", "x"]


def test_names_that_become_alike_stay_two(project: ProjectBuilder) -> None:
    found = scraps(**{"train/loss": 1.0, "train//loss": 2.0, "./train/loss": 3.0})
    deliver(project, *told("r1", *attempt("r1", scraps=found)))
    metrics = by_name(project)["a"].data.metrics
    assert metrics["train/loss"] == 1
    assert sorted(value for name, value in metrics.items() if name.startswith("train")) == [1, 2, 3]


def test_more_than_a_call_takes_goes_in_several(project: ProjectBuilder) -> None:
    texts = {f"text{at}": "x" * 6000 for at in range(250)}
    numbers = {f"number{at}": float(at) for at in range(1500)}
    params = {f"p{at}": "y" * 7000 for at in range(150)}
    deliver(
        project, *told("r1", *attempt("r1", scraps=scraps(**texts, **numbers), params=params), params=params)
    )
    run = by_name(project)["a"]
    assert sum(name.startswith("number") for name in run.data.metrics) == 1500
    assert sum(name.startswith("scrap.text") for name in run.data.tags) == 250
    assert len(run.data.params) == 150
    assert run.info.status == "FINISHED"


def test_fields_of_a_wrong_type_cost_no_other(project: ProjectBuilder) -> None:
    journal = deliver(
        project,
        *told(
            "r1",
            *attempt(
                "r1", seconds="long", cpu=None, memory=[], scraps=["a"], message=7, cell="x", params=[1]
            ),
            params={"a": [[]]},
        ),
        *told("r2", *attempt("r2", "b", scraps=scraps(good=1.0))),
    )
    runs = by_name(project)
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ["r1", "a", "r2", "b"], "FINISHED"
    )
    assert runs["b"].data.metrics["good"] == 1
    assert journal.outbox.count_pending(MLFLOW) == 0


@pytest.mark.long
def test_a_damaged_event_is_passed_over_and_told(project: ProjectBuilder) -> None:
    journal = journal_of(project)
    journal.append([*told("r1", *attempt("r1")), *told("r2")])
    with contextlib.closing(sqlite3.connect(journal.path)) as database:
        database.execute("UPDATE events SET data = '{' WHERE type = 'AttemptEnded'")
        database.commit()
    done = stagebook(project.root, "sync")
    assert done.returncode == 0, done.stderr
    assert "MLflow does not take, so that it was passed over: r1" in done.stdout
    assert "every record" not in done.stdout
    assert by_name(project)["r2"].info.status == "FINISHED"
    assert "passed over" in stagebook(project.root, "doctor").stdout
    assert json.loads(stagebook(project.root, "sync", "--json").stdout)["passed_over"]


def test_a_run_that_somebody_deleted_in_mlflow_holds_up_no_other(project: ProjectBuilder) -> None:
    journal = journal_of(project)
    events = told("r1", *attempt("r1"))
    deliver(project, *events[:2])
    client(project.root).delete_run(by_name(project)["r1"].info.run_id)
    client(project.root).delete_run(by_name(project)["a"].info.run_id)
    journal.append([*events[2:], *told("r2", *attempt("r2", "b"))])
    assert project.project.sync() == 0
    runs = by_name(project)
    assert {name: run.info.status for name, run in runs.items()} == {"r2": "FINISHED", "b": "FINISHED"}
    over = journal.outbox.passed_over(MLFLOW)
    assert {run for run, _ in over} == {"r1"}
    assert any("deleted" in what for _, what in over)
    project.file("pipelines/p.yaml", "")
    shown = stagebook(project.root, "status", "p").stdout
    assert "MLflow does not take, so that it was passed over: r1" in shown


@pytest.mark.long
def test_a_database_that_is_removed_in_the_middle_gets_the_run_once_more(project: ProjectBuilder) -> None:
    events = told("r1", *attempt("r1", params={"n": 1}), *attempt("r1", "b"), params={"n": 2})
    journal = journal_of(project)
    journal.append(events[:4])
    assert project.project.sync() == 0
    (project.root / "mlflow.db").unlink()
    journal.append(events[4:])
    assert project.project.sync() == 0
    runs = by_name(project)
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ["r1", "a", "b"], "FINISHED"
    )
    assert runs["a"].data.params == {"n": "1"}
    assert runs["r1"].data.params == {"n": "2"}
    assert runs["r1"].data.metrics["a.seconds"] == 2.5
    assert {runs[name].data.tags["mlflow.parentRunId"] for name in ("a", "b")} == {runs["r1"].info.run_id}


@pytest.mark.kernel
@pytest.mark.long
def test_a_database_that_is_removed_while_a_run_goes_on_gets_the_run_once_more(
    builder: ProjectBuilder, empty_store: Path
) -> None:
    shutil.copy(empty_store, builder.root / "mlflow.db")
    told = """
    import pathlib, sqlite3, time
    def runs():
        try:
            return sqlite3.connect("mlflow.db").execute("SELECT count(*) FROM runs").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
    while runs() < 2:
        time.sleep(0.05)
    """
    builder.notebook("a", told, "for path in pathlib.Path().glob('mlflow.db*'):\n    path.unlink()")
    builder.notebook("b", "import scrapbook as sb\nsb.glue('n', 3)")
    builder.pipeline("""
        defaults: {executor: inprocess}
        stages:
          a: {notebook: notebooks/a.ipynb}
          b: {notebook: notebooks/b.ipynb, after: [a]}
    """)
    done = stagebook(builder.root, "run", timeout=240)
    assert done.returncode == 0, done.stderr
    assert "did not take" not in done.stdout
    runs = {run.data.tags.get("stagebook.stage") or "run": run for run in tracked_runs(builder.root)}
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ["run", "a", "b"], "FINISHED"
    )
    assert runs["b"].data.metrics["n"] == 3
    assert journal_of(builder).outbox.passed_over(MLFLOW) == []


def test_no_run_ends_before_it_began_though_the_clock_was_set_back(project: ProjectBuilder) -> None:
    """negative-durations"""
    events = [
        dataclasses.replace(event, at=event.at - 3600)
        if isinstance(event, AttemptEnded | StageEnded | RunEnded)
        else event
        for event in told("r1", *attempt("r1"))
    ]
    deliver(project, *events)
    infos = [run.info for run in by_name(project).values()]
    assert [info.end_time - info.start_time for info in infos] == [0, 0]
    history = RunHistory(events)
    assert history.stages["a"].seconds(1e9) == 0.0
    assert "in 0.0 s" in tables.run_summary(history, 1e9).plain


@pytest.mark.long
def test_the_reason_is_told_and_the_records_are_kept(project: ProjectBuilder) -> None:
    """mlflow-reason-not-told"""
    journal = deliver(project, *told("r1"))
    with contextlib.closing(sqlite3.connect(project.root / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        database.commit()
    journal.append(told("r2"))
    done = stagebook(project.root, "sync")
    assert done.returncode == 1
    assert (
        f"its database schema is out of date: mlflow db upgrade sqlite:///{project.root}/mlflow.db"
        in done.stdout
    )
    assert "out of date" in stagebook(project.root, "doctor").stdout
    project.file("stagebook.toml", "[tracking]\nuri = 'file:mlruns'\n")
    done = stagebook(project.root, "sync")
    assert done.returncode == 1
    assert "! MLflow did not take 2 records: " in done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.kernel
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
@pytest.mark.long
def test_runs_after_a_bad_one_are_recorded(builder: ProjectBuilder, executor: str) -> None:
    """mlflow-poison-bigint, mlflow-poison-surrogate, mlflow-refused-name-leaves-running: from the notebook on"""
    glue = "import scrapbook as sb\n"
    builder.notebook(
        "big", f"{glue}sb.glue('big', 10**400)\nsb.glue('train//loss', 1.0)\nsb.glue('good', 2.0)"
    )
    builder.notebook("text", f"{glue}sb.glue('x', 'caf\\udce9')", "raise ValueError('caf\\udce9')")
    builder.pipeline(f"""
        defaults: {{executor: {executor}}}
        stages:
          big: {{notebook: notebooks/big.ipynb}}
          text: {{notebook: notebooks/text.ipynb}}
    """)
    report = builder.project.run("p", keep_going=True)
    assert report.undelivered == 0
    assert report.tracking.passed_over == ()
    runs = by_name(builder)
    assert (runs["big"].info.status, runs["text"].info.status) == ("FINISHED", "FAILED")
    assert runs["big"].data.metrics["train/loss"] == 1
    assert runs["big"].data.metrics["good"] == 2
    assert runs["text"].data.tags["stagebook.message"].startswith("ValueError: caf")
    artifacts = {item.path for item in client(builder.root).list_artifacts(runs["text"].info.run_id)}
    assert {"notebook.ipynb", "notebook.html", "log.txt"} <= artifacts
    assert builder.executed(report.run, "text")["cells"], "the notebook can be read"


@pytest.mark.kernel
@pytest.mark.parametrize("how", ["moved", "copied"])
@pytest.mark.parametrize("name", ["p", "p 100%20 #x"])
@pytest.mark.long
def test_artifacts_stay_with_a_project_that_is_moved_or_copied(
    builder: ProjectBuilder, tmp_path: Path, how: str, name: str
) -> None:
    """mlflow-moved-project"""
    first, second = tmp_path / name, tmp_path / "second 5%"
    os.rename(builder.root, first)
    there = ProjectBuilder(first)
    there.notebook("a", "print(1)")
    there.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    assert run_once(there).undelivered == 0
    if how == "moved":
        first.rename(second)
    else:
        shutil.copytree(first, second)
        there.close()
        before = sorted(first.rglob("*"))
    moved = ProjectBuilder(second)
    report = run_once(moved)
    there.close()
    moved.close()
    if how == "moved":
        assert not first.exists()
    else:
        assert sorted(first.rglob("*")) == before
    runs = [run for run in tracked_runs(second) if run.info.run_name == "a"]
    assert len(runs) == 2
    for run in runs:
        assert {item.path for item in client(second).list_artifacts(run.info.run_id)} >= {
            "notebook.ipynb",
            "log.txt",
        }
    assert report.tracking.passed_over == ()
    assert len(list(second.glob("mlruns/*/*/artifacts/notebook.ipynb"))) == 2


def run_once(builder: ProjectBuilder) -> RunReport:
    report = builder.project.run("p", force=True)
    assert report.status is Status.COMPLETED
    return report


@pytest.mark.long
def test_what_runs_were_given_is_for_this_user_alone(builder: ProjectBuilder) -> None:
    builder.file("pipelines/none.yaml", "")
    before = os.umask(0o022)
    try:
        journal_of(builder).append(told("r1", *attempt("r1"), params={"token": "x"}))
        assert builder.project.sync() == 0
    finally:
        os.umask(before)
    modes = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in (builder.root / "mlflow.db", builder.root / "mlruns")
    }
    assert modes == {"mlflow.db": "0o600", "mlruns": "0o700"}
    assert environment()

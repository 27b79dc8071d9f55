"""Sweeps: shared work once, a table in MLflow, an early end, and refusals."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from commands import looked, stagebook, start
from stagebook.errors import UsageError
from stagebook.events import AttemptStarted, Status
from stagebook.runs.grid import SweepReport
from stagebook.runs.origin import user_name
from stagebook.runs.request import RunRequest
from stagebook.runs.sweep import SweepRest, resume_sweep, sweep
from tracked import client, tracked_runs
from waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]


def grid(builder: ProjectBuilder, *, tracking: bool = True) -> None:
    builder.notebook("data", "open(out, 'w').write('rows')", params="out = 'x'")
    builder.notebook(
        "train",
        "import scrapbook as sb",
        "assert depth != 99, 'too deep'",
        "open(model, 'w').write(str(depth))\nsb.glue('auc', 1 - abs(depth - 4) / 10)",
        params="depth: int = 1\nrows = ''\nmodel = 'm'",
    )
    builder.pipeline("""
        params: {depth: 2, note: plain}
        defaults: {executor: inprocess}
        stages:
          data: {notebook: notebooks/data.ipynb, outputs: {out: data/rows.txt}}
          train:
            notebook: notebooks/train.ipynb
            params: {depth: "${params.depth}"}
            inputs: {rows: data.out}
            outputs: {model: data/model.txt}
    """)
    if not tracking:
        builder.without_tracking()


@pytest.mark.long
def test_a_sweep_runs_shared_work_once_and_compares_in_mlflow(builder: ProjectBuilder) -> None:
    grid(builder)
    report = sweep(
        builder.project.preparer, builder.project.launcher, RunRequest(pipeline="p", pairs=["depth=[2,4,8]"])
    )
    assert report.status is Status.COMPLETED
    assert [point.metrics["train.auc"] for point in report.points] == [0.8, 1.0, 0.6]
    assert report.undelivered == 0
    executed = [
        event.stage
        for point in report.points
        for event in builder.events(point.run)
        if isinstance(event, AttemptStarted)
    ]
    assert executed == ["data", "train", "train", "train"]
    (parent,) = tracked_runs(builder.root, "tags.`stagebook.kind` = 'sweep'")
    points = tracked_runs(builder.root, f"tags.`stagebook.sweep` = '{report.run}'")
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {parent.info.run_id}
    table = {run.data.params["depth"]: run.data.metrics["train.auc"] for run in points}
    assert table == {"2": 0.8, "4": 1.0, "8": 0.6}
    # Each point's model is its own, although all were written to one place.
    api = client(builder.root)
    models = {}
    for run in tracked_runs(builder.root, "tags.`stagebook.stage` = 'train'"):
        file = api.download_artifacts(run.info.run_id, "outputs/model.txt")
        models[run.data.params["depth"]] = Path(file).read_text()
    assert models == {"2": "2", "4": "4", "8": "8"}
    # Any point is back at once.
    again = builder.project.run("p", {"depth": 4})
    assert ran(again) == []
    assert (builder.root / "data/model.txt").read_text() == "4"


@pytest.mark.long
def test_a_sweep_ends_early_and_goes_on(builder: ProjectBuilder) -> None:
    grid(builder, tracking=False)
    pairs = ["depth=[2,4,8]", "note=[a,b]"]
    report = sweep(
        builder.project.preparer,
        builder.project.launcher,
        RunRequest(pipeline="p", pairs=pairs, stop_when="train.auc >= 1"),
    )
    assert [dict(point.params) for point in report.points] == [
        {"depth": 2, "note": "a"},
        {"depth": 2, "note": "b"},
        {"depth": 4, "note": "a"},
    ]
    assert (report.left, report.why) == (3, "train.auc >= 1 holds")
    report = sweep(
        builder.project.preparer,
        builder.project.launcher,
        RunRequest(pipeline="p", pairs=["depth=[2,99,3]"], most=2),
    )
    assert [point.status for point in report.points] == [Status.COMPLETED, Status.FAILED]
    assert (report.status, report.left, report.why) == (Status.FAILED, 1, "--max 2")
    builder.edit("train", "depth != 99", "depth != 98")
    again = go_on(builder, report.run)
    assert [dict(point.params) for point in again.points] == [{"depth": 99}]
    assert again.status is Status.COMPLETED


def go_on(builder: ProjectBuilder, run: str, **rest: bool) -> SweepReport:
    project = builder.project
    found = SweepRest(of=project.history.find(run), **rest)
    return resume_sweep(project.preparer, project.launcher, found, RunRequest())


@pytest.mark.long
def test_a_sweep_that_was_resumed_twice_knows_its_first_points(builder: ProjectBuilder) -> None:
    grid(builder, tracking=False)
    project = builder.project
    request = RunRequest(pipeline="p", pairs=["depth=[2,99,3,98]"])
    builder.edit("train", "depth != 99", "depth < 90")
    first = sweep(project.preparer, project.launcher, request)
    assert [point.status for point in first.points] == [
        Status.COMPLETED, Status.FAILED, Status.COMPLETED, Status.FAILED,
    ]  # fmt: skip
    builder.edit("train", "depth < 90", "depth != 98")
    second = go_on(builder, first.run)
    assert [(dict(p.params)["depth"], p.status) for p in second.points] == [
        (99, Status.COMPLETED), (98, Status.FAILED),
    ]  # fmt: skip
    builder.edit("train", "depth != 98", "depth > 0")
    third = go_on(builder, second.run, failed_only=True)
    assert [(dict(p.params)["depth"], p.status) for p in third.points] == [(98, Status.COMPLETED)]
    with pytest.raises(UsageError, match="finished all of its points"):
        go_on(builder, third.run)
    with pytest.raises(UsageError, match="has no point that failed"):
        go_on(builder, third.run, failed_only=True)


@pytest.mark.long
def test_a_sweep_that_is_cancelled_says_by_whom(builder: ProjectBuilder) -> None:
    grid(builder, tracking=False)
    waits = "import pathlib, time\nwhile depth == 4 and pathlib.Path('held').exists(): time.sleep(0.02)"
    builder.edit("train", "assert depth", f"pathlib.Path(f'began-{{depth}}').touch()\n{waits}\nassert depth")
    builder.edit("train", "import scrapbook as sb", "import pathlib, scrapbook as sb")
    builder.file("held")
    command = ("sweep", "p", "-p", "depth=[2,4,8]")
    with start(builder.root, *command, stdout=subprocess.PIPE) as process:
        until((builder.root / "began-4").exists, 60, "it gets to the second point")
        assert looked(builder.root, "cancel").returncode == 0
        printed, _ = process.communicate(timeout=60)
    said = f"cancelled by {user_name()}"
    assert f"1 point not run: {said}" in printed
    (series,) = [run for run in builder.project.journal.runs.latest(limit=9) if run.is_series]
    assert (series.status, series.reason) == (Status.CANCELLED, said)


@pytest.mark.long
def test_a_sweep_that_is_forced_runs_everything_at_each_point(builder: ProjectBuilder) -> None:
    grid(builder, tracking=False)
    project = builder.project
    request = RunRequest(pipeline="p", pairs=["depth=[2,3]"])
    sweep(project.preparer, project.launcher, request)
    again = sweep(project.preparer, project.launcher, dataclasses.replace(request, force=True))
    statuses = {stage.status for point in again.points for stage in point.history.stages.values()}
    assert statuses == {Status.COMPLETED}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "depth=3"], "nothing is swept"),
        (["-p", "depth=[]"], "'depth' is swept over no values"),
        (["-p", "depth=[1,x]"], "depth"),
        (["-p", "dept=[1,2]"], "dept"),
        (["-p", "depth=[1,2]", "--stop-when", "train.auc"], "cannot read the rule"),
        (["-p", "depth=[1,2]", "--stop-when", "trian.auc > 1"], "did you mean 'train'?"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(builder: ProjectBuilder, arguments: Sequence[str], said: str) -> None:
    grid(builder, tracking=False)
    done = stagebook(builder.root, "sweep", "p", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert builder.project.history.runs() == []

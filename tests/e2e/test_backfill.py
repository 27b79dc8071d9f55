"""`stagebook backfill` as people use it: looked at, run, cancelled, gone on with, several at a time, in an environment."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from building import ProjectBuilder
from commands import looked, stagebook, start
from stagebook.cli.progress import IntervalBar
from stagebook.project import Project
from stagebook.reading import dataset
from stagebook.runs.origin import user_name
from waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

LOAD = """
import pathlib, time
pathlib.Path(f"began-{day}").touch()
while pathlib.Path(f"held/{day}").exists(): time.sleep(0.02)
if pathlib.Path(f"broken/{day}").exists(): raise RuntimeError("no file of that day")
pathlib.Path(out).write_text(day)
"""
PIPELINE = """
    stages:
      load:
        notebook: notebooks/load.ipynb
        executor: inprocess
        params: {day: "${interval.start}"}
        outputs: {out: "data/days/${interval.name}.txt"}
"""
WEEK = ("--from", "2026-01-01", "--to", "2026-01-04", "--every", "day")


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("load", LOAD, params="day = ''\nout = ''")
    builder.pipeline(PIPELINE)
    return builder


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "data/days").iterdir())


@pytest.mark.long
def test_it_is_looked_at_run_and_gone_on_with(project: ProjectBuilder) -> None:
    project.file("broken/2026-01-03")
    plan = looked(project.root, "backfill", *WEEK, "--dry-run")
    assert "4 of 4 intervals to run, the oldest first" in plan.stdout
    assert "2026-01-01 … 2026-01-04" in plan.stdout
    asked = looked(project.root, "backfill", *WEEK)
    assert asked.returncode == 2
    assert "nothing was run: nobody can be asked here" in asked.stderr + asked.stdout
    assert not (project.root / ".stagebook/journal.db").exists()

    done = stagebook(project.root, "backfill", *WEEK, "--yes")
    assert done.returncode == 1
    assert "2026-01-03  ✗ failed  load: RuntimeError: no file of that day" in " ".join(
        done.stdout.split("\n")
    )
    assert "3 completed, 1 failed" in done.stdout
    assert shown(project.root) == ["2026-01-01.txt", "2026-01-02.txt", "2026-01-04.txt"]
    (project.root / "broken/2026-01-03").unlink()
    again = stagebook(project.root, "resume")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "1 completed" in again.stdout
    assert len(shown(project.root)) == 4
    assert "nothing to run" in looked(project.root, "backfill", *WEEK, "--yes").stdout
    runs = looked(project.root, "runs")
    assert "p 2026-01-03" in runs.stdout
    assert "p (backfill)" in runs.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--from", "2026-01-04", "--to", "2026-01-01", "--every", "day"),
            "--to 2026-01-01 is before --from",
        ),
        (("--to", "2026-01-04", "--every", "day"), "--from is missing"),
        (
            ("--from", "2199-01", "--to", "2199-02", "--every", "day"),
            "no interval from 2199-01-01 on is over",
        ),
        (("--from", "2026-01", "--to", "2026-02"), "the pipeline has no schedule that says it"),
        (("--from", "2026-01", "--to", "2026-02", "--every", "dey"), "--every is 'dey'"),
        (("--from", "2026-01-04", "--to", "2026-01-05", "--every", "month"), "there is no whole month"),
        (("--from", "2026", "--to", "2026", "--every", "day", "--zone", "Mars"), "no time zone 'Mars'"),
        (("--from", "soon", "--to", "2026", "--every", "day"), "'soon' names no interval"),
        (("--from", "1900", "--to", "2200", "--every", "hour"), "more than 100,000 intervals"),
    ],
)
def test_what_names_no_intervals_is_told(project: ProjectBuilder, words: tuple[str, ...], said: str) -> None:
    done = looked(project.root, "backfill", *words)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr


@pytest.mark.long
def test_several_at_a_time_are_cancelled_and_gone_on_with(project: ProjectBuilder) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        project.file(f"held/{day}")
    with start(
        project.root, "backfill", *WEEK, "--yes", "--parallel", "2", stdout=subprocess.DEVNULL
    ) as process:
        until(lambda: all((project.root / f"began-2026-01-0{n}").exists() for n in (1, 2)), 60, "both begin")
        assert not (project.root / "began-2026-01-03").exists(), "two at a time"
        assert looked(project.root, "cancel").returncode == 0
        process.wait(60)
    assert process.returncode == 130
    said = f"cancelled by {user_name()}"
    with Project.open(project.root) as opened:
        series, *_ = [run for run in opened.journal.runs.latest(limit=9) if run.is_series]
        assert (str(series.status), series.reason) == ("cancelled", said)
        children = opened.journal.runs.points_of(series.id)
        assert [(str(run.status), run.reason) for run in children] == [("cancelled", said)] * 2
    for path in (project.root / "held").iterdir():
        path.unlink()
    done = stagebook(project.root, "resume", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["status"] for one in lines(done) if one["type"] == "IntervalDone"] == ["completed"] * 4


@pytest.mark.long
@pytest.mark.parametrize("by_name", [True, False])
def test_one_by_one_they_are_cancelled_by_somebody(project: ProjectBuilder, by_name: bool) -> None:
    project.file("held/2026-01-02")
    with start(project.root, "backfill", *WEEK, "--yes", stdout=subprocess.PIPE) as process:
        until((project.root / "began-2026-01-02").exists, 60, "it gets there")
        if by_name:
            assert looked(project.root, "cancel").returncode == 0
        else:
            os.kill(process.pid, signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    said = f"cancelled by {user_name()}" if by_name else "asked to end by SIGTERM"
    assert f"1 completed, 1 cancelled, 2 intervals left: {said}" in printed
    with Project.open(project.root) as opened:
        series, *_ = [run for run in opened.journal.runs.latest(limit=9) if run.is_series]
        assert (str(series.status), series.reason) == ("cancelled", said)


@pytest.mark.long
def test_what_is_killed_takes_its_runs_with_it(project: ProjectBuilder) -> None:
    project.file("held/2026-01-01")
    with start(
        project.root, "backfill", *WEEK, "--yes", "--parallel", "2", stdout=subprocess.DEVNULL
    ) as process:
        until((project.root / "began-2026-01-01").exists, 60, "it begins")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    (project.root / "held/2026-01-01").unlink()
    done = stagebook(project.root, "backfill", *WEEK, "--yes", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(shown(project.root)) == 4
    with Project.open(project.root) as opened:
        runs = opened.journal.runs.latest(limit=-1)
        assert all(run.ended is not None for run in runs)
        assert {str(run.status) for run in runs} <= {"completed", "interrupted", "cancelled"}


@pytest.mark.long
def test_an_environment_shows_all_of_them_at_once(project: ProjectBuilder) -> None:
    done = stagebook(project.root, "backfill", "--env", "prod", *WEEK, "--yes", "--parallel", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shown as version 1" in done.stdout
    whole = dataset("p.load.out", env="prod", project=project.root)
    assert [path.name for path in whole.paths] == [f"2026-01-0{n}.txt" for n in (1, 2, 3, 4)]
    one = dataset("load.out[2026-01-03]", env="prod", project=project.root)
    assert one.path.read_text() == "2026-01-03"
    del whole, one  # else what is read next is of the same version

    # Another interval takes the place of none, also with other code.
    project.edit("load", "write_text(day)", "write_text(day + '!')")
    assert stagebook(project.root, "run", "--env", "prod", "--interval", "2026-01-05").returncode == 0
    whole = dataset("p.load.out", env="prod", project=project.root)
    assert [path.read_text() for path in whole.paths] == [f"2026-01-0{n}" for n in (1, 2, 3, 4)] + [
        "2026-01-05!"
    ]
    del whole
    redone = stagebook(project.root, "backfill", "--env", "prod", *WEEK, "--yes", "--changed", "--json")
    assert redone.returncode == 0, redone.stdout + redone.stderr
    assert lines(redone)[-1]["version"] == 3
    whole = dataset("p.load.out", env="prod", project=project.root)
    assert [path.read_text() for path in whole.paths] == [f"2026-01-0{n}!" for n in range(1, 6)]


def test_what_is_not_over_yet_is_left_out(project: ProjectBuilder) -> None:
    """Else it would count as done before its data are there. Without an end all that is over is meant."""
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
    words = ("--from", first.isoformat(), "--every", "day", "--dry-run", "--json")
    until_next_year = ("--to", str(first.year + 1))
    for more in ((), until_next_year):
        done = looked(project.root, "backfill", *words, *more)
        chosen = json.loads(done.stdout)["chosen"]
        assert chosen[:2] == [first.isoformat(), (first + dt.timedelta(days=1)).isoformat()]
        assert len(chosen) - 2 <= 1, "a day may have ended meanwhile"
        assert ("no interval is over yet" in done.stderr) == bool(more)


def test_a_bar_says_how_far_it_is() -> None:
    out = io.StringIO()
    with IntervalBar(Console(file=out, force_terminal=True, width=80), 3) as bar:
        bar.advance()
        bar._bar.refresh()
    assert "1/3" in out.getvalue()
    elsewhere = io.StringIO()
    with IntervalBar(Console(file=elsewhere), 3) as bar:
        bar.advance()
    assert elsewhere.getvalue() == ""


def test_a_schedule_says_what_its_intervals_are(project: ProjectBuilder) -> None:
    def chosen(schedule: str, *words: str) -> list[str]:
        project.pipeline(f"schedules: {{often: {schedule}}}\n" + textwrap.dedent(PIPELINE))
        done = looked(project.root, "backfill", "--dry-run", "--json", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[str] = json.loads(done.stdout)["chosen"]
        return found

    monthly = '{cron: "0 6 2 * *", zone: Europe/Berlin, interval: month}'
    assert chosen(monthly, "--from", "2026-01", "--to", "2026-03") == ["2026-01", "2026-02", "2026-03"]
    half = '{cron: "0 6,18 * * *", zone: Europe/Berlin}'
    assert chosen(half, "--from", "2026-03-28", "--to", "2026-03-29") == [
        "2026-03-28T0600",
        "2026-03-28T1800",
        "2026-03-29T0600",
    ]
    assert chosen(half, "--from", "2026-03-28", "--to", "2026-03-28", "--every", "day") == ["2026-03-28"]


@pytest.mark.long
def test_a_release_finds_the_partitions_of_the_one_before(project: ProjectBuilder) -> None:
    project.notebook("load", "import pathlib\npathlib.Path(out).write_text(day)", params="day = ''\nout = ''")
    project.notebook(
        "sum",
        "import pathlib\npathlib.Path(out).write_text('+'.join(pathlib.Path(one).read_text()[-2:] for one in days))",
        params="days: list = []\nout = ''",
    )
    window = """\
      total:
        notebook: notebooks/sum.ipynb
        executor: inprocess
        inputs: {days: "load.out[-3:]"}
        outputs: {out: "data/total/${interval.name}.txt"}
"""
    project.pipeline(PIPELINE + window)

    def deploy() -> dict[str, Any]:
        planned = stagebook(project.root, "deploy", "--to", "prod", "--allow-dirty", "--dry-run", "--json")
        assert planned.returncode == 0, planned.stdout + planned.stderr
        done = stagebook(project.root, "deploy", "--to", "prod", "--allow-dirty", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(planned.stdout)
        return found

    def totals() -> list[str]:
        found = dataset("p.total.out", env="prod", project=project.root)
        return [path.read_text() for path in found.paths]

    done = stagebook(project.root, "backfill", *WEEK, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    first = deploy()
    assert (first["runs"], first["takes"]) == (["p.total"], ["p.load"]), "no earlier interval is there yet"
    filled = stagebook(project.root, "backfill", "--env", "prod", *WEEK, "--yes", "--json")
    assert filled.returncode == 0, filled.stdout + filled.stderr
    assert totals() == ["01", "01+02", "01+02+03", "02+03+04"]

    # Other code: a folder of its own, in which what was made before is there.
    project.edit("sum", "'+'.join", "'-'.join")
    second = deploy()
    assert second["runs"] == ["p.total"]
    assert second["datasets"] == {"p.total.out[2026-01-04]": "may change"}, "others are not gone"
    assert totals() == ["01", "01+02", "01+02+03", "02-03-04"]

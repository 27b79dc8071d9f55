"""Schedules from the pipeline file to the runs: real schedulers, real runs, all commands."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import environment, looked, stagebook, start
from stagebook.journal.journal import Journal
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.kernel, pytest.mark.long]

PIPELINE = """
schedules:
  often: {every: 1s}
  daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day, params: {days: 1}}
params: {days: 7}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {start: "${interval.start}", days: "${params.days}"}
    outputs: {out: "data/${interval.name}.txt"}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook(
        "a", "open(out, 'w').write(f'{start} {days}')", params="start: str = ''\ndays = 0\nout = ''"
    )
    builder.pipeline(PIPELINE)
    return builder


@contextlib.contextmanager
def going_on(root: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A scheduler, which is asked to end, and does."""
    process = start(root, "scheduler", *options, env=environment(), stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out


def read(root: Path, *arguments: str) -> Any:
    done = looked(root, *arguments, "--json")
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def outcomes(root: Path, name: str) -> list[str]:
    found = read(root, "schedule", "list")["schedules"]
    return [one["last"]["outcome"] if one["last"] else "" for one in found if one["schedule"] == name]


def test_a_scheduler_runs_what_is_due_and_ends_when_it_is_asked(project: ProjectBuilder) -> None:
    root = project.root
    with going_on(root, "--jobs=2") as process:
        until(lambda: len(list(root.glob("data/*.txt"))) >= 2, 90, "nothing was run")
        who = read(root, "schedule", "list")["scheduler"]
        assert who["pid"] == process.pid
    runs = read(root, "runs")["runs"]
    assert {run["schedule"] for run in runs} == {"often"}
    done = [run for run in runs if run["status"] == "completed"]
    assert len({run["interval"]["name"] for run in done}) == len(done)
    for run in done:
        text = (root / "data" / f"{run['interval']['name']}.txt").read_text()
        assert text == f"{run['interval']['start']} 7"
    shown = looked(root, "runs").stdout
    assert done[0]["interval"]["name"] in shown
    assert read(root, "schedule", "list")["scheduler"] is None


def test_once_does_what_is_due_and_ends(project: ProjectBuilder) -> None:
    root = project.root
    assert stagebook(root, "scheduler", "--once").returncode == 0  # it sees them for the first time
    time.sleep(1.1)  # a second goes by in which one fires
    done = stagebook(root, "scheduler", "--once")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("completed") == 1
    assert len(list(root.glob("data/*.txt"))) == 1


def test_a_person_pauses_resumes_and_triggers(project: ProjectBuilder) -> None:
    root = project.root
    assert looked(root, "schedule", "pause", "often", "--because", "a test").stdout == "✓ p/often is paused\n"
    assert looked(root, "schedule", "pause", "often").stdout == "p/often is paused already\n"
    assert read(root, "schedule", "pause", "often")["changed"] is False
    (planned,) = read(root, "plan", "p", "--schedule", "daily")["stages"]
    assert planned["params"]["days"] == 1, "a plan is what a run of the schedule would be"
    done = looked(root, "schedule", "trigger", "daily")
    assert done.stdout.startswith("✓ p/daily: run ")
    until(lambda: outcomes(root, "daily") == ["completed"], 60, "it did not run")
    (written,) = root.glob("data/*.txt")
    assert written.read_text() == f"{written.stem} 1", "the last day, with the parameters of the schedule"
    listed = looked(root, "schedule", "list").stdout
    assert "p/often: paused by" in listed
    assert ": a test" in listed
    found = read(root, "schedule", "next", "-n", "3")["next"]
    assert {one["schedule"] for one in found} == {"daily"}
    assert looked(root, "schedule", "resume", "often").stdout == "✓ p/often is resumed\n"
    assert looked(root, "schedule", "resume", "often").stdout == "p/often is not paused\n"
    assert read(root, "schedule", "next", "-n", "3")["next"][0]["schedule"] == "often"
    assert looked(root, "schedule", "pause", "weekly").returncode == 2
    assert "no schedule 'weekly'" in looked(root, "schedule", "pause", "weekly").stderr


def test_a_pipeline_that_becomes_invalid_waits_and_goes_on_when_it_is_mended(project: ProjectBuilder) -> None:
    root = project.root
    project.pipeline(PIPELINE.replace("often", "other"), name="q")
    with going_on(root, "--jobs=2"):
        until(lambda: outcomes(root, "often") == ["completed"], 90, "nothing was run")
        project.pipeline(PIPELINE.replace("every: 1s", "every: soon"))
        with contextlib.closing(Journal(root / ".stagebook/journal.db")) as journal:
            until(
                lambda: not [it for it in journal.ticks.open() if it.key.schedule == "often"],
                60,
                "it goes on",
            )
            before = len(journal.runs.latest(pipeline="p", limit=-1))
            others = len(journal.runs.latest(pipeline="q", limit=-1))
            until(
                lambda: len(journal.runs.latest(pipeline="q", limit=-1)) > others + 1,
                90,
                "the other one waits, too",
            )
            assert len(journal.runs.latest(pipeline="p", limit=-1)) == before
            told = looked(root, "schedule", "list").stdout
            assert "pipelines/p.yaml:2:11" in told
            project.pipeline(PIPELINE)
            until(lambda: len(journal.runs.latest(pipeline="p", limit=-1)) > before, 90, "it does not go on")


def test_a_mistake_that_only_planning_finds_is_told_once_and_nothing_is_lost(project: ProjectBuilder) -> None:
    root = project.root
    (root / "notebooks/a.ipynb").rename(root / "a.ipynb")
    lines: list[str] = []
    with going_on(root) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "nothing was started" in line:
                break
        assert any("there is no notebook" in line or "notebooks/a.ipynb" in line for line in lines)
        assert not (root / "data").exists()
        (root / "a.ipynb").rename(root / "notebooks/a.ipynb")
        until(lambda: outcomes(root, "often") == ["completed"], 120, lambda: lines)


def test_new_versions_and_new_files_start_runs(project: ProjectBuilder) -> None:
    root = project.root
    project.file("connections.toml", '[incoming]\nurl = "in"\n')
    project.file("in/one.csv", "1")
    project.file("value.txt", "1")
    project.notebook("copy", "open(out, 'w').write(open(src).read())", params="src = ''\nout = ''")
    project.pipeline(
        """
        stages:
          make: {notebook: notebooks/copy.ipynb, inputs: {src: value.txt}, outputs: {out: data/made.txt}}
        """
    )
    project.pipeline(
        """
        schedules: {after: {on: p.make.out}}
        stages: {b: {notebook: notebooks/copy.ipynb, inputs: {src: data/made.txt}, outputs: {out: data/after.txt}}}
        """,
        name="q",
    )
    assert stagebook(root, "run", "p").returncode == 0
    assert stagebook(root, "scheduler", "--once").returncode == 0
    assert stagebook(root, "run", "p", "--force").returncode == 0
    assert stagebook(root, "scheduler", "--once").returncode == 0
    assert not (root / "data/after.txt").exists(), "the same content is no new version"
    project.file("value.txt", "2")
    assert stagebook(root, "run", "p").returncode == 0
    assert stagebook(root, "scheduler", "--once").returncode == 0
    assert (root / "data/after.txt").read_text() == "2"
    assert outcomes(root, "after") == ["completed"]


def test_an_environment_runs_its_release_about_intervals(project: ProjectBuilder) -> None:
    root = project.root
    project.file("raw/x.csv", "x")
    project.file(
        "stagebook.toml",
        '[tracking]\nenabled = false\n[environments.prod.schedules.often]\npipeline = "p"\nevery = "1s"\n',
    )
    project.pipeline(PIPELINE.replace("  often: {every: 1s}\n", ""))
    done = stagebook(root, "deploy", "--to", "prod", "--allow-dirty", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    project.edit("a", "{start}", "CHANGED")
    shown = root / "environments/prod/current/data"
    with going_on(root):  # a run has ended a moment before what it made is shown
        until(lambda: list(shown.glob("*T*.txt")), 90, "nothing is shown")
    runs = read(root, "runs", "--env", "prod")["runs"]
    starts = {run["interval"]["name"]: run["interval"]["start"] for run in runs if run["schedule"] == "often"}
    for file in shown.glob("*T*.txt"):
        assert file.read_text() == f"{starts[file.stem]} 7", "the code of the release"
    assert not (root / "data").exists()


def test_a_run_is_resumed_with_its_interval(project: ProjectBuilder) -> None:
    root = project.root
    project.edit("a", "open(out", "assert days > 1\nopen(out")
    failed = stagebook(root, "run", "--schedule", "daily", "--interval", "2026-01-05")
    assert failed.returncode == 1
    project.edit("a", "assert days > 1", "pass")
    assert stagebook(root, "resume", "--keep").returncode == 0
    assert (root / "data/2026-01-05.txt").read_text() == "2026-01-05 1"
    first, second = read(root, "runs")["runs"]
    assert first["interval"] == second["interval"]
    assert (first["interval"]["zone"], first["schedule"]) == ("Europe/Berlin", "daily")
    assert "2026-01-05" in looked(root, "plan", "--interval", "2026-01-05").stdout.splitlines()[0]


def test_a_chosen_id_runs_once(project: ProjectBuilder) -> None:
    root = project.root
    asked = ("run", "--interval", "2026-01", "--run-id", "20260101-000000-abcdef01")
    assert stagebook(root, *asked).returncode == 0
    again = stagebook(root, *asked)
    assert again.returncode == 2
    assert "the run 20260101-000000-abcdef01 began before" in again.stderr


def test_a_unit_file_is_printed(project: ProjectBuilder) -> None:
    done = looked(project.root, "scheduler", "--systemd", "--jobs", "3")
    assert f"WorkingDirectory={project.root}\n" in done.stdout
    assert "scheduler --jobs=3\n" in done.stdout
    assert not (project.root / ".stagebook").exists()

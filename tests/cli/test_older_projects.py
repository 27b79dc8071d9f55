"""The journal and the store of an older version are read as they are.

`older/COMMIT.tar.xz` is a project as the version of that commit left it: a run that completed, one whose last stage
failed, one that restored outputs, outputs that were accepted after a change, and a sweep of two points.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stagebook.cli.app import run_app
from stagebook.events import Status
from stagebook.project import Project

ARCHIVES = sorted((Path(__file__).parent / "older").glob("*.tar.xz"))
# What may differ between two machines: the versions of Python and of the libraries.
_OF_THE_MACHINE = {"kernel", "libraries"}


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def printed(root: Path, words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints as JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["stagebook", "-C", str(root), *words, "--json"])
        before = os.getcwd()
        try:
            assert run_app() == 0
        finally:
            os.chdir(before)
    return json.loads(capsys.readouterr().out)


def test_of_what_came_later_it_has_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its journal has no tables of schedules, incidents and alerts, and gets none by looking."""
    assert printed(root, ["schedule", "list"], capsys)["schedules"] == []
    assert printed(root, ["schedule", "next"], capsys)["next"] == []
    assert printed(root, ["check-expectations"], capsys) == {"missed": [], "problems": []}
    assert printed(root, ["incident", "list", "--all"], capsys)["incidents"] == []
    assert printed(root, ["notify", "list"], capsys) == {"rules": {}, "waiting": []}
    (figures,) = printed(root, ["metrics", "--days", "3650"], capsys)["pipelines"]
    assert {one["name"]: one["count"] for one in figures["indicators"]}["runs"] == 4
    assert (
        len(
            printed(
                root,
                ["backfill", "--from", "2026-01-01", "--to", "2026-01-02", "--every", "day", "--dry-run"],
                capsys,
            )["chosen"]
        )
        == 2
    )
    with contextlib.closing(sqlite3.connect(root / ".stagebook" / "journal.db")) as journal:
        names = {name for (name,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not names & {"ticks", "schedules", "intervals", "incidents", "alerts", "digests"}


def test_its_runs_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = printed(root, ["runs"], capsys)["runs"]
    assert [(run["kind"], run["status"], run["params"]["count"]) for run in runs] == [
        ("run", "completed", 3),
        ("run", "completed", 2),
        ("sweep", "completed", [2, 3]),
        ("accept", "completed", 3),
        ("run", "completed", 3),
        ("run", "failed", 9),
        ("run", "completed", 3),
    ]
    assert runs[0]["parent"] == runs[1]["parent"] == runs[2]["id"]


def test_its_events_and_logs_are_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = next(run["id"] for run in printed(root, ["runs"], capsys)["runs"] if run["status"] == "failed")
    events = printed(root, ["logs", failed], capsys)["events"]
    assert events[0]["type"] == "RunStarted"
    assert events[-1] == {**events[-1], "type": "RunEnded", "status": "failed"}
    assert printed(root, ["logs", failed, "numbers"], capsys)["log"] == "9 numbers\n"
    status = printed(root, ["status"], capsys)["pipelines"]["figures"]
    assert {name: stage["status"] for name, stage in status.items()} == {
        "numbers": "reused",
        "total": "reused",
    }


def test_its_results_are_those_of_today(root: Path) -> None:
    """Fingerprints come out as they did, so that nothing runs again because of a new version of Stagebook."""
    with Project.open(root) as project:
        results = project.journal.results.latest("figures")
        for stage in project.plan("figures").stages:
            assert stage.judgement is not None
            assert stage.judgement.fingerprint is not None
            then, now = dict(results[stage.id].parts), dict(stage.judgement.fingerprint.parts)
            for part in _OF_THE_MACHINE:
                then.pop(part), now.pop(part)
            assert json.loads(json.dumps(now)) == then
            if results[stage.id].parts == json.loads(json.dumps(stage.judgement.fingerprint.parts)):
                assert stage.judgement.fingerprint.digest == results[stage.id].fingerprint
                assert not stage.runs


def test_its_outputs_come_back_from_the_store(root: Path) -> None:
    shutil.rmtree(root / "data")
    with Project.open(root) as project:
        (run,) = [run for run in project.history.runs("figures") if run.status is Status.FAILED]
        numbers = project.history.stage(run, "numbers")
        folder = root / "back"
        for name, output in numbers.outputs.items():
            assert project.store.holds(output)
            project.store.fetch(output, folder / name)
    assert (folder / "table").read_text().splitlines()[-1] == "8,64"
    assert sorted(path.name for path in (folder / "parts").iterdir()) == [f"{n}.txt" for n in range(9)]

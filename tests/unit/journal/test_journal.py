"""The journal: what was acknowledged stays, one owner at a time, any prefix makes sense."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from journals import HERE, OTHER, alive, dead, ended, started, unsure
from stagebook.errors import JournalUnreadable, PipelineBusy, RunTakenOver
from stagebook.event_reading import from_json
from stagebook.events import RunEnded, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal, Liveness, RunRecord
from stagebook.origin import Origin

PLATFORM = str(Path(__file__).parents[3] / "platform")


def test_a_second_owner_is_refused_and_nothing_is_written(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    with pytest.raises(PipelineBusy, match=r"'p' is being run already: one \(process 1 on here\)"):
        journal.begin(started("two"), OTHER, alive)
    assert journal.runs.find("two") is None
    journal.begin(started("three", pipeline="q"), OTHER, alive)


def test_a_dead_owner_is_replaced_and_its_run_is_interrupted(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    journal.begin(
        started("two", at=99.0), OTHER, lambda owner: Liveness.DEAD if owner == HERE else Liveness.ALIVE
    )
    record = journal.runs.find("one")
    assert record is not None
    assert (record.status, record.ended) == (Status.INTERRUPTED, 99.0)


def test_ghosts_are_closed_once(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    assert journal.close_abandoned(alive, 50.0) == []
    assert journal.close_abandoned(dead, 50.0) == ["one"]
    assert journal.close_abandoned(dead, 60.0) == []
    assert [type(event) for _, event in journal.events.of("one")] == [RunStarted, RunEnded]


def test_a_run_without_an_owner_is_a_ghost(journal: Journal) -> None:
    journal.append([started("one"), started("two", pipeline="q")])
    assert journal.close_abandoned(alive, 50.0) == ["one", "two"]
    assert [record.status for record in journal.runs.latest()] == [Status.INTERRUPTED] * 2


def test_an_owner_of_which_nothing_is_known_keeps_its_pipeline(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    assert journal.close_abandoned(unsure, 50.0) == []
    with pytest.raises(PipelineBusy) as caught:
        journal.begin(started("two"), OTHER, unsure)
    assert (caught.value.unsure, caught.value.run, caught.value.beat) == (True, "one", 0)
    journal.leases.beat("one")
    with pytest.raises(PipelineBusy) as caught:  # it gave a sign of life since
        journal.begin(started("two"), OTHER, unsure, presumed_dead=("one", 0))
    assert caught.value.beat == 1
    with pytest.raises(PipelineBusy):  # presumed dead, and seen alive
        journal.begin(started("two"), OTHER, alive, presumed_dead=("one", 1))
    journal.begin(started("two"), OTHER, unsure, presumed_dead=("one", 1))
    assert [(record.id, record.status) for record in journal.runs.latest()] == [
        ("two", Status.RUNNING),
        ("one", Status.INTERRUPTED),
    ]


def point(name: str, parent: str) -> RunStarted:
    return dataclasses.replace(started(name), parent=parent)


def test_the_points_of_a_sweep_run_under_its_ownership(journal: Journal) -> None:
    journal.begin(dataclasses.replace(started("sweep"), kind="sweep"), HERE, alive)
    journal.begin(point("p1", "sweep"), HERE, alive)
    journal.append([RunEnded(run="p1", at=12.0, status=Status.COMPLETED)], owner="p1")
    journal.begin(point("p2", "sweep"), HERE, alive)
    assert journal.close_abandoned(alive, 50.0) == []
    with pytest.raises(PipelineBusy):
        journal.begin(started("other"), OTHER, alive)
    journal.begin(started("other", at=99.0), OTHER, dead)
    found = {record.id: record.status for record in journal.runs.latest()}
    assert found == {
        "sweep": Status.INTERRUPTED,
        "p1": Status.COMPLETED,
        "p2": Status.INTERRUPTED,
        "other": Status.RUNNING,
    }
    with pytest.raises(RunTakenOver):
        journal.append([StageEnded(run="p2", at=12.0, stage="a", status=Status.FAILED)], owner="p2")
    with pytest.raises(RunTakenOver):
        journal.begin(point("p3", "sweep"), HERE, alive)
    assert [record.id for record in journal.runs.points_of("sweep")] == ["p1", "p2"]


# -- damage, and other versions -----------------------------------------------------------------

# As the version before it wrote it.
VERSION_1 = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, type TEXT NOT NULL,
    stage TEXT, at REAL NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_run ON events (run, seq);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, params TEXT NOT NULL, origin TEXT NOT NULL,
    first_seq INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_pipeline ON runs (pipeline, started);
CREATE TABLE IF NOT EXISTS owners (
    pipeline TEXT PRIMARY KEY, run TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    host TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS positions (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracked (
    key TEXT PRIMARY KEY, experiment TEXT NOT NULL, mlflow_run TEXT NOT NULL
);
"""
OLD_EVENTS = [
    {"type": "RunStarted", "v": 1, "run": "old", "at": 5, "pipeline": "p", "jobs": 2, "keep_going": False,
     "plan": {"params": {"x": "é"}, "stages": [{"id": "a", "notebook": "n"}]}, "origin": {"user": "u"}},
    {"type": "AttemptStarted", "v": 1, "run": "old", "at": 6.5, "stage": "a", "attempt": 1, "folder": "f"},
    {"type": "AttemptEnded", "v": 1, "run": "old", "at": 7.5, "stage": "a", "attempt": 1, "seconds": 1.0},
    {"type": "StageEnded", "v": 1, "run": "old", "at": 8.5, "stage": "a", "status": "completed", "reason": ""},
]  # fmt: skip


@pytest.fixture
def of_version_1(tmp_path: Path) -> Path:
    """A journal as version 1 left it: a run that ended, and one that goes on."""
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(VERSION_1)
    for event in OLD_EVENTS:
        values = (event["run"], event["type"], event.get("stage"), event["at"], json.dumps(event))
        db.execute("INSERT INTO events (run, type, stage, at, data) VALUES (?, ?, ?, ?, ?)", values)
    db.execute("INSERT INTO runs VALUES ('old', 'p', 'failed', 'why', 5, 9.5, '{\"x\": 1}', '{}', 1)")
    db.execute("INSERT INTO runs VALUES ('live', 'q', 'running', '', 6, NULL, '{}', '{}', 9)")
    db.execute("INSERT INTO owners VALUES ('q', 'live', 1, 1.0, 'here')")
    db.execute("INSERT INTO positions VALUES ('mlflow', 3)")
    db.execute("INSERT INTO tracked VALUES ('old', '7', 'abc')")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()
    return path


def test_a_journal_of_version_1_stays_readable(of_version_1: Path) -> None:
    for _ in range(2):  # it is carried over once
        journal = Journal(of_version_1)
        assert [event for _, event in journal.events.of("old")] == [from_json(event) for event in OLD_EVENTS]
        assert [(run.id, run.status, run.ended) for run in journal.runs.latest()] == [
            ("live", Status.RUNNING, None),
            ("old", Status.FAILED, 9.5),
        ]
        assert journal.runs.find("old") == RunRecord(
            id="old", pipeline="p", status=Status.FAILED, reason="why", started=5.0, ended=9.5,
            params={"x": 1}, origin=Origin(),
        )  # fmt: skip
        assert journal.leases.owners() == [("live", HERE)]
        assert [number for number, _ in journal.outbox.pending("mlflow")] == [4]
        assert journal.outbox.tracked("old") == ("7", "abc")
        assert {what: damaged for what, (_, damaged) in journal.count_damaged().items() if damaged} == {}
        assert journal.problems() == []
        assert journal.results.where("1", ()) == []
        journal.close()
    journal = Journal(of_version_1)
    assert journal.close_abandoned(dead, 10.0) == ["live"]
    journal.begin(started("new"), HERE, alive)
    journal.append([ended("a", "one", "new"), RunEnded(run="new", at=1.0, status=Status.COMPLETED)])
    assert [result.fingerprint for result in journal.results.where("1", ())] == ["one"]
    journal.close()


OPENER = """
import sys
from pathlib import Path
from stagebook.journal.journal import Journal
sys.stdin.readline()
journal = Journal(Path(sys.argv[1]))
assert len(journal.events.of("old")) == 4
"""


def test_a_journal_of_version_1_is_carried_over_by_one_of_several(of_version_1: Path) -> None:
    command = [sys.executable, "-c", OPENER, str(of_version_1)]
    environment = {**os.environ, "PYTHONPATH": PLATFORM}
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) for _ in range(6)]
    for process in processes:
        process.communicate(b"now\n", timeout=60)
    assert [process.returncode for process in processes] == [0] * 6


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_journal_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(JournalUnreadable, match="cannot be used"):
        Journal(path)


def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=999")
    db.close()
    with pytest.raises(JournalUnreadable, match="newer version") as caught:
        Journal(path)
    assert not caught.value.damaged
    path.unlink()
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=3")  # a flipped bit: it says elsewhere what it is
    db.close()
    with pytest.raises(JournalUnreadable, match="its version is not as it was written") as caught:
        Journal(path)
    assert caught.value.damaged


WRITER = """
import sys
from pathlib import Path
from stagebook.events import StageEnded, Status
from stagebook.journal.journal import Journal
journal = Journal(Path(sys.argv[1]))
for at in range(100_000):
    journal.append([StageEnded(run="r", at=float(at), stage="a", status=Status.COMPLETED)] * 3)
    print(at, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    environment = {**os.environ, "PYTHONPATH": PLATFORM}
    for kept in (1, 7, 40):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            acknowledged = -1
            while acknowledged < kept:
                acknowledged = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        journal = Journal(path)
        times = [event.at for _, event in journal.events.of("r")]
        journal.close()
        assert len(times) % 3 == 0, "a transaction was torn"
        assert len(times) >= 3 * (acknowledged + 1)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def test_two_processes_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    writer = WRITER.replace("100_000", "50")
    environment = {**os.environ, "PYTHONPATH": PLATFORM}
    command = [sys.executable, "-c", writer, str(path)]
    started_ = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) for _ in range(3)]
    assert [process.wait(timeout=60) for process in started_] == [0, 0, 0]
    journal = Journal(path)
    assert len(journal.events.of("r")) == 3 * 50 * 3
    journal.close()


def test_a_journal_that_was_removed_or_replaced_takes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.append([started("first")])
    path.rename(tmp_path / "away")
    with pytest.raises(JournalUnreadable, match="was removed or replaced while it was in use"):
        journal.append([started("second")])
    other = Journal(path)
    with pytest.raises(JournalUnreadable, match="was removed or replaced while it was in use"):
        journal.append([started("second")])
    assert other.runs.latest() == []
    journal.close()
    other.close()

"""The journal: what was acknowledged stays, one owner at a time, any prefix makes sense."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagebook import events
from stagebook.artifact import Artifact
from stagebook.errors import JournalUnreadable, PipelineBusy, RunTakenOver
from stagebook.events import Event, RunEnded, RunStarted, StageEnded, Status, from_json
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal, Liveness, Owner, RunRecord
from stagebook.journal.result_table import KnownResults

PLATFORM = str(Path(__file__).parents[3] / "platform")
HERE = Owner(pid=1, started=1.0, host="here")
OTHER = Owner(pid=2, started=2.0, host="here", mark="boot 1 2")

text = st.text(max_size=20)
number = st.floats(0, 2e9, allow_nan=False)
small = st.integers(0, 50)
data = st.dictionaries(
    text, st.one_of(st.none(), st.integers(), text, st.lists(text, max_size=2)), max_size=3
)
stage = st.sampled_from(["a", "b", "c@1"])
run = st.just("r")
instance = st.fixed_dictionaries({"id": st.sampled_from(["a@1", "b@2"]), "stage": stage, "notebook": text})
artifact = st.builds(
    Artifact,
    path=text,
    size=st.none() | small,
    sha256=text,
    kept=st.booleans(),
    folder=st.booleans(),
    executable=st.booleans() | st.lists(text, min_size=1, max_size=2).map(tuple),
    external=st.booleans(),
)
artifacts = st.dictionaries(text, artifact, max_size=2)
EVENTS: dict[str, st.SearchStrategy[Event]] = {
    "RunStarted": st.builds(
        events.RunStarted,
        run=run,
        at=number,
        pipeline=text,
        plan=st.just({"params": {"x": 1}, "stages": [{"id": name, "notebook": "n"} for name in ("a", "b")]}),
        jobs=small,
        keep_going=st.booleans(),
        origin=data,
    ),
    "AttemptStarted": st.builds(
        events.AttemptStarted,
        run=run,
        at=number,
        stage=stage,
        attempt=small,
        folder=text,
        params=data,
        expected=st.none() | number,
        external=st.lists(text, max_size=2),
    ),
    "CellStarted": st.builds(
        events.CellStarted, run=run, at=number, stage=stage, attempt=small, cell=small, cells=small
    ),
    "CellEnded": st.builds(
        events.CellEnded,
        run=run,
        at=number,
        stage=stage,
        attempt=small,
        cell=small,
        cells=small,
        status=st.sampled_from(events.CellStatus),
        seconds=number,
        cpu=number,
        memory=small,
    ),
    "OutputWritten": st.builds(
        events.OutputWritten,
        run=run,
        at=number,
        stage=stage,
        attempt=small,
        text=text,
        size=small,
        cell=small,
    ),
    "AttemptProgress": st.builds(
        events.AttemptProgress,
        run=run,
        at=number,
        stage=stage,
        attempt=small,
        cells=small,
        seconds=number,
        cell=st.none() | small,
        expected=st.none() | number,
        cpu=number,
        memory=small,
    ),
    "AttemptFrozen": st.builds(
        events.AttemptFrozen, run=run, at=number, stage=stage, attempt=small, seconds=number, cell=small
    ),
    "AttemptEnded": st.builds(
        events.AttemptEnded,
        run=run,
        at=number,
        stage=stage,
        attempt=small,
        seconds=number,
        cause=st.none() | st.sampled_from(events.Cause),
        message=text,
        cell=st.none() | small,
        cells=small,
        traceback=text,
        cpu=number,
        memory=small,
        dump=text,
        kernel=st.none() | data,
        scraps=data,
        inputs=st.dictionaries(text, st.lists(artifact, max_size=2), max_size=2),
        outputs=artifacts,
        fingerprint=text,
        head=text,
        remark=text,
        sources=text,
        parts=data,
        observed=st.none() | data,
    ),
    "StageExpanded": st.builds(
        events.StageExpanded,
        run=run,
        at=number,
        stage=stage,
        gone=st.lists(stage, max_size=2, unique=True),
        stages=st.lists(instance, max_size=2),
        changed=st.lists(instance, max_size=2),
    ),
    "StageReused": st.builds(
        events.StageReused,
        run=run,
        at=number,
        stage=stage,
        of_run=text,
        of_attempt=small,
        folder=text,
        number=small,
        restored=st.lists(text, max_size=2),
        scraps=data,
        outputs=artifacts,
    ),
    "StageAccepted": st.builds(
        events.StageAccepted,
        run=run,
        at=number,
        stage=stage,
        because=text,
        by=text,
        attempt=small,
        folder=text,
        fingerprint=text,
        head=text,
        sources=text,
        parts=data,
        scraps=data,
        outputs=artifacts,
    ),
    "StageRetrying": st.builds(
        events.StageRetrying, run=run, at=number, stage=stage, attempt=small, delay=number
    ),
    "StageEnded": st.builds(
        events.StageEnded, run=run, at=number, stage=stage, status=st.sampled_from(Status), reason=text
    ),
    "RunCancelling": st.builds(events.RunCancelling, run=run, at=number, reason=text),
    "RunEnded": st.builds(events.RunEnded, run=run, at=number, status=st.sampled_from(Status), reason=text),
}
any_event = st.one_of(*EVENTS.values())


def alive(_owner: Owner) -> Liveness:
    return Liveness.ALIVE


def dead(_owner: Owner) -> Liveness:
    return Liveness.DEAD


def unsure(_owner: Owner) -> Liveness:
    return Liveness.UNSURE


def started(name: str = "r", pipeline: str = "p", at: float = 10.0) -> RunStarted:
    return RunStarted(run=name, at=at, pipeline=pipeline, plan={"params": {"x": 1}, "stages": []})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "state" / "journal.db")
    yield made
    made.close()


def test_every_kind_of_event_is_tried() -> None:
    assert set(EVENTS) == set(events.KINDS)


@settings(max_examples=300, deadline=None)
@given(event=any_event)
def test_events_survive_json(event: Event) -> None:
    assert from_json(json.loads(json.dumps(event.to_json()))) == event


@given(extra=st.dictionaries(st.text(min_size=6), st.integers(), max_size=3))
def test_fields_of_a_newer_version_are_ignored(extra: dict[str, int]) -> None:
    event = RunEnded(run="r", at=1.0, status=Status.COMPLETED)
    assert from_json({**extra, **event.to_json(), "v": 99}) == event


def test_an_unknown_event_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown event type 'Nope'"):
        from_json({"type": "Nope"})
    with pytest.raises(ValueError, match="RunEnded"):
        from_json({"type": "RunEnded", "run": "r"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(any_event, max_size=12))
def test_what_is_appended_is_read_back_in_order(tmp_path: Path, told: list[Event]) -> None:
    path = tmp_path / "j.db"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    try:
        journal.append([event for event in told if not isinstance(event, RunStarted)])
        kept = [event for event in told if not (isinstance(event, RunStarted) or event.transient)]
        assert [event for _, event in journal.events.of("r")] == kept
    finally:
        journal.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


@settings(max_examples=200, deadline=None)
@given(told=st.lists(any_event, max_size=20))
def test_any_prefix_of_events_makes_a_history(told: list[Event]) -> None:
    history = RunHistory()
    for event in told:
        history.take(event)
        assert all(isinstance(record.status, Status) for record in history.stages.values())
        if history.ended:
            last = history.stages.values()
            assert isinstance(event, RunEnded) is False or all(record.status.is_final for record in last)


def test_a_run_is_summed_up(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.params, record.ended) == (Status.RUNNING, {"x": 1}, None)
    journal.append([RunEnded(run="r", at=20.0, status=Status.FAILED, reason="no")])
    journal.append([RunEnded(run="r", at=30.0, status=Status.COMPLETED)])
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.ended) == (Status.FAILED, 20.0), "a final status stays"


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


def test_an_owner_that_was_replaced_writes_nothing(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    done = StageEnded(run="one", at=11.0, stage="a", status=Status.COMPLETED)
    journal.append([done], owner="one")
    journal.begin(started("two"), OTHER, dead)
    before = journal.events.of("one")
    with pytest.raises(RunTakenOver, match="the run one was taken over"):
        journal.append([done], owner="one")
    with pytest.raises(RunTakenOver), journal.leases.owned("one"):
        pytest.fail("nothing is done in its name")
    journal.leases.beat("one")
    assert journal.events.of("one") == before
    journal.append([RunEnded(run="two", at=20.0, status=Status.COMPLETED)], owner="two")
    with pytest.raises(RunTakenOver):  # its own end is the last that a run writes
        journal.append([StageEnded(run="two", at=21.0, stage="a", status=Status.FAILED)], owner="two")


def test_what_is_done_while_the_pipeline_is_owned_is_one_transaction(journal: Journal) -> None:
    journal.begin(started("one"), HERE, alive)
    done = StageEnded(run="one", at=11.0, stage="a", status=Status.COMPLETED)

    def fail_on_the_way() -> None:
        with journal.leases.owned("one"):
            journal.append([done], owner="one")
            raise KeyError

    with pytest.raises(KeyError):
        fail_on_the_way()
    assert [type(event) for _, event in journal.events.of("one")] == [RunStarted]
    with journal.leases.owned("one"):
        journal.append([done], owner="one")
    assert [event for _, event in journal.events.of("one")][1:] == [done]


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


@pytest.mark.parametrize(
    ("column", "value"),
    [("pid", "'x'"), ("pid", "-5"), ("pid", "1e300"), ("pid", str(2**40)), ("started", "'soon'")],
)
def test_an_owner_that_makes_no_sense_is_none(journal: Journal, column: str, value: str) -> None:
    journal.begin(started("one"), HERE, alive)
    db = sqlite3.connect(journal.path)
    db.execute(f"UPDATE owners SET {column} = {value}, host = x'00ff', beat = 'y'")
    db.commit()
    db.close()
    assert journal.leases.owners() == []
    assert journal.close_abandoned(alive, 50.0) == ["one"]
    journal.begin(started("two"), OTHER, alive)


# -- results ------------------------------------------------------------------------------------


def ended(stage_name: str, fingerprint: str, run_name: str = "r", at: float = 11.0) -> events.AttemptEnded:
    outputs = {"out": Artifact(path=f"{stage_name}.txt", sha256="0" * 64, size=1, kept=True)}
    return events.AttemptEnded(
        run=run_name, at=at, stage=stage_name, attempt=1, seconds=1.0, outputs=outputs,
        fingerprint=fingerprint, head=f"head of {fingerprint}", parts={"params": {"x": 1}},
    )  # fmt: skip


def test_results_are_found_by_fingerprint_and_by_stage(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("a", "two"), ended("b", "one"), ended("c", "")], owner="r")
    known = KnownResults(journal.results)
    assert [(result.stage, result.number) for result in known.find("one")] == [("b", 4), ("a", 2)]
    latest = known.latest("p", "a")
    assert latest is not None
    assert (latest.fingerprint, latest.run, latest.parts) == ("two", "r", {"params": {"x": 1}})
    assert known.latest("p", "c") is None
    assert known.latest("q", "a") is None
    assert (known.has_head("head of one"), known.has_head("one")) == (True, False)
    assert journal.results.output_paths() == ["a.txt", "b.txt"]
    journal.append([events.StageReused(run="r", at=12.0, stage="a", number=2)], owner="r")
    again = KnownResults(journal.results).latest("p", "a")
    assert again is not None
    assert again.fingerprint == "one"


def test_old_results_are_forgotten_unless_a_stage_came_to_them_last(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    told = [ended("a", "old", at=1.0), ended("a", "new", at=9.0), ended("b", "last", at=1.0)]
    journal.append(told, owner="r")
    assert journal.results.forget(5.0) == 1
    assert sorted(result.fingerprint for result in journal.results.where("1", ())) == ["last", "new"]
    assert journal.results.forget(50.0) == 0


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
            params={"x": 1}, origin={},
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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE events SET data = replace(data, '10.0', '11.0') WHERE seq = 1", "its event 1"),
        ("UPDATE events SET data = x'ff00' WHERE seq = 1", "its event 1"),
        ("UPDATE events SET sum = sum + 1 WHERE seq = 2", "its event 2"),
        ("UPDATE events SET run = 'r' WHERE seq = 4", "its event 4"),
        ("UPDATE events SET seq = 9 WHERE seq = 3", "its event 9"),
        ("UPDATE runs SET status = 'completed' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET status = 'dunno' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET params = '{' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET id = 'q' WHERE id = 'r'", "the run q"),
    ],
)
def test_what_is_not_as_it_was_written_is_told(journal: Journal, change: str, told: str) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("b", "two")], owner="r")
    journal.begin(started("other", pipeline="q"), HERE, alive)
    db = sqlite3.connect(journal.path)
    db.execute(change)
    db.commit()
    db.close()
    with pytest.raises(JournalUnreadable, match=f"is damaged: {told} is not as it was written") as caught:
        _ = [journal.events.of(record.id) for record in journal.runs.latest()]
    assert "doctor --repair" in caught.value.hint
    assert sum(damaged for _, damaged in journal.count_damaged().values()) == 1
    assert journal.events.durations("p").keys() <= {"a", "b"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE results SET data = replace(data, '000', '001') WHERE number = 2",
        "UPDATE results SET fingerprint = 'two' WHERE number = 2",
        "UPDATE results SET number = 7 WHERE number = 2",
        "UPDATE results SET data = x'00' WHERE number = 2",
        "UPDATE results SET sum = 1 WHERE number = 2",
    ],
)
def test_a_damaged_result_is_as_good_as_none(journal: Journal, change: str) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("b", "two")], owner="r")
    db = sqlite3.connect(journal.path)
    db.execute(change)
    db.commit()
    db.close()
    known = KnownResults(journal.results)
    assert list(known.find("one")) == []
    assert [result.stage for result in known.find("two")] == ["b"]
    assert known.latest("p", "a") is None
    assert journal.count_damaged()["results"] == (2, 1)


def test_the_last_result_of_a_stage_is_not_that_of_another(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("a", "two")], owner="r")
    db = sqlite3.connect(journal.path)
    db.execute("UPDATE latest SET number = 2")
    db.commit()
    db.close()
    assert KnownResults(journal.results).latest("p", "a") is None
    assert journal.count_damaged()["latest results"] == (1, 1)


def test_a_consumer_gets_each_event_once_and_no_cells(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append(
        [
            events.CellStarted(run="r", at=1.0, stage="a", attempt=1, cell=1, cells=1),
            StageEnded(run="r", at=2.0, stage="a", status=Status.COMPLETED),
        ]
    )
    pending = journal.outbox.pending("mlflow")
    assert [type(event) for _, event in pending] == [RunStarted, StageEnded]
    journal.outbox.taken("mlflow", pending[0][0])
    assert [type(event) for _, event in journal.outbox.pending("mlflow")] == [StageEnded]
    assert journal.outbox.count_pending("mlflow") == 1
    assert journal.outbox.count_pending("another") == 2


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

"""The journal: what was acknowledged stays, one owner at a time, any prefix makes sense."""

from __future__ import annotations

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
from stagebook.errors import JournalUnreadable, PipelineBusy
from stagebook.events import Event, RunEnded, RunStarted, StageEnded, Status, from_json
from stagebook.record.history import RunHistory
from stagebook.record.journal import Journal, Owner

PLATFORM = str(Path(__file__).parents[2] / "platform")
HERE = Owner(pid=1, started=1.0, host="here")
OTHER = Owner(pid=2, started=2.0, host="here")

text = st.text(max_size=20)
number = st.floats(0, 2e9, allow_nan=False)
small = st.integers(0, 50)
data = st.dictionaries(
    text, st.one_of(st.none(), st.integers(), text, st.lists(text, max_size=2)), max_size=3
)
stage = st.sampled_from(["a", "b", "c@1"])
run = st.just("r")
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
        events.AttemptStarted, run=run, at=number, stage=stage, attempt=small, folder=text, params=data
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
        inputs=data,
        outputs=data,
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
    import json

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
        assert [event for _, event in journal.events("r")] == kept
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
    journal.begin(started(), HERE, lambda _: True)
    record = journal.run("r")
    assert record is not None
    assert (record.status, record.params, record.ended) == (Status.RUNNING, {"x": 1}, None)
    journal.append([RunEnded(run="r", at=20.0, status=Status.FAILED, reason="no")])
    journal.append([RunEnded(run="r", at=30.0, status=Status.COMPLETED)])
    record = journal.run("r")
    assert record is not None
    assert (record.status, record.ended) == (Status.FAILED, 20.0), "a final status stays"


def test_a_second_owner_is_refused_and_nothing_is_written(journal: Journal) -> None:
    journal.begin(started("one"), HERE, lambda _: True)
    with pytest.raises(PipelineBusy, match=r"'p' is being run already: one \(process 1 on here\)"):
        journal.begin(started("two"), OTHER, lambda _: True)
    assert journal.run("two") is None
    journal.begin(started("three", pipeline="q"), OTHER, lambda _: True)


def test_a_dead_owner_is_replaced_and_its_run_is_interrupted(journal: Journal) -> None:
    journal.begin(started("one"), HERE, lambda _: True)
    journal.begin(started("two", at=99.0), OTHER, lambda owner: owner != HERE)
    record = journal.run("one")
    assert record is not None
    assert (record.status, record.ended) == (Status.INTERRUPTED, 99.0)


def test_ghosts_are_closed_once(journal: Journal) -> None:
    journal.begin(started("one"), HERE, lambda _: True)
    assert journal.close_ghosts(lambda _: True, 50.0) == []
    assert journal.close_ghosts(lambda _: False, 50.0) == ["one"]
    assert journal.close_ghosts(lambda _: False, 60.0) == []
    assert [type(event) for _, event in journal.events("one")] == [RunStarted, RunEnded]


def test_a_consumer_gets_each_event_once_and_no_cells(journal: Journal) -> None:
    journal.begin(started(), HERE, lambda _: True)
    journal.append(
        [
            events.CellStarted(run="r", at=1.0, stage="a", attempt=1, cell=1, cells=1),
            StageEnded(run="r", at=2.0, stage="a", status=Status.COMPLETED),
        ]
    )
    pending = journal.pending("mlflow")
    assert [type(event) for _, event in pending] == [RunStarted, StageEnded]
    journal.taken("mlflow", pending[0][0])
    assert [type(event) for _, event in journal.pending("mlflow")] == [StageEnded]
    assert journal.count_pending("mlflow") == 1
    assert journal.count_pending("another") == 2


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
    with pytest.raises(JournalUnreadable, match="newer version"):
        Journal(path)


WRITER = """
import sys
from pathlib import Path
from stagebook.events import StageEnded, Status
from stagebook.record.journal import Journal
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
        times = [event.at for _, event in journal.events("r")]
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
    assert len(journal.events("r")) == 3 * 50 * 3
    journal.close()

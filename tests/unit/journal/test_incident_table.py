"""Incidents in the journal: added up when somebody looks, whoever looks and however often."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journals import alter, started
from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.errors import JournalUnreadable
from stagebook.events import (
    AttemptEnded,
    Cause,
    CellStarted,
    Event,
    IncidentMarked,
    RunEnded,
    RunStarted,
    ScheduleChecked,
    StageEnded,
    Status,
)
from stagebook.incidents.incident import Kind, What
from stagebook.journal.journal import Journal


def run(name: str, status: Status, at: float = 10.0, *, message: str = "", **fields: str) -> list[Event]:
    """A run of one stage, which fails or completes."""
    failed = status is Status.FAILED
    return [
        RunStarted(run=name, at=at, pipeline="p", plan={"stages": []}, **fields),  # type: ignore[arg-type]
        CellStarted(run=name, at=at, stage="a", attempt=1, cell=1, cells=1),
        AttemptEnded(
            run=name, at=at, stage="a", attempt=1, seconds=1.0, message=message,
            cause=Cause.EXCEPTION if failed else None,
        ),
        StageEnded(run=name, at=at, stage="a", status=status),
        RunEnded(run=name, at=at + 1, status=Status.FAILED if failed else Status.COMPLETED),
    ]  # fmt: skip


def test_a_journal_at_which_nobody_looked_has_no_tables(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    assert journal.incidents.look(opens=False) == []
    assert journal.incidents.changes_after(0) == []
    assert not journal._db.read("SELECT 1 FROM sqlite_master WHERE name LIKE 'incident%'")


def test_a_failure_is_there_once_somebody_looks_and_gone_with_health(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED, message="ValueError: x"))
    (found,) = journal.incidents.look(opens=True)
    assert (found.pipeline, found.kind, found.subject, found.message) == (
        "p", Kind.FAILURE, "a", "ValueError: x",
    )  # fmt: skip
    journal.append(run("r2", Status.FAILED, 20.0))
    journal.append(run("r3", Status.COMPLETED, 30.0))
    (found,) = journal.incidents.look(opens=True)
    assert (found.runs, found.closed, found.closed_run) == (2, 30.0, "r3")
    whats = [change.what for change in journal.incidents.changes_of(found.id)]
    assert whats == [What.OPENED, What.AGAIN, What.CLOSED]


def test_the_changes_after_a_number_are_those_of_later_events(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    journal.incidents.look(opens=True)
    until = journal.events.last_number()
    journal.append(run("r2", Status.COMPLETED))
    journal.incidents.look(opens=True)
    assert [change.what for change in journal.incidents.changes_after(until)] == [What.CLOSED]
    assert len(journal.incidents.changes_after(0)) == 2


def test_points_of_sweeps_are_experiments(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED, parent="sweep"))
    assert journal.incidents.look(opens=True) == []


def test_what_people_say_is_there_with_the_next_look(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    (found,) = journal.incidents.look(opens=True)
    journal.append([IncidentMarked(run="r1", at=12.0, incident=found.id, action="ack", by="ada")])
    (found,) = journal.incidents.look(opens=True)
    assert [said.by for said in found.acks] == ["ada"]


def test_the_latest_incidents_come_first(journal: Journal) -> None:
    for at in (1, 2, 3):
        journal.append(run(f"f{at}", Status.FAILED, 10.0 * at))
        journal.append(run(f"c{at}", Status.COMPLETED, 10.0 * at + 5))
    assert [one.run for one in journal.incidents.look(opens=True)] == ["f3", "f2", "f1"]


def test_a_contract_that_failed_before_the_last_look_is_known_at_the_end_of_the_stage(
    journal: Journal,
) -> None:
    check = CheckResult(
        rule="r", text="t", severity=Severity.FAIL, outcome=Outcome.BROKEN, message="3 rows are below 0"
    )
    audit = Audit(dataset="d", contract="c", version="1", digest="", rows=1, checks=(check,))
    failed = AttemptEnded(
        run="r", at=1.0, stage="a", attempt=1, seconds=1.0, cause=Cause.CONTRACT, audits={"out": audit}
    )
    journal.append([started(), failed])
    assert journal.incidents.look(opens=True) == []
    journal.append([StageEnded(run="r", at=2.0, stage="a", status=Status.FAILED)])
    (found,) = journal.incidents.look(opens=True)
    assert (found.kind, found.subject, found.message) == (Kind.CONTRACT, "a.out", "3 rows are below 0")


def test_another_process_sees_the_same(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    other = Journal(journal.path)
    assert other.incidents.look(opens=True) == journal.incidents.look(opens=True)
    other.close()


def test_where_nothing_can_be_written_it_is_read_all_the_same(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(run("r1", Status.FAILED))
    monkeypatch.setattr(journal._db, "is_writable", False)  # as in a folder that is read-only
    assert [one.run for one in journal.incidents.look(opens=True)] == ["r1"]
    assert not journal._db.read("SELECT 1 FROM sqlite_master WHERE name LIKE 'incident%'")


def test_a_damaged_row_is_told_and_a_damaged_event_passed_over(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    journal.append(run("r2", Status.FAILED))
    alter(journal.path, "UPDATE events SET data = replace(data, 'failed', 'fooled') WHERE run = 'r1'")
    assert [one.run for one in journal.incidents.look(opens=True)] == ["r2"]
    alter(journal.path, "UPDATE incidents SET data = replace(data, 'failure', 'warning')")
    with pytest.raises(JournalUnreadable, match="damaged: the incident"):
        journal.incidents.look(opens=True)


@pytest.mark.parametrize("left", ["", "{", "[1", "\\0"])
def test_an_event_that_is_no_json_any_more_hides_no_other(journal: Journal, left: str) -> None:
    miss = {"kind": "late", "message": "it is running", "since": 1.0, "run": "", "due": 0.0}
    seen = ScheduleChecked(run="", at=1.0, pipeline="p", schedule="nightly", missed=[miss])
    journal.append([seen, seen, *run("r1", Status.FAILED), *run("r2", Status.FAILED)])
    for what in ("run = 'r1'", "seq = 1"):
        alter(journal.path, f"UPDATE events SET data = '{left}' WHERE {what} AND type != 'RunStarted'")
    found = {(one.kind, one.run) for one in journal.incidents.look(opens=True)}
    assert found == {(Kind.FAILURE, "r2"), (Kind.LATE, "")}


def test_an_attempt_that_was_damaged_between_two_looks_is_passed_over(journal: Journal) -> None:
    """What the stage came to is known without it, but not why."""
    begin, *rest, failed, ended = run("r1", Status.FAILED, message="ValueError: x")
    journal.append([begin, *rest])
    assert journal.incidents.look(opens=True) == []
    alter(journal.path, "UPDATE events SET data = '{' WHERE type = 'AttemptEnded'")
    journal.append([failed, ended])
    (found,) = journal.incidents.look(opens=True)
    assert (found.kind, found.subject, found.message) == (Kind.FAILURE, "a", "")


def test_tables_that_are_lost_are_made_anew(journal: Journal) -> None:
    journal.append(run("r1", Status.FAILED))
    before = journal.incidents.look(opens=True)
    for table in ("incidents", "incident_changes", "incidents_until"):
        alter(journal.path, f"DROP TABLE {table}")
    assert journal.incidents.look(opens=True) == before


def test_points_of_sweeps_open_none_and_intervals_of_backfills_do(journal: Journal) -> None:
    journal.append([RunStarted(run="s", at=1.0, pipeline="p", plan={"stages": []}, kind="sweep")])
    journal.append(run("s1", Status.FAILED, parent="s"))
    assert journal.incidents.look(opens=True) == []
    journal.append([RunStarted(run="b", at=1.0, pipeline="p", plan={"stages": []}, kind="backfill")])
    journal.append(run("b1", Status.FAILED, parent="b"))
    (found,) = journal.incidents.look(opens=True)
    assert (found.run, found.subject) == ("b1", "a")
    journal.append(run("b2", Status.COMPLETED, parent="b"))
    journal.append(run("s2", Status.COMPLETED, parent="s"))
    (found,) = journal.incidents.look(opens=True)
    assert found.is_open, "neither another interval nor an experiment says that it is well"
    journal.append(run("nightly", Status.COMPLETED))
    (found,) = journal.incidents.look(opens=True)
    assert found.closed_run == "nightly"


def test_what_is_seen_of_schedules_belongs_to_no_run(journal: Journal) -> None:
    miss = {"kind": "late", "message": "it is running", "since": 1.0, "run": "", "due": 0.0}
    journal.append([ScheduleChecked(run="", at=1.0, pipeline="p", schedule="nightly", missed=[miss])])
    (found,) = journal.incidents.look(opens=True)
    assert (found.kind, found.name, found.run) == (Kind.LATE, "p/nightly", "")
    journal.append([IncidentMarked(run="", at=2.0, incident=found.id, action="ack", by="ada")])
    journal.append([ScheduleChecked(run="", at=3.0, pipeline="p", schedule="nightly")])
    (found,) = journal.incidents.look(opens=True)
    assert ([said.by for said in found.acks], found.closed) == (["ada"], 3.0)
    assert journal.runs.latest() == []
    assert journal.outbox.pending("mlflow") == [], "MLflow has no place for it"


_steps = st.lists(
    st.tuples(st.sampled_from([Status.FAILED, Status.COMPLETED, Status.CANCELLED]), st.booleans()), max_size=8
)


@settings(max_examples=30)  # each makes two journals
@given(_steps)
def test_however_often_somebody_looks_it_comes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[Status, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    often, once = Journal(folder / "a" / "journal.db"), Journal(folder / "b" / "journal.db")
    for at, (status, looks) in enumerate(steps):
        for event in run(f"r{at}", status, 10.0 * at):
            often.append([event])
            once.append([event])
            if looks:
                often.incidents.look(opens=True)
    assert often.incidents.look(opens=True) == once.incidents.look(opens=True)
    assert often.incidents.changes_after(0) == once.incidents.changes_after(0)
    often.close()
    once.close()

"""Alerts in the journal: none is lost, and none is made twice."""

from __future__ import annotations

import pytest

from journals import alter, started
from stagebook.errors import JournalUnreadable
from stagebook.events import RunEnded, Status, VersionPublished
from stagebook.journal.alert_table import ALERTS, KEPT, StoredAlert
from stagebook.journal.journal import Journal


def alert(key: str, made: float = 5.0, **fields: object) -> StoredAlert:
    values = {"rule": "ops", "recipient": "r", "message": {"title": key}, **fields}
    return StoredAlert(key=key, made=made, **values)  # type: ignore[arg-type]


def test_a_journal_without_alerts_has_no_table(journal: Journal) -> None:
    journal.alerts.store([], 3)
    assert (journal.alerts.waiting(), journal.alerts.latest(5), journal.alerts.position) == ([], [], 3)
    assert not journal._db.read("SELECT 1 FROM sqlite_master WHERE name = 'alerts'")


def test_alerts_begin_with_what_happens_from_now_on(journal: Journal) -> None:
    journal.append([started()])
    assert journal.alerts.position is None
    journal.alerts.begin()
    assert journal.alerts.position == 1
    journal.append([RunEnded(run="r", at=11.0, status=Status.COMPLETED)])
    journal.alerts.begin()
    assert journal.alerts.position == 1  # it has begun before


def test_what_is_stored_comes_back_and_is_stored_once(journal: Journal) -> None:
    journal.alerts.store([alert("a"), alert("b", 4.0, next=9.0)], 7)
    journal.alerts.store([alert("a", message={"title": "another"})], 8)
    assert [one.key for one in journal.alerts.waiting()] == ["b", "a"]
    assert [one.message["title"] for one in journal.alerts.latest(9)] == ["a", "b"]
    assert journal.alerts.waiting()[0] == alert("b", 4.0, next=9.0)
    assert journal.alerts.position == 8


def test_the_course_of_an_alert(journal: Journal) -> None:
    journal.alerts.store([alert("a"), alert("b")], 1)
    journal.alerts.trying("a", 60.0)
    journal.alerts.failed("a", "nobody is there")
    (first, _) = journal.alerts.waiting()
    assert (first.tries, first.next, first.trouble) == (1, 60.0, "nobody is there")
    journal.alerts.sent("a")
    journal.alerts.drop("b", "it is old")
    assert journal.alerts.waiting() == []
    assert {one.key: (one.state, one.trouble) for one in journal.alerts.latest(9)} == {
        "a": ("sent", ""),
        "b": ("dropped", "it is old"),
    }


def test_what_was_sent_long_ago_is_forgotten_and_what_waits_is_not(journal: Journal) -> None:
    journal.alerts.store([alert("old", 1.0), alert("waits", 1.0), alert("new", 2 * KEPT)], 1)
    journal.alerts.sent("old")
    journal.alerts.sent("new")
    journal.alerts.prune(KEPT + 2.0)
    assert {one.key for one in journal.alerts.latest(9)} == {"waits", "new"}


def test_a_damaged_alert_is_told(journal: Journal) -> None:
    journal.alerts.store([alert("a")], 1)
    alter(journal.path, "UPDATE alerts SET data = '{}'")
    with pytest.raises(JournalUnreadable, match="the alert a"):
        journal.alerts.waiting()


def test_the_alert_and_the_position_are_stored_together(journal: Journal) -> None:
    """An error in between takes both back."""

    def broken() -> object:
        yield alert("a")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        journal.alerts.store(broken(), 5)  # type: ignore[arg-type]
    assert (journal.alerts.position, journal.alerts.latest(5)) == (None, [])


def test_versions_that_are_shown_since(journal: Journal) -> None:
    told = [VersionPublished(run="r", at=1.0, environment="prod", version=at) for at in (1, 2)]
    journal.append([started(), *told])
    assert journal.alerts.versions_after(0) == [(2, told[0]), (3, told[1])]
    assert journal.alerts.versions_after(2) == [(3, told[1])]
    alter(journal.path, "UPDATE events SET data = '{' WHERE seq = 2")
    assert journal.alerts.versions_after(0) == [(3, told[1])], "one that is damaged hides no other"


def test_its_position_is_that_of_a_consumer(journal: Journal) -> None:
    journal.alerts.store([], 12)
    assert journal.outbox.count_pending(ALERTS) == 0

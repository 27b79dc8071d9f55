"""The results that stages came to: found by fingerprint and by stage, forgotten when old."""

from __future__ import annotations

import pytest

from journals import HERE, alive, alter, ended, started
from stagebook import events
from stagebook.journal.journal import Journal
from stagebook.journal.result_table import KnownResults


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
    alter(journal.path, change)
    known = KnownResults(journal.results)
    assert list(known.find("one")) == []
    assert [result.stage for result in known.find("two")] == ["b"]
    assert known.latest("p", "a") is None
    assert journal.count_damaged()["results"] == (2, 1)


def test_the_last_result_of_a_stage_is_not_that_of_another(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("a", "two")], owner="r")
    alter(journal.path, "UPDATE latest SET number = 2")
    assert KnownResults(journal.results).latest("p", "a") is None
    assert journal.count_damaged()["latest results"] == (1, 1)

"""What runs are about: kept with their beginning, and found by pipeline and interval."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from journals import HERE, alive, alter, started
from stagebook.errors import JournalUnreadable, RunBegunAlready
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.interval_table import RunInterval
from stagebook.journal.journal import Journal
from stagebook.timing.reading import parse_interval


def about(run: str, text: str, schedule: str = "", pipeline: str = "p") -> RunStarted:
    interval = parse_interval(text).to_json() if text else {}
    return dataclasses.replace(started(run, pipeline), interval=interval, schedule=schedule)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def names(found: list[RunInterval]) -> list[tuple[str, str]]:
    return [(one.run, one.name) for one in found]


def test_the_runs_of_a_pipeline_are_found_by_interval(journal: Journal) -> None:
    for event in (
        about("r1", "2026-01-06"),
        about("r2", "2026-01-05[Europe/Berlin]", "daily"),
        about("r3", "2026-01-06"),
        about("other", "2026-01-06", pipeline="q"),
        about("r4", "", "hourly"),
        started("r5"),
    ):
        journal.append([event, RunEnded(run=event.run, at=11.0, status=Status.COMPLETED)])
    of = journal.intervals.of_pipeline
    assert names(of("p")) == [("r2", "2026-01-05"), ("r1", "2026-01-06"), ("r3", "2026-01-06")]
    assert names(of("p", parse_interval("2026-01-06T00..2026-01-07"))) == [
        ("r1", "2026-01-06"),
        ("r3", "2026-01-06"),
    ]
    assert names(of("p", parse_interval("2026-01"))) == names(of("p"))
    assert of("p", parse_interval("2026-02")) == []
    found = journal.intervals.of_runs(["r2", "r4", "r5", "unknown"])
    assert set(found) == {"r2", "r4"}
    assert found["r2"].interval == parse_interval("2026-01-05", "Europe/Berlin")
    assert (found["r2"].schedule, found["r4"].schedule, found["r4"].interval) == ("daily", "hourly", None)


def test_a_journal_without_any_is_as_it_was(journal: Journal) -> None:
    journal.append([started()])
    assert journal.intervals.of_pipeline("p") == []
    assert journal.intervals.of_runs(["r"]) == {}
    assert "intervals" not in journal.count_damaged()


def test_a_damaged_row_is_found_out(journal: Journal) -> None:
    journal.append([about("r", "2026-01")])
    assert journal.count_damaged()["intervals"] == (1, 0)
    alter(journal.path, "UPDATE intervals SET end = end + 1")
    assert journal.count_damaged()["intervals"] == (1, 1)
    with pytest.raises(JournalUnreadable, match="the interval of the run r"):
        journal.intervals.of_pipeline("p")


def test_a_mended_journal_has_them_again(journal: Journal, tmp_path: Path) -> None:
    journal.append([about("r", "2026-01", "monthly"), RunEnded(run="r", at=11.0, status=Status.COMPLETED)])
    before = journal.intervals.of_pipeline("p")
    mended = Journal(tmp_path / "mended.db")
    mended.restore({number: json.dumps(event.to_json()) for number, event in journal.events.of("r")}, 12.0)
    assert mended.intervals.of_pipeline("p") == before
    mended.close()


def test_a_chosen_id_begins_once(journal: Journal) -> None:
    journal.begin(about("r", "2026-01"), HERE, alive)
    with pytest.raises(RunBegunAlready, match="the run r began before"):
        journal.begin(about("r", "2026-01", pipeline="q"), HERE, alive)
    journal.append([RunEnded(run="r", at=11.0, status=Status.COMPLETED)])
    with pytest.raises(RunBegunAlready):
        journal.begin(about("r", "2026-01"), HERE, alive)
    assert [number for number, _ in journal.events.of("r")] == [1, 2]

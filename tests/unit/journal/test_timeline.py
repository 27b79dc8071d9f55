"""Runs over time: those of a pipeline in a stretch of time, with the events that say how their stages are."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import alter, started
from stagebook.errors import JournalUnreadable
from stagebook.events import (
    AttemptStarted,
    CellStarted,
    Event,
    NoteAdded,
    OutputWritten,
    RunEnded,
    RunStarted,
    StageEnded,
    Status,
)
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def begun(run: str, at: float, *, kind: str = "run", parent: str = "", pipeline: str = "p") -> RunStarted:
    return dataclasses.replace(started(run, pipeline, at), kind=kind, parent=parent)


def whole(journal: Journal, run: str, at: float, status: Status = Status.COMPLETED, **fields: str) -> None:
    """A run that began at a time and ended a second later."""
    journal.append([begun(run, at, **fields), RunEnded(run=run, at=at + 1.0, status=status)])


def names(journal: Journal, limit: int = 50, within: tuple[float, float] | None = None) -> list[str]:
    return [run.id for run in journal.timeline.latest("p", limit, within)]


def test_runs_of_backfills_are_among_them_and_points_of_sweeps_are_not(journal: Journal) -> None:
    whole(journal, "first", 10.0)
    whole(journal, "other", 11.0, pipeline="q")
    whole(journal, "sweep", 12.0, kind="sweep")
    whole(journal, "point", 13.0, parent="sweep")
    whole(journal, "backfill", 14.0, kind="backfill")
    whole(journal, "child", 15.0, parent="backfill")
    whole(journal, "accepted", 16.0, kind="accept")
    journal.append([begun("last", 17.0)])
    assert names(journal) == ["first", "child", "last"]
    assert journal.timeline.count("p") == 3
    assert journal.timeline.outcomes("p", (0.0, 100.0)) == [
        (10.0, Status.COMPLETED), (15.0, Status.COMPLETED), (17.0, Status.RUNNING),
    ]  # fmt: skip
    assert journal.timeline.latest("none", 5) == []


def test_the_latest_ones_are_told_in_their_order(journal: Journal) -> None:
    for at in range(20):
        whole(journal, f"r{at:02}", 100.0 + at)
    assert names(journal, 3) == ["r17", "r18", "r19"]
    assert names(journal, 3, (100.0, 105.0)) == ["r02", "r03", "r04"]
    assert names(journal, 3, (119.5, 200.0)) == []
    assert journal.timeline.count("p", (100.0, 105.0)) == 5
    whole(journal, "same", 119.0)
    assert names(journal, 2) == ["r19", "same"], (
        "of two that began at once the one that was written later is the later"
    )


def test_statuses_are_those_of_the_runs_that_are_known(journal: Journal) -> None:
    whole(journal, "good", 1.0)
    whole(journal, "bad", 2.0, Status.FAILED)
    journal.append([begun("now", 3.0)])
    assert journal.timeline.statuses(["bad", "good", "unknown", "now"]) == {
        "good": Status.COMPLETED,
        "bad": Status.FAILED,
        "now": Status.RUNNING,
    }
    assert journal.timeline.statuses([]) == {}


def test_backfills_are_told_the_latest_first(journal: Journal) -> None:
    for at in range(4):
        whole(journal, f"b{at}", float(at), kind="backfill")
        whole(journal, f"r{at}", float(at))
    assert [run.id for run in journal.timeline.backfills("p", 3)] == ["b3", "b2", "b1"]


def test_what_a_stage_is_is_known_without_what_its_cells_did(journal: Journal) -> None:
    events: list[Event] = [
        dataclasses.replace(
            begun("r", 1.0), plan={"stages": [{"id": "a", "notebook": ""}, {"id": "b", "notebook": ""}]}
        ),
        AttemptStarted(run="r", at=2.0, stage="a", attempt=1, folder="x"),
        CellStarted(run="r", at=2.0, stage="a", attempt=1, cell=1, cells=2),
        OutputWritten(run="r", at=2.0, stage="a", attempt=1, cell=1, text="x", size=1),
        StageEnded(run="r", at=3.0, stage="a", status=Status.FAILED, reason="ValueError"),
        NoteAdded(run="r", at=4.0, stage="a", text="look", by="ann"),
    ]
    journal.append(events)
    whole(journal, "s", 5.0)
    found = journal.timeline.events_of(["s", "r", "unknown"])
    assert list(found) == ["s", "r", "unknown"]
    assert [type(event).__name__ for event in found["r"]] == [
        "RunStarted", "AttemptStarted", "StageEnded", "NoteAdded",
    ]  # fmt: skip
    assert found["unknown"] == []
    stages = RunHistory(found["r"]).stages
    assert [(name, stage.status) for name, stage in stages.items()] == [
        ("a", Status.FAILED), ("b", Status.PENDING),
    ]  # fmt: skip
    assert stages["a"].notes[0].by == "ann"


STATUSES = st.sampled_from([Status.COMPLETED, Status.FAILED, Status.SKIPPED, Status.REUSED])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | STATUSES), max_size=12))
def test_the_statuses_of_stages_are_those_of_the_whole_story(told: list[tuple[str, Status | None]]) -> None:
    """Law: what is left out changes no status."""
    story: list[Event] = [begun("r", 1.0)]
    for stage, status in told:
        if status is None:
            story.append(AttemptStarted(run="r", at=2.0, stage=stage, attempt=1, folder="x"))
            story.append(CellStarted(run="r", at=2.0, stage=stage, attempt=1, cell=1, cells=9))
        else:
            story.append(StageEnded(run="r", at=3.0, stage=stage, status=status))
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        journal.relax()
        journal.append(story)
        found = RunHistory(journal.timeline.events_of(["r"])["r"])
        journal.close()
    expected = {name: stage.status for name, stage in RunHistory(story).stages.items()}
    assert {name: stage.status for name, stage in found.stages.items()} == expected


def test_damage_is_told(journal: Journal) -> None:
    whole(journal, "r", 1.0)
    alter(journal.path, "UPDATE runs SET reason = 'other' WHERE id = 'r'")
    with pytest.raises(JournalUnreadable):
        journal.timeline.latest("p", 5)
    alter(journal.path, "UPDATE events SET data = '{}'")
    with pytest.raises(JournalUnreadable):
        journal.timeline.events_of(["r"])

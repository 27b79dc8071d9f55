"""Runs, summed up in rows."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from journals import HERE, alive, alter, started
from stagebook.errors import JournalUnreadable
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import Journal
from stagebook.origin import Origin
from strategies import plain_data


def ended(run: str, at: float = 20.0, status: Status = Status.COMPLETED, reason: str = "") -> RunEnded:
    return RunEnded(run=run, at=at, status=status, reason=reason)


def test_a_run_is_summed_up(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.params, record.ended) == (Status.RUNNING, {"x": 1}, None)
    journal.append([ended("r", 20.0, Status.FAILED, "no"), ended("r", 30.0)])
    record = journal.runs.find("r")
    assert record is not None
    assert (record.status, record.reason, record.ended) == (Status.FAILED, "no", 20.0), "a final status stays"
    assert json.loads(json.dumps(record.to_json()))["status"] == "failed"


def test_the_latest_runs_are_those_that_began_last_whatever_the_clock_said(journal: Journal) -> None:
    for name, pipeline, at in (("one", "p", 30.0), ("two", "q", 20.0), ("three", "p", 10.0)):
        journal.append([started(name, pipeline, at)])
    assert [run.id for run in journal.runs.latest()] == ["three", "two", "one"]
    assert [run.id for run in journal.runs.latest(pipeline="p")] == ["three", "one"]
    assert [run.id for run in journal.runs.latest(limit=2)] == ["three", "two"]
    assert journal.runs.latest(pipeline="unknown") == []


def test_the_points_of_a_sweep_are_found_by_their_parent(journal: Journal) -> None:
    journal.append([dataclasses.replace(started("sweep"), kind="sweep"), started("alone")])
    journal.append([dataclasses.replace(started(name), parent="sweep") for name in ("z", "a")])
    assert [(run.id, run.kind, run.parent) for run in journal.runs.points_of("sweep")] == [
        ("z", "run", "sweep"), ("a", "run", "sweep"),
    ]  # fmt: skip
    assert journal.runs.points_of("alone") == []
    journal.append([ended("z"), ended("alone")])
    assert journal.runs.unfinished() == [("sweep", ""), ("a", "sweep")]


def test_a_run_that_is_not_known_is_none(journal: Journal) -> None:
    journal.append([started(), ended("never begun")])
    assert journal.runs.find("never begun") is None
    assert journal.runs.find("R") is None
    assert (journal.runs.pipeline_of("r"), journal.runs.pipeline_of("never begun")) == ("p", None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=plain_data)
def test_params_and_origin_come_back_as_they_were_given(journal: Journal, value: Any) -> None:
    name = f"r{journal.runs.count()[0]}"
    plan = {"params": {"x": value}, "stages": []}
    origin = Origin(user=json.dumps(value), pid=4, signals=False)
    journal.append([RunStarted(run=name, at=1.0, pipeline="p", plan=plan, origin=origin)])
    found = journal.runs.find(name)
    assert found is not None
    assert (found.params, found.origin) == ({"x": value}, origin)
    assert journal.runs.count()[1] == 0


def test_a_run_may_not_begin_twice(journal: Journal) -> None:
    journal.append([started(at=1.0)])
    with pytest.raises(JournalUnreadable):
        journal.append([started(at=2.0)])
    found = journal.runs.find("r")
    assert found is not None
    assert (found.started, len(journal.events.of("r"))) == (1.0, 1)


def test_a_damaged_run_is_counted_and_the_others_can_be_read(journal: Journal) -> None:
    journal.append([started("one"), started("two")])
    alter(journal.path, "UPDATE runs SET reason = 'changed' WHERE id = 'one'")
    assert journal.runs.count() == (2, 1)
    assert journal.runs.find("two") is not None
    with pytest.raises(JournalUnreadable, match="the run one is not as it was written"):
        journal.runs.find("one")


def test_the_latest_of_each_pipeline_are_hidden_by_no_other_and_by_no_points(journal: Journal) -> None:
    names = [f"point{at}" for at in range(9)]
    journal.append([started("quiet", "q"), started("old", "p"), started("two"), started("three")])
    journal.append([dataclasses.replace(started(name), kind=name) for name in ("sweep", "accept")])
    journal.append([dataclasses.replace(started(name), parent="sweep") for name in names])
    journal.append([ended(run) for run in ("quiet", "old", "two", "three", "accept", *names[:-1])])
    found = [run.id for run in journal.runs.latest_of_each(2)]
    assert found == ["point8", "accept", "sweep", "three", "two", "quiet"], "one point goes on"
    assert [run.id for run in journal.runs.latest_of_each(1, points=True)] == [
        "point8", "accept", "sweep", "quiet",
    ]  # fmt: skip
    assert [run.id for run in journal.runs.latest(points=False, limit=3)] == ["accept", "sweep", "three"]
    assert journal.runs.latest(since=10.5) == []
    assert len(journal.runs.latest(since=10.0, limit=-1)) == 15
    assert [run.id for run in journal.runs.points_of("sweep", 2)] == ["point7", "point8"]
    assert journal.runs.count_by_parent(["sweep", "three"]) == {"sweep": 9}

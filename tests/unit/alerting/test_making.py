"""From a journal to alerts: what is known beside a fact, and each made once."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import FakeClock
from stagebook.alerting.deliver import Alerts, make_and_send
from stagebook.alerting.details import Details, Looking
from stagebook.alerting.making import OLD, new_facts
from stagebook.artifact import Artifact
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    RunEnded,
    RunStarted,
    ScheduleChecked,
    StageEnded,
    Status,
    VersionPublished,
)
from stagebook.incidents.incident import What
from stagebook.journal.journal import Journal
from stagebook.origin import Origin
from stagebook.workspace.notify_settings import NotifySettings
from stagebook.workspace.settings import Settings, TrackingSettings

NOW = 1_000_000_000.0


DAY = {
    "start": "2001-09-08T00:00:00+00:00",
    "end": "2001-09-09T00:00:00+00:00",
    "name": "2001-09-08",
    "zone": "UTC",
}


def run(
    name: str, at: float, *, failed: bool, reasons: Sequence[str] = (), schedule: str = ""
) -> list[Event]:
    plan = {"stages": [{"id": "clean@1", "notebook": "notebooks/clean.ipynb", "reasons": list(reasons)}]}
    folder = f".stagebook/runs/{name}/clean@1/1"
    of = {"run": name, "at": at, "stage": "clean@1"}
    status = Status.FAILED if failed else Status.COMPLETED
    outcome = (
        {"cause": Cause.EXCEPTION, "message": "Traceback\nValueError: NaN", "cell": 3, "cells": 8}
        if failed
        else {"fingerprint": name, "outputs": {"rows": Artifact(path="rows.csv", sha256="0" * 64, size=1)}}
    )
    return [
        RunStarted(
            run=name,
            at=at,
            pipeline="flights",
            plan=plan,
            origin=Origin(user="cron", commit="c0ffee" * 7),
            interval=DAY if schedule else {},
            schedule=schedule,
        ),
        AttemptStarted(**of, attempt=1, folder=folder),  # type: ignore[arg-type]
        AttemptEnded(**of, attempt=1, seconds=1.0, folder=folder, **outcome),  # type: ignore[arg-type]
        StageEnded(**of, status=status),  # type: ignore[arg-type]
        RunEnded(run=name, at=at, status=status),
    ]


class Place:
    """A project with a journal of its environment, and alerts about it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal(root / ".stagebook" / "journal.db")
        self.clock = FakeClock(NOW)
        self.settings = self.told()

    def told(self, **fields: object) -> Settings:
        """The settings, with one rule."""
        rule = NotifySettings(**{"to": ["json://localhost:1"], **fields})  # type: ignore[arg-type]
        self.settings = Settings(notify={"ops": rule}, tracking=TrackingSettings(enabled=False))
        return self.settings

    def make(self) -> list[str]:
        """The titles of the alerts that are new, each made by a process of its own."""
        before = {one.key for one in self.journal.alerts.latest(99)}
        Alerts(self.root, self.journal, self.settings, "prod", clock=self.clock).make()
        new = [one for one in self.journal.alerts.latest(99) if one.key not in before]
        return [str(one.message["title"]).partition(" (")[0] for one in reversed(new)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = Place(tmp_path)
    yield made
    made.journal.close()


def test_each_is_made_once(place: Place) -> None:
    place.journal.append(run("r1", NOW, failed=True))
    assert place.make() == ["✗ flights.clean@1 failed"]
    assert place.make() == []
    place.journal.append(run("r2", NOW, failed=True))
    assert place.make() == []
    place.journal.append(run("r3", NOW, failed=False))
    assert place.make() == ["✓ flights.clean@1 is well again"]


def test_a_backfill_is_one_message_and_what_schedules_expect_is_told_as_it_is(place: Place) -> None:
    backfill = RunStarted(run="b", at=NOW, pipeline="flights", plan={"stages": []}, kind="backfill")
    told: list[Event] = [backfill]
    for name in ("b1", "b2", "b3"):
        first, *rest = run(name, NOW, failed=name != "b2")
        assert isinstance(first, RunStarted)
        told += [dataclasses.replace(first, parent="b"), *rest]
    place.told(every="run")
    place.journal.append(told)
    assert place.make() == ["✗ flights.clean@1 failed"]
    for at, missed in enumerate(([{"kind": "late", "message": "it is running"}], [])):
        event = ScheduleChecked(run="", at=NOW + at, pipeline="flights", schedule="nightly", missed=missed)
        place.journal.append([event])
        assert place.make() == ["! flights/nightly is not as expected"] or at
    assert [one.message["facts"][0]["on"] for one in place.journal.alerts.latest(2)] == ["recovery", "late"]


def test_whoever_looked_in_between_takes_nothing_away(place: Place) -> None:
    place.journal.append(run("r1", NOW, failed=True))
    assert place.journal.incidents.look(opens=True)
    assert place.make() == ["✗ flights.clean@1 failed"]


def test_with_every_run_each_run_is_told(place: Place) -> None:
    place.told(every="run")
    for name in ("r1", "r2", "r3"):
        place.journal.append(run(name, NOW, failed=True))
    assert place.make() == [
        "✗ flights.clean@1 failed", "✗ flights.clean@1 failed again", "✗ flights.clean@1 failed again",
    ]  # fmt: skip


def test_what_happened_long_ago_is_not_sent_and_that_is_kept(place: Place) -> None:
    place.journal.append(run("r1", NOW - OLD - 60.0, failed=True))
    place.make()
    (one,) = place.journal.alerts.latest(9)
    assert (one.state, one.trouble) == ("dropped", "it happened more than 7 days ago")


def test_in_quiet_hours_it_is_made_and_waits(place: Place) -> None:
    place.told(quiet="01:00-03:00")  # it is 01:46
    place.journal.append(run("r1", NOW, failed=True))
    assert place.make() == ["✗ flights.clean@1 failed"]
    (one,) = place.journal.alerts.waiting()
    assert (one.next % 86_400, one.next - NOW < 7_200) == (3 * 3600.0, True)


def test_a_deployment_is_a_fact_of_its_own(place: Place) -> None:
    place.told(on=["deployment"])
    published = VersionPublished(run="r1", at=NOW, environment="prod", version=7, kind="promotion", by="ada")
    place.journal.append([*run("r1", NOW, failed=False), published])
    assert place.make() == ["✓ promotion to prod: version 7 by ada"]


@settings(max_examples=20)  # each makes two journals
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["make", "look", ""])), max_size=8))
def test_however_often_alerts_are_made_they_tell_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[bool, str]]
) -> None:
    often, once = (Place(tmp_path_factory.mktemp(name)) for name in ("often", "once"))
    for at, (failed, then) in enumerate(steps):
        for place in (often, once):
            place.journal.append(run(f"r{at}", NOW + at, failed=failed))
        if then == "make":
            often.make()
        elif then:
            often.journal.incidents.look(opens=True)
    told = []
    for place in (often, once):
        place.make()
        found = place.journal.alerts.latest(99)
        told.append(sorted((one.message["title"].partition(" (")[0], one.key) for one in found))
        place.journal.close()
    assert told[0] == told[1]
    changes = sum(now != before for (now, _), (before, _) in zip(steps, [(False, ""), *steps], strict=False))
    assert len(told[0]) == changes  # each failure that follows health, and each health that follows failure


def test_what_is_known_beside_a_failure(place: Place) -> None:
    contract = place.root / "contracts" / "flights.clean.rows.yaml"
    contract.parent.mkdir()
    contract.write_text("schema: [{name: rows}]\nteam: {name: data team}\n")
    place.journal.append(run("r0", NOW - 60.0, failed=False))
    place.journal.append(run("r1", NOW, failed=True, reasons=["days: 30 → 60"]))
    place.journal.append(run("r2", NOW, failed=True, reasons=["it failed before"], schedule="nightly"))
    key = "r2/clean@1/1"
    place.journal.outbox.track(key, "4", "abc")
    incidents = place.journal.incidents.look(opens=True)
    *_, again = new_facts(place.journal, incidents, place.journal.events.last_number())
    looking = Looking(
        place.root, place.journal, tracking="https://ada:pw123456@mlflow.example.org/", lab="https://lab.org/"
    )
    assert again.what is What.AGAIN
    assert looking.of(again) == Details(
        cell=3, cells=8, error="ValueError: NaN", notebook="notebooks/clean.ipynb",
        executed=".stagebook/runs/r2/clean@1/1/notebook.ipynb", last_good="r0", good_at=NOW - 60.0,
        changed=("days: 30 → 60",), commit="c0ffee" * 7, by="cron", owner="data team",
        about="2001-09-08, by the schedule nightly", mlflow="https://mlflow.example.org/#/experiments/4/runs/abc",
        lab="https://lab.org/lab/tree/notebooks/clean.ipynb",
    )  # fmt: skip


def test_what_cannot_be_found_is_left_out(place: Place) -> None:
    place.journal.append(run("r1", NOW, failed=True))
    incidents = place.journal.incidents.look(opens=True)
    (fact,) = new_facts(place.journal, incidents, place.journal.events.last_number())
    found = Looking(place.root, place.journal).of(fact)
    assert (found.last_good, found.owner, found.mlflow, found.lab) == ("", "", "", "")
    assert json.loads(json.dumps(found.to_json()))["cell"] == 3


def test_a_scheduler_makes_and_sends_in_one_go(place: Place) -> None:
    place.told(to=[], command="true")
    place.journal.alerts.begin()
    place.journal.append(run("r1", time.time(), failed=True))
    assert [one.trouble for one in make_and_send(place.root, place.settings, "prod")] == [""]
    assert make_and_send(place.root, place.settings, "prod", eager=True) == []
    assert [one.state for one in place.journal.alerts.latest(9)] == ["sent"]

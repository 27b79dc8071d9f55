"""What alerts say."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.alerting.details import Details
from stagebook.alerting.rules import Fact
from stagebook.alerting.text import Where, body, headline, message, title
from stagebook.incidents.incident import Incident, Kind, Said, What

PROD = Where(project="shop", environment="prod")
NOON = 1_000_000_800.0  # 2001-09-09 02:00:00 UTC
FAILED = Incident(
    id="abc1234", pipeline="flights", kind=Kind.FAILURE, subject="clean", stage="clean", run="r1",
    opened=NOON, last_run="r2", last_seen=NOON + 60, runs=2, message="ValueError: Input contains NaN",
    acks=(Said(at=NOON, by="ada"),),
)  # fmt: skip


def fact(incident: Incident | None = FAILED, what: What = What.OPENED, **fields: object) -> Fact:
    values = {"key": "k", "on": "failure", "pipeline": "flights", "run": "r2", "at": NOON, **fields}
    return Fact(incident=incident, what=what, **values)  # type: ignore[arg-type]


def test_a_failure_in_full() -> None:
    details = Details(
        cell=3, cells=8, error="ValueError: Input contains NaN", notebook="notebooks/clean.ipynb",
        executed=".stagebook/runs/r2/clean/1/notebook.ipynb", last_good="r0", good_at=NOON - 86_400,
        changed=("code: cell 3", "days: 30 → 60"), commit="0123456789abcdef", by="cron", owner="data team", about="2001-09-08, by the schedule nightly",
        mlflow="https://mlflow.example.org/#/experiments/1/runs/2", lab="https://lab.example.org/lab/tree/n",
    )  # fmt: skip
    assert body([(fact(), details)], PROD).splitlines() == [
        "✗ flights.clean failed",
        "in: prod",
        "error: ValueError: Input contains NaN",
        "since: 2001-09-09 02:00 UTC, run r1, 2 runs",
        "seen by: ada",
        "about: 2001-09-08, by the schedule nightly",
        "cell: 3 of 8",
        "last good: 2001-09-08 02:00 UTC, run r0",
        "changed since: code: cell 3; days: 30 → 60",
        "commit: 0123456789",
        "started by: cron",
        "owner: data team",
        "notebook: .stagebook/runs/r2/clean/1/notebook.ipynb",
        "MLflow: https://mlflow.example.org/#/experiments/1/runs/2",
        "JupyterLab: https://lab.example.org/lab/tree/n",
        "look: stagebook incident show abc1234 --env prod",
    ]


def test_a_recovery_says_how_long_it_lasted() -> None:
    closed = dataclasses.replace(FAILED, closed=NOON + 5400)
    text = body([(fact(closed, What.CLOSED, on="recovery"), Details(cell=3, cells=8))], PROD)
    assert text.splitlines()[:5] == [
        "✓ flights.clean is well again",
        "in: prod",
        "was: failed",
        "since: 2001-09-09 02:00 UTC, for 1.5 h",
        "well in run: r2",
    ]
    assert "cell" not in text


LATE = Incident(
    id="abc1234", pipeline="flights", kind=Kind.LATE, subject="nightly", stage="", run="", opened=NOON,
    last_run="", last_seen=NOON, message="missing: no run has begun that was due at 2001-09-09 02:00",
)  # fmt: skip


def test_what_no_run_showed_names_none() -> None:
    assert body([(fact(LATE, on="late", run=""), Details())], PROD).splitlines() == [
        "! flights/nightly is not as expected",
        "in: prod",
        "why: missing: no run has begun that was due at 2001-09-09 02:00",
        "since: 2001-09-09 02:00 UTC",
        "look: stagebook incident show abc1234 --env prod",
    ]
    closed = dataclasses.replace(LATE, closed=NOON + 60)
    assert body([(fact(closed, What.CLOSED, on="recovery", run=""), Details())], PROD).splitlines() == [
        "✓ flights/nightly is as expected again",
        "in: prod",
        "was: is not as expected",
        "since: 2001-09-09 02:00 UTC, for 1 min",
        "look: stagebook incident show abc1234 --env prod",
    ]
    gone = dataclasses.replace(closed, because="is gone")
    assert headline(fact(gone, What.CLOSED, run="")) == "✓ flights/nightly is gone"


@pytest.mark.parametrize(
    ("kind", "what", "figure", "expected"),
    [
        (Kind.FAILURE, What.AGAIN, 0.0, "✗ flights.clean failed again"),
        (Kind.CONTRACT, What.OPENED, 0.0, "✗ flights.clean broke its contract"),
        (Kind.WARNING, What.OPENED, 0.0, "! flights.clean breaks a rule of its contract"),
        (Kind.QUARANTINE, What.OPENED, 1204.0, "! flights.clean has rows in quarantine: 1,204"),
        (Kind.QUARANTINE, What.GREW, 5.0, "! flights.clean has more rows in quarantine: 5"),
        (Kind.ANOMALY, What.OPENED, 0.0, "! flights.clean is unusual"),
        (Kind.LATE, What.OPENED, 0.0, "! flights/clean is not as expected"),
        (Kind.LONG, What.OPENED, 0.0, "! flights/clean takes too long"),
        (Kind.PAUSED, What.OPENED, 0.0, "! flights/clean is paused"),
        (Kind.INVALID, What.OPENED, 0.0, "✗ flights/clean waits: there are mistakes"),
    ],
)
def test_headlines(kind: Kind, what: What, figure: float, expected: str) -> None:
    assert headline(fact(dataclasses.replace(FAILED, kind=kind, figure=figure), what)) == expected


def test_a_run_that_vanished() -> None:
    gone = dataclasses.replace(FAILED, subject="", stage="")
    assert headline(fact(gone)) == "✗ flights did not end: its process vanished"


def test_a_deployment() -> None:
    deployed = fact(None, on="deployment", text="rollback to prod: version 3 by ada")
    assert headline(deployed) == "✓ rollback to prod: version 3 by ada"
    assert body([(deployed, Details())], PROD).splitlines()[-1] == "look: stagebook env show prod"
    assert headline(fact(None, on="paused", text="the schedule is paused")) == "! the schedule is paused"


def test_a_title_names_what_is_worst_and_how_much_more_there_is() -> None:
    closed = fact(dataclasses.replace(FAILED, closed=NOON, subject="load"), What.CLOSED)
    assert title([closed, fact()], PROD) == "✗ flights.clean failed, and 1 more (shop, prod)"
    assert title([closed], PROD) == "✓ flights.load is well again (shop, prod)"


def test_very_much_is_cut_short() -> None:
    text = body([(fact(), Details())] * 25, PROD)
    assert text.count("✗ flights.clean failed") == 20
    assert text.endswith("and 5 more; see: stagebook incident list --env prod")


def test_a_message_is_plain_data() -> None:
    made = message([(fact(), Details(owner="data team"))], Where(project="shop", environment="dev"), "ops")
    assert json.loads(json.dumps(made))["title"] == made["title"]
    (told,) = made["facts"]
    assert (told["incident"]["id"], told["details"], told["what"]) == (
        "abc1234", {"owner": "data team"}, "opened",
    )  # fmt: skip
    assert made["body"].endswith("look: stagebook incident show abc1234")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_steers_what_shows_it_or_makes_lines_of_its_own(error: str, owner: str) -> None:
    incident = dataclasses.replace(FAILED, message=error)
    lines = body([(fact(incident), Details(owner=owner))], PROD).split("\n")
    assert len(lines) <= 7
    assert all(char.isprintable() for line in lines for char in line)

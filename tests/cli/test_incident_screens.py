"""Screens of incidents and alerts, with a frozen clock and fixed ids."""

from __future__ import annotations

import dataclasses

from golden import Golden
from stagebook.alerting.outgoing import Sent
from stagebook.alerting.rules import recipients
from stagebook.incidents.incident import Change, Incident, Kind, Said, What
from stagebook.journal.alert_table import StoredAlert
from stagebook.views import alert_lines, incident_tables
from stagebook.workspace.notify_settings import NotifySettings

from .test_screens import NOW, screen

FAILED = Incident(
    id="7db353c", pipeline="flights", kind=Kind.FAILURE, subject="clean", stage="clean", run="r1",
    opened=NOW - 7200, last_run="r3", last_seen=NOW - 60, runs=3, message="ValueError: Input\x1b[2J contains NaN",
    acks=(Said(at=NOW - 3600, by="ada"),), notes=(Said(at=NOW - 60, by="bob", text="the source is down"),),
)  # fmt: skip
ROWS = Incident(
    id="09bd43e", pipeline="flights", kind=Kind.QUARANTINE, subject="clean.rows", stage="clean", run="r2",
    opened=NOW - 600, last_run="r2", last_seen=NOW - 600, message="3 rows are below 0", figure=3.0,
)  # fmt: skip
CLOSED = dataclasses.replace(FAILED, id="1111111", subject="train", closed=NOW - 600, closed_run="r3")
BY_HAND = dataclasses.replace(CLOSED, id="2222222", closed_by="eve", closed_run="", because="we live with it")
LATE = Incident(
    id="3333333", pipeline="flights", kind=Kind.LATE, subject="nightly", stage="", run="", opened=NOW - 900,
    last_run="", last_seen=NOW - 60, runs=2,
    message="late: r7, due at 02:00, has not completed by 06:00: it is running",
)  # fmt: skip
WELL = dataclasses.replace(LATE, id="4444444", closed=NOW - 60)
RESUMED = dataclasses.replace(WELL, id="5555555", kind=Kind.PAUSED, because="was resumed by ada")
OPS = NotifySettings(
    to=["mailto://ops:${secret.SMTP}@example.org?to=ops@example.org", "${secret.CHAT}"],
    quiet="22:00-07:00", zone="Europe/Berlin", pipelines=["flights"],
)  # fmt: skip
RULES = {"ops": OPS, "log": NotifySettings(command="python tell.py", every="run", environments=["dev"])}


def change(what: What, at: float, **fields: object) -> Change:
    return Change(**{"number": 1, "at": at, "incident": FAILED.id, "what": what, "run": "r1", **fields})  # type: ignore[arg-type]


def test_a_list_of_incidents(golden: Golden) -> None:
    golden(screen(incident_tables.incidents([FAILED, ROWS, CLOSED, BY_HAND], NOW), width=120))


def test_an_incident_with_what_happened_to_it(golden: Golden) -> None:
    changes = [
        change(What.OPENED, NOW - 7200, text="ValueError"),
        change(What.ACKNOWLEDGED, NOW - 3600, by="ada", text="I look into it"),
        change(What.NOTED, NOW - 60, by="bob", text="the source\nis down"),
    ]
    golden(screen(*incident_tables.incident(FAILED, changes, NOW, " --env prod")))


def test_an_incident_that_is_over(golden: Golden) -> None:
    changes = [change(What.GREW, NOW - 700, figure=5.0), change(What.CLOSED, NOW - 600)]
    golden(screen(*incident_tables.incident(CLOSED, changes, NOW, "")))


def test_what_schedules_expect_in_a_list(golden: Golden) -> None:
    golden(screen(incident_tables.incidents([LATE, WELL, RESUMED], NOW), width=120))


def test_an_incident_that_no_run_showed(golden: Golden) -> None:
    changes = [
        change(What.OPENED, NOW - 900, run="", text="missing: no run has begun that was due at 02:00"),
        change(What.AGAIN, NOW - 60, run="", text=LATE.message),
    ]
    golden(screen(*incident_tables.incident(LATE, changes, NOW, " --env prod")))
    over = [*changes, change(What.CLOSED, NOW - 30, run="")]
    assert "01:46  closed: was resumed by ada" in screen(*incident_tables.incident(RESUMED, over, NOW, ""))


def test_the_incidents_of_a_dataset(golden: Golden) -> None:
    cell = incident_tables.named([FAILED, LATE])
    golden(screen(cell, *incident_tables.incident_lines([FAILED, LATE], NOW, ""), width=160))


def test_what_status_says_of_incidents(golden: Golden) -> None:
    many = [dataclasses.replace(ROWS, id=f"{at}", acks=()) for at in range(3)]
    golden(
        "\n".join(
            [
                *incident_tables.status_lines([FAILED, CLOSED], {}),
                *incident_tables.status_lines([FAILED, *many], {"ci": 1, "prod": 12}, " --env stage"),
                *incident_tables.status_lines([CLOSED], {}),
            ]
        )
    )


def test_rules_for_alerts(golden: Golden) -> None:
    golden(screen(alert_lines.rules(RULES), width=160))


def test_alerts_that_wait_and_those_that_are_not_sent(golden: Golden) -> None:
    to, _ = recipients(OPS)
    failed = StoredAlert(
        key="k1", rule="ops", recipient=to, made=NOW - 60, message={"title": "✗ flights.clean failed"},
        tries=2, next=NOW + 300, trouble="Connection refused",
    )  # fmt: skip
    quiet = dataclasses.replace(failed, key="k2", tries=0, trouble="", next=NOW + 5 * 3600)
    now = dataclasses.replace(failed, key="k3", next=NOW - 1)
    old = dataclasses.replace(failed, state="dropped", trouble="it could not be sent within 7 days")
    golden(
        "\n".join(
            [
                *alert_lines.waiting_lines([failed, quiet, now], RULES, NOW),
                *alert_lines.dropped_lines([old, failed], RULES, NOW),
            ]
        )
    )


def test_what_came_of_sending(golden: Golden) -> None:
    alert = StoredAlert(
        key="k", rule="ops", recipient="r", made=NOW, message={"title": "✗ flights.clean failed"}
    )
    sent = [
        Sent(alert=alert, to="mailto://***@example.org/…"),
        Sent(alert=alert, to="x", trouble="error=500"),
    ]
    golden("\n".join(f"{line}  [{style}]" for line, style in alert_lines.sent_lines(sent)))

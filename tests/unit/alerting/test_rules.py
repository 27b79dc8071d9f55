"""Who is told of what: each once, on change, grouped by run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.alerting.rules import (
    COMMAND,
    Fact,
    facts_of_changes,
    facts_of_versions,
    groups,
    key_of,
    recipients,
    wanted,
)
from stagebook.events import VersionPublished
from stagebook.incidents.incident import Change, Incident, Kind, Said, What
from stagebook.workspace.notify_settings import ON, NotifySettings

INCIDENT = Incident(
    id="abc1234", pipeline="flights", kind=Kind.FAILURE, subject="clean", stage="clean", run="r1",
    opened=1.0, last_run="r1", last_seen=1.0, message="ValueError: x",
)  # fmt: skip


def change(what: What, number: int = 1, **fields: object) -> Change:
    values = {"at": float(number), "incident": INCIDENT.id, "run": f"r{number}", **fields}
    return Change(number=number, what=what, **values)  # type: ignore[arg-type]


def facts(*changes: Change, incident: Incident = INCIDENT) -> list[Fact]:
    return list(facts_of_changes(changes, {incident.id: incident}))


def rule(**fields: object) -> NotifySettings:
    return NotifySettings(**{"to": ["json://x"], **fields})  # type: ignore[arg-type]


def kinds(found: Sequence[Fact]) -> list[What]:
    return [fact.what for fact in found]


def test_a_failure_and_its_recovery_are_told_and_what_is_between_is_not() -> None:
    told = facts(change(What.OPENED), change(What.AGAIN, 2), change(What.CLOSED, 3))
    assert kinds(wanted(rule(), told, "prod")) == [What.OPENED, What.CLOSED]
    assert kinds(wanted(rule(every="run"), told, "prod")) == [What.OPENED, What.AGAIN, What.CLOSED]


def test_what_somebody_has_seen_is_not_told_again() -> None:
    seen = dataclasses.replace(INCIDENT, acks=(Said(at=2.0, by="ada"),))
    told = facts(change(What.AGAIN, 3), change(What.CLOSED, 4), incident=seen)
    assert kinds(wanted(rule(every="run"), told, "prod")) == [What.CLOSED]


def test_what_people_do_is_not_told_to_people() -> None:
    by = {"by": "ada"}
    marks = [change(What.CLOSED, 2, **by), change(What.ACKNOWLEDGED, 3, **by), change(What.NOTED, 4, **by)]
    assert facts(*marks) == []


def test_a_change_of_an_incident_that_is_not_known_is_passed_over() -> None:
    assert facts(change(What.OPENED, incident="nope")) == []


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (["recovery"], True),
        (["failure", "recovery"], True),
        (["recovery", "deployment"], True),
        (["warning", "recovery"], False),
        (["failure"], False),
    ],
)
def test_a_recovery_is_told_to_those_who_were_told_of_what_it_ends(on: list[str], expected: bool) -> None:
    assert bool(wanted(rule(on=on), facts(change(What.CLOSED)), "prod")) is expected


@pytest.mark.parametrize(
    ("fields", "environment", "expected"),
    [
        ({}, "prod", True),
        ({}, "dev", False),
        ({"environments": ["dev"]}, "dev", True),
        ({"environments": ["ci"]}, "prod", False),
        ({"pipelines": ["fli*"]}, "prod", True),
        ({"pipelines": ["planes"]}, "prod", False),
        ({"on": ["contract"]}, "prod", False),
    ],
)
def test_a_rule_chooses(fields: dict[str, object], environment: str, expected: bool) -> None:
    assert bool(wanted(rule(**fields), facts(change(What.OPENED)), environment)) is expected


def test_a_quarantine_is_told_of_again_when_it_grows() -> None:
    rows = dataclasses.replace(INCIDENT, kind=Kind.QUARANTINE, subject="clean.rows")
    told = facts(change(What.OPENED, 1, figure=3.0), change(What.GREW, 2, figure=5.0), incident=rows)
    found = wanted(rule(on=["quarantine"]), told, "prod")
    assert [fact.incident.figure for fact in found if fact.incident] == [3.0, 5.0]
    assert {fact.on for fact in found} == {"quarantine"}


def test_a_deployment_is_told_and_a_run_that_published_is_none() -> None:
    published = [
        (4, VersionPublished(run="r1", at=1.0, environment="prod", version=2, kind="run")),
        (5, VersionPublished(
            run="r2", at=2.0, environment="prod", version=3, kind="rollback", by="ada", because="wrong rows",
        )),
    ]  # fmt: skip
    (fact,) = facts_of_versions(published, {"r2": "flights"})
    assert (fact.on, fact.pipeline, fact.text) == (
        "deployment", "flights", "rollback to prod: version 3 by ada: wrong rows",
    )  # fmt: skip
    assert wanted(rule(on=["deployment"], pipelines=["flights"]), [fact], "prod") == [fact]
    assert wanted(rule(), [fact], "prod") == []


def test_those_of_one_run_go_in_one_message() -> None:
    told = facts(change(What.AGAIN, 1), change(What.CLOSED, 2), change(What.CLOSED, 1, at=9.0))
    assert [kinds(group) for group in groups(told)] == [[What.AGAIN, What.CLOSED], [What.CLOSED]]


def test_those_of_one_backfill_go_in_one_message_and_what_goes_on_is_said_once() -> None:
    told = [
        dataclasses.replace(fact, series="backfill")
        for fact in facts(change(What.OPENED, 1), change(What.AGAIN, 2), change(What.AGAIN, 3))
    ]
    other = facts(change(What.OPENED, 4))
    assert [kinds(group) for group in groups([*told, *other])] == [[What.OPENED], [What.OPENED]]


def test_what_no_run_showed_goes_together_by_when_it_was_seen() -> None:
    told = facts(
        change(What.OPENED, 1, run=""), change(What.CLOSED, 2, run="", at=1.0), change(What.OPENED, 3, run="")
    )
    assert [kinds(group) for group in groups(told)] == [[What.OPENED, What.CLOSED], [What.OPENED]]


def test_a_recipient_has_the_same_name_as_long_as_its_address_is_the_same() -> None:
    both, one = rule(to=["json://a", "json://b"], command="tell"), rule(to=["json://b"])
    assert recipients(one).items() <= recipients(both).items()
    assert recipients(both)[COMMAND] == "tell"


_facts = st.builds(
    Fact,
    key=st.text(min_size=1, max_size=5),
    on=st.sampled_from(ON),
    pipeline=st.just("p"),
    run=st.sampled_from(["r1", "r2"]),
    at=st.just(1.0),
)


@given(st.lists(_facts, min_size=1, max_size=6), st.randoms())
def test_the_key_of_an_alert_is_that_of_its_facts_in_any_order(told: list[Fact], random: object) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert key_of("ops", "r", told) == key_of("ops", "r", shuffled)
    assert key_of("ops", "r", told) != key_of("ops", "s", told)
    assert key_of("ops", "r", told) != key_of("dev", "r", told)
    assert sorted(fact.key for group in groups(told) for fact in group) == sorted(fact.key for fact in told)

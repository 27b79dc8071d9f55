"""From what happened to the alerts that have to be sent: made once, and stored before anything is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from stagebook.alerting import text
from stagebook.alerting.details import Looking
from stagebook.alerting.rules import (
    Fact,
    facts_of_changes,
    facts_of_versions,
    groups,
    key_of,
    recipients,
    wanted,
)
from stagebook.incidents.incident import Incident
from stagebook.journal.alert_table import StoredAlert
from stagebook.journal.journal import Journal
from stagebook.workspace.notify_settings import NotifySettings

OLD = 7 * 86_400.0  # seconds after which an alert is not sent any more


def new_facts(journal: Journal, incidents: Sequence[Incident], until: int) -> list[Fact]:
    """What happened since the position of the alerts, up to the event with a number, in order. An event of another kind comes
    to alerts by a fact of its own, here."""
    after = journal.alerts.position or 0
    changes = [one for one in journal.incidents.changes_after(after) if one.number <= until]
    found = list(facts_of_changes(changes, {one.id: one for one in incidents}))
    versions = [one for one in journal.alerts.versions_after(after) if one[0] <= until]
    pipelines = {
        event.run: pipeline
        for _, event in versions
        if (pipeline := journal.runs.pipeline_of(event.run)) is not None
    }
    found += facts_of_versions(versions, pipelines)
    series = {run: _series(journal, run) for run in {fact.run for fact in found}}
    found = [dataclasses.replace(fact, series=series[fact.run]) for fact in found]
    return sorted(found, key=lambda fact: fact.at)


def _series(journal: Journal, run: str) -> str:
    record = journal.runs.find(run)
    return record.parent if record is not None else ""


def make_alerts(
    rules: dict[str, NotifySettings], facts: Sequence[Fact], looking: Looking, where: text.Where, now: float
) -> Iterator[StoredAlert]:
    """The alerts about facts: for each rule and recipient one about each run. What is quiet now is sent later, and what
    happened long ago is not sent at all, which is said."""
    for name, rule in rules.items():
        for group in groups(wanted(rule, facts, where.environment)):
            message = text.message([(fact, looking.of(fact)) for fact in group], where, name)
            made = min(now, max(fact.at for fact in group))
            is_old = made < now - OLD
            for recipient in recipients(rule):
                yield StoredAlert(
                    key=key_of(name, recipient, group),
                    rule=name,
                    recipient=recipient,
                    made=made,
                    message=message,
                    state="dropped" if is_old else "waiting",
                    next=rule.quiet_until(now),
                    trouble="it happened more than 7 days ago" if is_old else "",
                )

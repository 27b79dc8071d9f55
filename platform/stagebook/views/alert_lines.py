"""Rules, and the alerts that wait or could not be sent, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from stagebook.alerting.outgoing import Sent, name_of
from stagebook.alerting.rules import recipients
from stagebook.journal.alert_table import StoredAlert
from stagebook.views.formatting import duration, plain, plural, value, when
from stagebook.views.tables import table_of
from stagebook.workspace.notify_settings import NotifySettings


def rules(found: Mapping[str, NotifySettings]) -> Table:
    """A line for each rule: whom it tells, of what, and when."""
    table = table_of("rule", "to", "on", "pipelines", "environments", "when")
    for name, rule in found.items():
        hours = f", quiet {rule.quiet} {rule.zone}" if rule.quiet else ""
        table.add_row(
            name,
            Text(plain("\n".join(name_of(rule, one) for one in recipients(rule)))),
            Text(", ".join(rule.on)),
            Text(", ".join(rule.pipelines) or "all"),
            Text(", ".join(rule.environments) or "all but dev"),
            f"each {rule.every}{hours}{f', digest {rule.digest}' if rule.digest else ''}",
        )
    return table


def waiting_lines(
    found: Sequence[StoredAlert], rules: Mapping[str, NotifySettings], now: float
) -> Iterator[str]:
    """The alerts that wait, each with why."""
    for one in found:
        to = name_of(rules.get(one.rule), one.recipient)
        after = f" after {duration(one.next - now)}," if one.next > now else ""
        tried = f"tried {plural(one.tries, 'time')}: {value(one.trouble, 200)}; " if one.tries else ""
        yield plain(
            f"{_title(one)} → {one.rule}, {to}: {tried}it is sent{after} with a run or by the scheduler"
        )


def dropped_lines(
    found: Sequence[StoredAlert], rules: Mapping[str, NotifySettings], now: float
) -> Iterator[str]:
    """The alerts that are not sent any more, each with why."""
    for one in found:
        if one.state == "dropped":
            to = name_of(rules.get(one.rule), one.recipient)
            yield plain(
                f"{_title(one)} → {one.rule}, {to}, {when(one.made, now)}: not sent: {value(one.trouble, 200)}"
            )


def sent_lines(found: Sequence[Sent]) -> Iterator[tuple[str, str]]:
    """What came of sending, each with its style."""
    for one in found:
        head = f"{one.alert.rule}, {one.to}"
        if one.trouble:
            yield plain(f"✗ {head}: {one.trouble}"), "red"
        else:
            yield plain(f"✓ {head}: {_title(one.alert)}"), "green"


def _title(alert: StoredAlert) -> str:
    return value(str(alert.message.get("title", "")), 100)

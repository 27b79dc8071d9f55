"""Sending what waits: each alert once, and again later where that fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stagebook.alerting.making import OLD
from stagebook.alerting.rules import COMMAND, recipients
from stagebook.alerting.sending import Sender
from stagebook.journal.alert_table import AlertTable, StoredAlert
from stagebook.system.logins import shown
from stagebook.workspace.notify_settings import NotifySettings
from stagebook.workspace.settings import Settings

# Seconds until an alert is tried again, after the first, the second … try; the last one from then on.
DELAYS = (10.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0)
_GONE = "nobody of the rule has this address any more"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of an alert. `to`: the recipient, as it may be shown; `trouble`: empty if it was sent."""

    alert: StoredAlert
    to: str
    trouble: str = ""

    def to_json(self) -> dict[str, str]:
        """As plain data."""
        title = str(self.alert.message.get("title", ""))
        return {"rule": self.alert.rule, "to": self.to, "title": title, "trouble": self.trouble}


def recipient_shown(address: str) -> str:
    """An address for a person: what follows the host may be a secret, as it is in those of chats."""
    scheme, found, rest = shown(address).partition("://")
    if not found:
        return address  # a secret, by its name
    host, _, more = rest.partition("?")
    head, slash, path = host.partition("/")
    return f"{scheme}://{head}{'/…' if (slash and path) or more else ''}"


def name_of(rule: NotifySettings | None, recipient: str) -> str:
    """A recipient for a person."""
    address = recipients(rule).get(recipient) if rule is not None else None
    if address is None:
        return "an address of before"
    return f"command {address.split()[0]}" if recipient == COMMAND else recipient_shown(address)


def send_waiting(
    table: AlertTable,
    rules: Mapping[str, NotifySettings],
    sender: Sender,
    clock: Callable[[], float],
    *,
    eager: bool = False,
) -> list[Sent]:
    """Send the alerts whose time has come; what came of each.

    Args:
        table: the alerts.
        rules: by their names.
        sender: what sends.
        clock: seconds since the epoch.
        eager: also those that failed, before they would be tried again; quiet hours are kept.
    """
    found = []
    down: dict[tuple[str, str], str] = {}  # who does not take one is not asked for each of the others
    for alert in table.waiting():
        now, rule = clock(), rules.get(alert.rule)
        address = recipients(rule).get(alert.recipient) if rule is not None else None
        if address is None or rule is None:
            table.drop(alert.key, _GONE)
            continue
        if alert.made < now - OLD:
            why = f": {alert.trouble}" if alert.trouble else ""
            table.drop(alert.key, f"it could not be sent within 7 days{why}")
            continue
        if rule.quiet_until(now) > now or (alert.next > now and not (eager and alert.tries)):
            continue
        trouble = down.get((alert.rule, alert.recipient), "")
        if not trouble:
            trouble = _send(table, alert, address, sender, now)
        else:
            table.trying(alert.key, now + _delay(alert.tries))
        if trouble:
            down[alert.rule, alert.recipient] = trouble
            table.failed(alert.key, trouble)
        else:
            table.sent(alert.key)
        found.append(Sent(alert=alert, to=name_of(rule, alert.recipient), trouble=trouble))
    table.prune(clock())
    return found


def send_test(
    root: Path, settings: Settings, rules: Mapping[str, NotifySettings], by: str, now: float
) -> list[Sent]:
    """Send a message to all whom rules tell, whatever the hour; what came of it. `by`: who asks for it."""
    sender = Sender(root, settings.secret_sources)
    found = []
    for name, rule in rules.items():
        message = {
            "title": f"✓ A test of the rule {name} ({root.name})",
            "body": f"{by or 'Somebody'} tries whether alerts of {root.name} arrive here. They do.\n"
            f"This rule tells of: {', '.join([*rule.on, *(['each week'] if rule.digest else [])])}.",
            "project": root.name,
            "rule": name,
            "facts": [],
        }
        for recipient, address in recipients(rule).items():
            key = f"test-{name}-{now:.0f}"
            alert = StoredAlert(key=key, rule=name, recipient=recipient, made=now, message=message)
            send = sender.to_command if recipient == COMMAND else sender.to_address
            found.append(Sent(alert=alert, to=name_of(rule, recipient), trouble=send(address, message, key)))
    return found


def _send(table: AlertTable, alert: StoredAlert, address: str, sender: Sender, now: float) -> str:
    """Who is killed in here sends the alert once more: nobody can know whether it has arrived."""
    table.trying(alert.key, now + _delay(alert.tries))
    if alert.recipient == COMMAND:
        return sender.to_command(address, alert.message, alert.key)
    return sender.to_address(address, alert.message, alert.key)


def _delay(tries: int) -> float:
    return DELAYS[min(tries, len(DELAYS) - 1)]


def next_time(waiting: Sequence[StoredAlert]) -> float | None:
    """When the next alert is to be sent; `None` where none waits."""
    return min((alert.next for alert in waiting), default=None)

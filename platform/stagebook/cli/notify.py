"""`stagebook notify test`, `list` and `send`."""

from __future__ import annotations

import time
from typing import Annotated

import filelock
import typer

from stagebook.alerting.deliver import make_and_send
from stagebook.alerting.outgoing import Sent, send_test
from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError, did_you_mean
from stagebook.project import Project
from stagebook.runs.origin import person_name
from stagebook.views import alert_lines

notify = typer.Typer(
    help="Try the rules for alerts, list what waits, or send it.",
    no_args_is_help=True,
    add_completion=False,
)
_NONE = "no rules yet: declare one as [notify.NAME] in stagebook.toml; see docs/alerts.md"


@notify.command("test")
def try_rules(
    name: Annotated[str | None, typer.Argument(help="A rule (default: all of them).")] = None,
    as_json: Json = False,
) -> int:
    """Send a message to all whom a rule tells, now, and show what came of it."""
    with Project.open() as project:
        rules = project.settings.notify
        if name is not None and name not in rules:
            raise UsageError(f"there is no rule '{name}'", hint=did_you_mean(name, rules) or _NONE)
        chosen = {one: rule for one, rule in rules.items() if name in {None, one}}
        found = send_test(project.home, project.settings, chosen, person_name(), time.time())
    return _tell(found, _NONE, as_json=as_json)


@notify.command("list")
def list_rules(as_json: Json = False) -> int:
    """List the rules, and the alerts that wait or could not be sent."""
    with Project.open() as project:
        rules = project.settings.notify
        known = project.history.has_journal
        waiting = project.journal.alerts.waiting() if known else []
        latest = project.journal.alerts.latest(50) if known else []
    if as_json:
        told = {one: rule.model_dump(exclude={"to"}) for one, rule in rules.items()}
        write_json({"rules": told, "waiting": [one.to_json() for one in waiting]})
        return ExitCode.OK
    out, now = console(), time.time()
    out.print(alert_lines.rules(rules) if rules else _NONE, soft_wrap=not rules)
    for line in alert_lines.waiting_lines(waiting, rules, now):
        out.print(f"· {line}", soft_wrap=True)
    for line in alert_lines.dropped_lines(latest, rules, now):
        out.print(f"! {line}", style="yellow", soft_wrap=True)
    return ExitCode.OK


@notify.command()
def send(as_json: Json = False) -> int:
    """Send what waits, now; quiet hours are kept."""
    with Project.open() as project:
        if not project.history.has_journal:
            return _tell([], "nothing waits", as_json=as_json)
        try:
            found = make_and_send(project.root, project.settings, project.placement.name, eager=True)
        except filelock.Timeout:
            raise UsageError("another process is sending alerts", hint="stagebook notify list") from None
        left = len(project.journal.alerts.waiting())
    return _tell(found, f"{left} in quiet hours" if left else "nothing waits", as_json=as_json)


def _tell(found: list[Sent], nothing: str, *, as_json: bool) -> int:
    if as_json:
        write_json({"sent": [one.to_json() for one in found]})
    elif not found:
        console().print(nothing, soft_wrap=True)
    for line, style in [] if as_json else alert_lines.sent_lines(found):
        console().print(line, style=style, soft_wrap=True)
    return ExitCode.STAGE_FAILED if any(one.trouble for one in found) else ExitCode.OK

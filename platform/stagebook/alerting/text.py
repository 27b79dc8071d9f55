"""What an alert says, in plain text: apprise makes of that what each recipient shows, and escapes it there. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.alerting.details import Details
from stagebook.alerting.rules import Fact
from stagebook.incidents.incident import OF_SCHEDULES, Incident, Kind, What

_SAYS = {
    Kind.FAILURE: "failed",
    Kind.CONTRACT: "broke its contract",
    Kind.WARNING: "breaks a rule of its contract",
    Kind.QUARANTINE: "has rows in quarantine",
    Kind.ANOMALY: "is unusual",
    Kind.LATE: "is not as expected",
    Kind.LONG: "takes too long",
    Kind.PAUSED: "is paused",
    Kind.INVALID: "waits: there are mistakes",
}
_MOST = 20  # facts that are told in full


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Whose alerts these are: the name of the project, and the environment."""

    project: str
    environment: str


def headline(fact: Fact) -> str:
    """What happened, in a few words."""
    incident = fact.incident
    if incident is None:
        return f"✓ {on_one_line(fact.text)}" if fact.on == "deployment" else f"! {on_one_line(fact.text)}"
    if fact.what is What.CLOSED:
        return f"✓ {incident.name} {'is well again' if fact.run else incident.over}"
    wrong = says(incident)
    sign = "✗" if incident.is_severe else "!"
    again = " again" if fact.what is What.AGAIN else ""
    if incident.kind is Kind.QUARANTINE:
        more = " more" if fact.what is What.GREW else ""
        wrong = f"has{more} rows in quarantine: {incident.figure:,.0f}"
    return f"{sign} {incident.name} {wrong}{again}"


def title(facts: Sequence[Fact], where: Where) -> str:
    """One line about all that is told."""
    first = next((fact for fact in facts if fact.what is not What.CLOSED), facts[0])
    more = f", and {len(facts) - 1} more" if len(facts) > 1 else ""
    return f"{headline(first)}{more} ({where.project}, {where.environment})"


def says(incident: Incident) -> str:
    """What is wrong, in a few words that follow the name."""
    return _SAYS[incident.kind] if incident.subject else "did not end: its process vanished"


def body(told: Sequence[tuple[Fact, Details]], where: Where) -> str:
    """All that is told: what, where, since when, what changed, whose it is, and where to look."""
    parts = ["\n".join(_lines(fact, details, where)) for fact, details in told[:_MOST]]
    if len(told) > _MOST:
        parts.append(f"and {len(told) - _MOST} more; see: stagebook incident list{env_option(where)}")
    return "\n\n".join(parts)


def message(told: Sequence[tuple[Fact, Details]], where: Where, rule: str) -> dict[str, Any]:
    """An alert as plain data: what a command gets, and what is sent."""
    return {
        "title": title([fact for fact, _ in told], where),
        "body": body(told, where),
        "project": where.project,
        "environment": where.environment,
        "rule": rule,
        "facts": [_fact_to_json(fact, details) for fact, details in told],
    }


def _lines(fact: Fact, details: Details, where: Where) -> Iterator[str]:
    yield headline(fact)
    named = {"in": where.environment, **_of_incident(fact), **_of_details(fact, details)}
    named["look"] = _command(fact, where)
    for name, text in named.items():
        if text:
            yield f"{name}: {on_one_line(text)}"


def _of_incident(fact: Fact) -> Mapping[str, str]:
    incident = fact.incident
    if incident is None:
        return {"when": utc(fact.at), "run": fact.run}
    if fact.what is What.CLOSED:
        lasted = _lasted((incident.closed or fact.at) - incident.opened)
        was = _SAYS[incident.kind] if incident.subject else "its process vanished"
        return {"was": was, "since": f"{utc(incident.opened)}, for {lasted}", "well in run": fact.run}
    runs = f", {incident.runs} runs" if incident.runs > 1 else ""
    run = f", run {incident.run}{runs}" if incident.run else ""
    return {
        "why" if incident.kind in OF_SCHEDULES else "error": incident.message,
        "since": f"{utc(incident.opened)}{run}",
        "seen by": ", ".join(dict.fromkeys(said.by for said in incident.acks)),
    }


def _of_details(fact: Fact, details: Details) -> Mapping[str, str]:
    is_over = fact.what is What.CLOSED or fact.incident is None
    cell = f"{details.cell} of {details.cells}" if details.cell else ""
    good = f"{utc(details.good_at)}, run {details.last_good}" if details.good_at is not None else ""
    return {
        "about": details.about,
        "cell": "" if is_over else cell,
        "last good": "" if is_over else good,
        "changed since": "" if is_over else "; ".join(details.changed),
        "commit": details.commit[:10],
        "started by": details.by,
        "owner": details.owner,
        "notebook": "" if fact.incident is None else details.executed or details.notebook,
        "MLflow": details.mlflow,
        "JupyterLab": details.lab,
    }


def _command(fact: Fact, where: Where) -> str:
    incident: Incident | None = fact.incident
    if incident is None:
        return f"stagebook env show {where.environment}" if fact.on == "deployment" else ""
    return f"stagebook incident show {incident.id}{env_option(where)}"


def env_option(where: Where) -> str:
    """The option of a command that names the environment."""
    return "" if where.environment == "dev" else f" --env {where.environment}"


def _fact_to_json(fact: Fact, details: Details) -> dict[str, Any]:
    incident = fact.incident.to_json() if fact.incident is not None else None
    return {
        "on": fact.on,
        "what": str(fact.what) if fact.incident is not None else "",
        "headline": headline(fact),
        "pipeline": fact.pipeline,
        "run": fact.run,
        "at": fact.at,
        "incident": incident,
        "details": details.to_json(),
    }


def utc(at: float) -> str:
    """A time for a person."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _lasted(seconds: float) -> str:
    if seconds < 60:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def on_one_line(text: str) -> str:
    """A text on one line, without characters that steer what shows it."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())

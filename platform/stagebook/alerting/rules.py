"""Which rule tells whom of what. Pure."""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stagebook.events import VersionPublished
from stagebook.incidents.incident import Change, Incident, What
from stagebook.workspace.notify_settings import NotifySettings

COMMAND = "command"  # the recipient that is a program
_WORDS = {What.OPENED: "", What.AGAIN: "", What.GREW: "", What.CLOSED: "recovery"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that rules may tell of.

    Args:
        key: what tells it from all others.
        on: the word of a rule for it; of a recovery also `kind`, that of the incident.
        run: where it was seen; empty where no run showed it.
        series: the backfill that the run is an interval of.
        at: when, in seconds since the epoch.
        incident: as it stands now; `None` where there is none.
        what: what happened to it.
        text: in one line, where there is no incident.
    """

    key: str
    on: str
    pipeline: str
    run: str
    at: float
    incident: Incident | None = None
    what: What = What.OPENED
    kind: str = ""
    text: str = ""
    series: str = ""


def facts_of_changes(changes: Iterable[Change], incidents: Mapping[str, Incident]) -> Iterator[Fact]:
    """What happened to incidents, as far as anybody is told of it. What a person did they know."""
    for change in changes:
        incident = incidents.get(change.incident)
        if incident is None or change.what not in _WORDS or (change.what is What.CLOSED and change.by):
            continue
        shown = dataclasses.replace(incident, message=change.text or incident.message, figure=change.figure)
        yield Fact(
            key=f"{change.incident}/{change.what}/{change.number}",
            on=_WORDS[change.what] or str(incident.kind),
            pipeline=incident.pipeline,
            run=change.run,
            at=change.at,
            incident=shown,
            what=change.what,
            kind=str(incident.kind),
        )


def facts_of_versions(
    published: Iterable[tuple[int, VersionPublished]], pipelines: Mapping[str, str]
) -> Iterator[Fact]:
    """Deployments, of the versions that environments show: by event, and by run its pipeline. A run that published what it
    came to is none."""
    for number, event in published:
        if event.kind == "run":
            continue
        by = f" by {event.by}" if event.by else ""
        release = f", release {event.release[:10]}" if event.release else ""
        why = f": {event.because}" if event.because else ""
        yield Fact(
            key=f"version/{event.version}/{number}",
            on="deployment",
            pipeline=pipelines.get(event.run, ""),
            run=event.run,
            at=event.at,
            kind=event.kind,
            text=f"{event.kind} to {event.environment}: version {event.version}{release}{by}{why}",
        )


def wanted(rule: NotifySettings, facts: Iterable[Fact], environment: str) -> list[Fact]:
    """The facts of an environment that a rule tells of."""
    if not rule.tells_of(environment):
        return []
    return [fact for fact in facts if _is_wanted(rule, fact)]


def _is_wanted(rule: NotifySettings, fact: Fact) -> bool:
    if rule.pipelines and not any(fnmatch.fnmatchcase(fact.pipeline, glob) for glob in rule.pipelines):
        return False
    if fact.what is What.AGAIN:
        acknowledged = fact.incident is not None and bool(fact.incident.acks)
        return rule.every == "run" and not acknowledged and fact.on in rule.on
    if fact.on == "recovery":
        # Who is told of recoveries alone is told of all of them.
        return "recovery" in rule.on and (fact.kind in rule.on or set(rule.on) <= {"recovery", "deployment"})
    return fact.on in rule.on


def groups(facts: Sequence[Fact]) -> list[list[Fact]]:
    """The facts that go in one message: those of one run, of one backfill, or of one look at schedules. That an incident goes on is
    said once in it, if at all."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        group = found.setdefault(fact.series or fact.run or str(fact.at), [])
        if fact.what is not What.AGAIN or _id(fact) not in map(_id, group):
            group.append(fact)
    return list(found.values())


def _id(fact: Fact) -> str:
    return fact.incident.id if fact.incident is not None else ""


def recipients(rule: NotifySettings) -> dict[str, str]:
    """Whom a rule tells: by a name that stays the same as long as the address does, the address as it is written, or the
    command."""
    found = {hashlib.sha256(url.encode()).hexdigest()[:8]: url for url in rule.to}
    return found | ({COMMAND: rule.command} if rule.command else {})


def key_of(rule: str, recipient: str, facts: Iterable[Fact]) -> str:
    """What tells an alert from all others."""
    text = "\n".join([rule, recipient, *sorted(fact.key for fact in facts)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]

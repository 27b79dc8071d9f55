"""What events come to: the incidents of an environment.

A subject of a pipeline has at most one open incident of each kind. It is opened by the first run in which something is wrong,
and closed by a later one in which the same is well, or by a person. Runs that were cancelled change nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from stagebook import events
from stagebook.audits import Audit, Audits, Severity
from stagebook.events import Cause, Event, Status
from stagebook.incidents.incident import Breach, Change, Incident, Kind, Said, What, id_of

_OF_ATTEMPTS = frozenset({Kind.FAILURE, Kind.CONTRACT, Kind.WARNING, Kind.QUARANTINE})
_MOST = 300  # characters of a message
_KINDS = {Severity.WARN: Kind.WARNING, Severity.QUARANTINE: Kind.QUARANTINE, Severity.FAIL: Kind.CONTRACT}

_Outcome = events.AttemptEnded | events.StageReused | events.StageAccepted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of the run of an event. `opens`: whether it may open incidents; what it heals is healed in any case."""

    pipeline: str
    kind: str = "run"
    opens: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Where something was seen."""

    number: int
    at: float
    run: str
    facts: RunFacts


class Incidents:
    """Takes events, one after the other, and says what each changed.

    Args:
        known: the incidents that events before came to.
        outcome_of: how the last attempt at a stage of a run ended, where that was among the events before.
    """

    def __init__(
        self,
        known: Iterable[Incident] = (),
        outcome_of: Callable[[str, str], Event | None] = lambda _run, _stage: None,
    ) -> None:
        self.all: dict[str, Incident] = {one.id: one for one in known}
        self._open = {_key(one): one.id for one in self.all.values() if one.is_open}
        self._outcome_of = outcome_of
        self._outcomes: dict[tuple[str, str], _Outcome] = {}

    @property
    def open(self) -> list[Incident]:
        """Those that go on."""
        return [self.all[name] for name in self._open.values()]

    def take(self, number: int, event: Event, facts: RunFacts) -> list[Change]:
        """Add the event with a number, of a run of which `facts` are known; what it changed."""
        seen = _Seen(number=number, at=event.at, run=event.run, facts=facts)
        match event:
            case events.AttemptEnded() | events.StageReused() | events.StageAccepted():
                self._outcomes[event.run, event.stage] = event
            case events.StageEnded():
                return self._stage_ended(seen, event)
            case events.FiguresCompared():
                return self._compared(seen, event)
            case events.RunEnded():
                return self._run_ended(seen, event)
            case events.IncidentMarked():
                return self._marked(number, event)
        return []

    # -- what is seen of stages -----------------------------------------------------------------

    def _stage_ended(self, seen: _Seen, event: events.StageEnded) -> list[Change]:
        outcome = self._outcomes.pop((event.run, event.stage), None) or self._outcome_of(
            event.run, event.stage
        )
        if event.status is Status.FAILED:
            return self.settle(seen, event.stage, (), _failures(event, outcome))
        if event.status in {Status.COMPLETED, Status.REUSED}:
            failed = (
                isinstance(outcome, events.AttemptEnded) and outcome.cause is not None
            )  # and was tried again
            audits = outcome.audits if isinstance(outcome, _Outcome) and not failed else {}
            return self.settle(seen, event.stage, _OF_ATTEMPTS, _breaches(event.stage, audits))
        return []

    def _compared(self, seen: _Seen, event: events.FiguresCompared) -> list[Change]:
        found = []
        for stage in event.stages:
            unusual = [
                Breach(kind=Kind.ANOMALY, subject=dataset, stage=stage, message=text)
                for dataset, text in event.unusual.items()
                if dataset == stage or dataset.rpartition(".")[0] == stage
            ]
            found += self.settle(seen, stage, {Kind.ANOMALY}, unusual)
        return found

    def _run_ended(self, seen: _Seen, event: events.RunEnded) -> list[Change]:
        for key in [key for key in self._outcomes if key[0] == event.run]:
            del self._outcomes[key]
        if event.status is Status.INTERRUPTED:
            lost = Breach(kind=Kind.FAILURE, subject="", stage="", message=event.reason[:_MOST])
            return self.settle(seen, "", (), [lost])
        if event.status is Status.COMPLETED and seen.facts.kind == "run":
            return self.settle(seen, "", {Kind.FAILURE}, ())
        return []

    def settle(
        self, seen: _Seen, stage: str, judged: Iterable[Kind], breaches: Sequence[Breach]
    ) -> list[Change]:
        """What is wrong with a stage as it was seen: each breach opens an incident, or is seen again in one; open incidents of
        the kinds that were `judged` and are none of these close. An event of another kind comes to incidents by this."""
        found: list[Change] = []
        wrong = {(seen.facts.pipeline, one.kind, one.subject): one for one in breaches}
        for key, breach in wrong.items():
            known = self._open.get(key)
            change = self._open_one(seen, breach) if known is None else self._again(seen, known, breach)
            found += [change] if change is not None else []
        kinds = set(judged)
        healthy = [
            name
            for key, name in self._open.items()
            if key not in wrong and key[0] == seen.facts.pipeline and key[1] in kinds
            if self.all[name].stage == stage
        ]
        return found + [self._close(seen, name) for name in healthy]

    def _open_one(self, seen: _Seen, breach: Breach) -> Change | None:
        pipeline = seen.facts.pipeline
        name = id_of(pipeline, breach.kind, breach.subject, seen.run or str(seen.at))
        if not seen.facts.opens or name in self.all:  # a run opens an incident once, whoever closed it since
            return None
        made = Incident(
            id=name,
            pipeline=pipeline,
            kind=breach.kind,
            subject=breach.subject,
            stage=breach.stage,
            run=seen.run,
            opened=seen.at,
            last_run=seen.run,
            last_seen=seen.at,
            message=breach.message,
            figure=breach.figure,
        )
        self.all[name] = made
        self._open[_key(made)] = name
        return _change(seen, made, What.OPENED)

    def _again(self, seen: _Seen, name: str, breach: Breach) -> Change | None:
        before = self.all[name]
        if seen.run and before.last_run == seen.run and before.figure == breach.figure:
            return None
        after = dataclasses.replace(
            before,
            last_run=seen.run,
            last_seen=max(before.last_seen, seen.at),
            runs=before.runs + (not seen.run or before.last_run != seen.run),
            message=breach.message,
            figure=breach.figure,
        )
        self.all[name] = after
        return _change(seen, after, What.GREW if breach.figure > before.figure else What.AGAIN)

    def _close(self, seen: _Seen, name: str) -> Change:
        closed = dataclasses.replace(self.all[name], closed=seen.at, closed_run=seen.run)
        self.all[name] = closed
        del self._open[_key(closed)]
        return _change(seen, closed, What.CLOSED)

    # -- what people say ------------------------------------------------------------------------

    def _marked(self, number: int, event: events.IncidentMarked) -> list[Change]:
        incident = self.all.get(event.incident)
        said = Said(at=event.at, by=event.by, text=event.text)
        if incident is None:
            return []
        match event.action:
            case "ack":
                what, more = What.ACKNOWLEDGED, dataclasses.replace(incident, acks=(*incident.acks, said))
            case "note":
                what, more = What.NOTED, dataclasses.replace(incident, notes=(*incident.notes, said))
            case "close" if incident.is_open:
                more = dataclasses.replace(
                    incident, closed=event.at, closed_by=event.by or "somebody", because=event.text
                )
                what = What.CLOSED
                del self._open[_key(incident)]
            case _:
                return []
        self.all[incident.id] = more
        return [
            Change(
                number=number,
                at=event.at,
                incident=incident.id,
                what=what,
                run=event.run,
                by=event.by or "somebody",
                text=event.text,
            )
        ]


def _key(incident: Incident) -> tuple[str, Kind, str]:
    return incident.pipeline, incident.kind, incident.subject


def _change(seen: _Seen, incident: Incident, what: What) -> Change:
    return Change(
        number=seen.number,
        at=seen.at,
        incident=incident.id,
        what=what,
        run=seen.run,
        text=incident.message if what is not What.CLOSED else "",
        figure=incident.figure if what is not What.CLOSED else 0.0,
    )


def _failures(event: events.StageEnded, outcome: Event | None) -> list[Breach]:
    attempt = outcome if isinstance(outcome, events.AttemptEnded) else None
    if attempt is not None and attempt.cause is Cause.CONTRACT:
        broken = [one for one in _breaches(event.stage, attempt.audits) if one.kind is Kind.CONTRACT]
        if broken:
            return broken
    message = (attempt.message if attempt is not None else "") or event.reason
    return [Breach(kind=Kind.FAILURE, subject=event.stage, stage=event.stage, message=_line(message))]


def _breaches(stage: str, audits: Audits) -> list[Breach]:
    """What is wrong with the outputs of a stage, by their contracts."""
    found: dict[tuple[str, Kind], Breach] = {}
    for output, audit in audits.items():
        for kind, message, figure in _wrong(audit):
            one = Breach(
                kind=kind, subject=f"{stage}.{output}", stage=stage, message=_line(message), figure=figure
            )
            found[output, kind] = one
    return list(found.values())


def _wrong(audit: Audit) -> Iterable[tuple[Kind, str, float]]:
    messages: Mapping[Severity, list[str]] = {
        severity: [one.message or one.text for one in audit.broken(severity)] for severity in _KINDS
    }
    for severity, kind in _KINDS.items():
        if found := messages[severity]:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            yield kind, f"{found[0]}{more}", float(audit.rejected) if kind is Kind.QUARANTINE else 0.0


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:_MOST] if lines else ""

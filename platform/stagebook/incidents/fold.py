"""What events come to: the incidents of an environment.

A subject of a pipeline has at most one open incident of each kind. It is opened by the first run in which something is wrong,
and closed by a later one in which the same is well, or by a person. Runs that were cancelled change nothing. What is expected of
schedules is wrong or well as it was seen, by no run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from stagebook import events
from stagebook.audits import Audit, Audits, Severity
from stagebook.events import Cause, Event, Status
from stagebook.incidents.incident import OF_SCHEDULES, Breach, Change, Incident, Kind, Said, What, id_of

_OF_ATTEMPTS = frozenset({Kind.FAILURE, Kind.CONTRACT, Kind.WARNING, Kind.QUARANTINE})
_MOST = 300  # characters of a message
_KINDS = {Severity.WARN: Kind.WARNING, Severity.QUARANTINE: Kind.QUARANTINE, Severity.FAIL: Kind.CONTRACT}

_MISSES = {
    "long": Kind.LONG,
    "invalid": Kind.INVALID,
}  # of what is expected of a schedule; all others are of Kind.LATE
_ROWS = "rows"  # unusual numbers of rows are an anomaly of their output, which has an incident of its own

_Outcome = events.AttemptEnded | events.StageReused | events.StageAccepted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of the run of an event. `opens`: whether it may open incidents; what it heals is healed in any case.
    `parent`: the backfill that it is an interval of."""

    pipeline: str
    kind: str = "run"
    opens: bool = True
    parent: str = ""


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
        parent_of: the backfill that a run is an interval of; empty where it is none.
    """

    def __init__(
        self,
        known: Iterable[Incident] = (),
        outcome_of: Callable[[str, str], Event | None] = lambda _run, _stage: None,
        parent_of: Callable[[str], str] = lambda _run: "",
    ) -> None:
        self.all: dict[str, Incident] = {one.id: one for one in known}
        self._open = {_key(one): one.id for one in self.all.values() if one.is_open}
        self._outcome_of = outcome_of
        self._parent_of = parent_of
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
            case events.ScheduleChecked():
                return self._schedule_checked(seen, event)
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
            return self.settle(seen, _nothing, _failures(event, outcome))
        if event.status in {Status.COMPLETED, Status.REUSED}:
            failed = (
                isinstance(outcome, events.AttemptEnded) and outcome.cause is not None
            )  # and was tried again
            audits = outcome.audits if isinstance(outcome, _Outcome) and not failed else {}
            return self.settle(seen, _of(event.stage, _OF_ATTEMPTS), _breaches(event.stage, audits))
        return []

    def _compared(self, seen: _Seen, event: events.FiguresCompared) -> list[Change]:
        found = []
        for stage in event.stages:
            unusual = [
                Breach(kind=Kind.ANOMALY, subject=dataset, stage=stage, message=text)
                for dataset, text in event.unusual.items()
                if dataset == stage or dataset.rpartition(".")[0] == stage
            ]
            found += self.settle(seen, _of(stage, {Kind.ANOMALY}), unusual)
        return found

    def _schedule_checked(self, seen: _Seen, event: events.ScheduleChecked) -> list[Change]:
        # What is paused expects nothing: nobody can say whether what was late is well.
        judged = {Kind.PAUSED} if event.paused and not event.gone else OF_SCHEDULES

        def is_judged(one: Incident) -> bool:
            return one.subject == event.schedule and one.kind in judged

        return self.settle(seen, is_judged, _misses(event), _why_over(event))

    def _run_ended(self, seen: _Seen, event: events.RunEnded) -> list[Change]:
        for key in [key for key in self._outcomes if key[0] == event.run]:
            del self._outcomes[key]
        if event.status is Status.INTERRUPTED:
            lost = Breach(kind=Kind.FAILURE, subject="", stage="", message=event.reason[:_MOST])
            return self.settle(seen, _nothing, [lost])
        if event.status is Status.COMPLETED and seen.facts.kind == "run":
            return self.settle(seen, _of("", {Kind.FAILURE}), ())
        return []

    def settle(
        self,
        seen: _Seen,
        is_judged: Callable[[Incident], bool],
        breaches: Sequence[Breach],
        because: Mapping[Kind, str] | None = None,
    ) -> list[Change]:
        """What is wrong as it was seen: each breach opens an incident, or is seen again in one; open incidents of the pipeline
        that were judged and are none of these close, `because` of what, by kind. An event of another kind comes to incidents by
        this. An interval of a backfill does not heal what was seen in another one of it."""
        found: list[Change] = []
        wrong = {(seen.facts.pipeline, one.kind, one.subject): one for one in breaches}
        for key, breach in wrong.items():
            known = self._open.get(key)
            change = self._open_one(seen, breach) if known is None else self._again(seen, known, breach)
            found += [change] if change is not None else []
        healthy = [
            name
            for key, name in self._open.items()
            if key not in wrong and key[0] == seen.facts.pipeline and is_judged(self.all[name])
            if not (seen.facts.parent and self._parent_of(self.all[name].last_run) == seen.facts.parent)
        ]
        return found + [self._close(seen, name, because or {}) for name in healthy]

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
        is_same = before.last_run == seen.run and before.figure == breach.figure
        if is_same and (seen.run or before.message == breach.message):
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

    def _close(self, seen: _Seen, name: str, because: Mapping[Kind, str]) -> Change:
        before = self.all[name]
        closed = dataclasses.replace(
            before, closed=seen.at, closed_run=seen.run, because=because.get(before.kind, "")
        )
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


def _nothing(_one: Incident) -> bool:
    return False


def _of(stage: str, kinds: Iterable[Kind]) -> Callable[[Incident], bool]:
    """Whether an incident is of a stage, and of one of these kinds."""
    chosen = frozenset(kinds)
    return lambda one: one.stage == stage and one.kind in chosen


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


def _misses(event: events.ScheduleChecked) -> list[Breach]:
    """What is wrong with a schedule: one breach of each kind."""
    found: dict[Kind, list[str]] = {}
    if event.paused and not event.gone:
        found[Kind.PAUSED] = [f"paused{_by(event)}"]
    for one in event.missed:
        what = str(one.get("kind", ""))
        if what == _ROWS:
            continue
        text = str(one.get("message", ""))
        kind = _MISSES.get(what, Kind.LATE)
        found.setdefault(kind, []).append(f"{what}: {text}" if kind is Kind.LATE else text)
    return [
        Breach(kind=kind, subject=event.schedule, stage="", message=_line("; ".join(texts)))
        for kind, texts in found.items()
    ]


def _why_over(event: events.ScheduleChecked) -> dict[Kind, str]:
    if event.gone:
        return dict.fromkeys(OF_SCHEDULES, "is gone")
    return {Kind.PAUSED: f"was resumed{_by(event)}", Kind.INVALID: "has no mistakes any more"}


def _by(event: events.ScheduleChecked) -> str:
    return (f" by {event.by}" if event.by else "") + (f": {event.because}" if event.because else "")


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

"""Incidents: what opens one, what closes it, and laws that hold whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook import events
from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.events import Cause, Event, Status
from stagebook.incidents.fold import Incidents, RunFacts
from stagebook.incidents.incident import Change, Incident, Kind, What

FLIGHTS = RunFacts(pipeline="flights")


def audit(severity: Severity | None, rejected: int = 0) -> Audit:
    broken = severity is not None
    check = CheckResult(
        rule="positive",
        text="delay is positive",
        severity=severity or Severity.WARN,
        outcome=Outcome.BROKEN if broken else Outcome.PASSED,
        message="3 rows are below 0" if broken else "",
    )
    return Audit(
        dataset="d", contract="c", version="1", digest="", rows=9, checks=(check,), rejected=rejected
    )


def attempt(run: str, stage: str = "clean", **fields: object) -> Event:
    return events.AttemptEnded(run=run, at=0.0, stage=stage, attempt=1, seconds=1.0, **fields)  # type: ignore[arg-type]


def ended(run: str, stage: str = "clean", status: Status = Status.FAILED, at: float = 0.0) -> Event:
    return events.StageEnded(run=run, at=at, stage=stage, status=status, reason="it failed")


def audited(run: str, severity: Severity | None, rejected: int = 0) -> list[Event]:
    return [
        attempt(run, audits={"rows": audit(severity, rejected)}),
        ended(run, status=Status.COMPLETED),
    ]


class Told:
    """A fold, and what it said."""

    def __init__(self, *told: Iterable[Event], facts: RunFacts = FLIGHTS) -> None:
        self.fold = Incidents()
        self.changes: list[Change] = []
        self.number = 0
        for some in told:
            self.take(some, facts)

    def take(self, some: Iterable[Event], facts: RunFacts = FLIGHTS) -> list[Change]:
        new = []
        for event in some:
            self.number += 1
            new += self.fold.take(self.number, event, facts)
        self.changes += new
        return new

    @property
    def only(self) -> Incident:
        (found,) = self.fold.all.values()
        return found

    @property
    def whats(self) -> list[What]:
        return [change.what for change in self.changes]


def test_a_failure_opens_an_incident_and_health_closes_it() -> None:
    told = Told()
    failed = attempt("r1", cause=Cause.EXCEPTION, message="ValueError: NaN\nmore")
    told.take([failed, ended("r1", at=5.0)])
    assert told.only.is_open
    assert (told.only.kind, told.only.subject, told.only.run) == (Kind.FAILURE, "clean", "r1")
    assert told.only.message == "ValueError: NaN"
    assert told.only.name == "flights.clean"

    told.take([ended("r2", status=Status.COMPLETED, at=9.0)])
    assert (told.only.closed, told.only.closed_run, told.only.closed_by) == (9.0, "r2", "")
    assert told.whats == [What.OPENED, What.CLOSED]


def test_the_same_subject_that_fails_again_is_the_same_incident() -> None:
    told = Told([ended("r1", at=1.0)], [ended("r2", at=2.0)], [ended("r3", at=3.0)])
    assert (told.only.runs, told.only.last_run, told.only.last_seen, told.only.opened) == (3, "r3", 3.0, 1.0)
    assert told.whats == [What.OPENED, What.AGAIN, What.AGAIN]


def test_after_it_was_closed_the_next_failure_is_another_one() -> None:
    told = Told([ended("r1")], [ended("r2", status=Status.REUSED)], [ended("r3")])
    assert [one.is_open for one in told.fold.all.values()] == [False, True]


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.BLOCKED, Status.SKIPPED, Status.PENDING])
def test_what_did_not_run_changes_nothing(status: Status) -> None:
    told = Told([ended("r1")])
    assert (
        told.take([ended("r2", status=status), events.RunEnded(run="r2", at=2.0, status=Status.CANCELLED)])
        == []
    )
    assert told.only.is_open


def test_stages_and_pipelines_do_not_heal_each_other() -> None:
    told = Told([ended("r1", "clean"), ended("r1", "train")])
    told.take([ended("r2", "clean", Status.COMPLETED)], RunFacts(pipeline="planes"))
    assert len(told.fold.open) == 2
    told.take([ended("r3", "clean", Status.COMPLETED)])
    assert [one.subject for one in told.fold.open] == ["train"]


def test_a_run_that_may_open_none_heals_all_the_same() -> None:
    told = Told()
    by_hand = RunFacts(pipeline="flights", opens=False)
    assert told.take([ended("r1")], by_hand) == []
    told.take([ended("r2")])
    assert [one.what for one in told.take([ended("r3", status=Status.COMPLETED)], by_hand)] == [What.CLOSED]


def test_a_contract_that_fails_is_about_the_output() -> None:
    failed = attempt("r1", cause=Cause.CONTRACT, audits={"rows": audit(Severity.FAIL)})
    told = Told([failed, ended("r1")])
    assert (told.only.kind, told.only.subject) == (Kind.CONTRACT, "clean.rows")
    assert told.only.message == "3 rows are below 0"
    assert [one.what for one in told.take(audited("r2", None))] == [What.CLOSED]


def test_a_warning_lasts_until_the_rule_holds_or_there_is_none_any_more() -> None:
    told = Told(audited("r1", Severity.WARN), audited("r2", Severity.WARN))
    assert (told.only.kind, told.only.runs) == (Kind.WARNING, 2)
    assert [one.what for one in told.take([ended("r3", status=Status.COMPLETED)])] == [What.CLOSED]


def test_what_is_only_logged_is_no_incident() -> None:
    assert Told(audited("r1", Severity.LOG)).fold.all == {}


def test_a_quarantine_that_grows_says_so() -> None:
    told = Told(*(audited(f"r{at}", Severity.QUARANTINE, rows) for at, rows in enumerate((3, 3, 5, 4))))
    assert told.whats == [What.OPENED, What.AGAIN, What.GREW, What.AGAIN]
    assert [change.figure for change in told.changes] == [3.0, 3.0, 5.0, 4.0]


def test_an_output_may_have_a_warning_and_a_quarantine_at_once() -> None:
    both = Audit(
        dataset="d", contract="c", version="1", digest="", rows=9, rejected=2,
        checks=(*audit(Severity.WARN).checks, *audit(Severity.QUARANTINE).checks),
    )  # fmt: skip
    told = Told([attempt("r1", audits={"rows": both}), ended("r1", status=Status.COMPLETED)])
    assert {one.kind for one in told.fold.open} == {Kind.WARNING, Kind.QUARANTINE}


def test_figures_out_of_the_ordinary_are_about_their_stages_alone() -> None:
    compared = events.FiguresCompared(
        run="r1", at=1.0, stages=["clean", "train"], unusual={"clean.rows": "rows 3, usually 90 to 110"}
    )
    told = Told([compared])
    assert (told.only.kind, told.only.subject, told.only.stage) == (Kind.ANOMALY, "clean.rows", "clean")
    other = events.FiguresCompared(run="r2", at=2.0, stages=["train"])
    assert told.take([other]) == []
    assert (
        told.take([ended("r2", status=Status.COMPLETED)]) == []
    )  # that it completed says nothing of its figures
    well = events.FiguresCompared(run="r3", at=3.0, stages=["clean"])
    assert [one.what for one in told.take([well])] == [What.CLOSED]


def test_a_run_that_vanished_is_one_until_a_later_one_completes() -> None:
    gone = events.RunEnded(run="r1", at=1.0, status=Status.INTERRUPTED, reason="its process vanished")
    told = Told([gone])
    assert (told.only.subject, told.only.message, told.only.name) == ("", "its process vanished", "flights")
    ended_well = events.RunEnded(run="r2", at=2.0, status=Status.COMPLETED)
    assert told.take([ended_well], RunFacts(pipeline="flights", kind="bookmark")) == []
    assert [one.what for one in told.take([ended_well])] == [What.CLOSED]


def mark(told: Told, action: str, by: str = "ada", text: str = "") -> Event:
    return events.IncidentMarked(run="r1", at=7.0, incident=told.only.id, action=action, by=by, text=text)


def test_who_did_what_is_known() -> None:
    told = Told([ended("r1")])
    told.take([mark(told, "ack"), mark(told, "note", "bob", "the source is down")])
    assert [said.by for said in told.only.acks] == ["ada"]
    assert [(said.by, said.text) for said in told.only.notes] == [("bob", "the source is down")]
    told.take([mark(told, "close", "bob", "we live with it"), mark(told, "close", "eve")])
    assert (told.only.closed_by, told.only.because, told.only.closed) == ("bob", "we live with it", 7.0)
    told.take([mark(told, "note", "ada", "it came back")])
    assert len(told.only.notes) == 2
    assert told.whats[1:] == [What.ACKNOWLEDGED, What.NOTED, What.CLOSED, What.NOTED]


def test_a_mark_on_what_is_not_known_changes_nothing() -> None:
    assert Told([events.IncidentMarked(run="r", at=1.0, incident="nope", action="close")]).changes == []


def test_an_incident_and_a_change_come_back_from_json_as_they_were() -> None:
    told = Told([ended("r1")])
    told.take([mark(told, "ack"), mark(told, "note", text="x")])
    assert Incident.from_json(told.only.to_json()) == told.only
    assert [Change.from_json(one.to_json()) for one in told.changes] == told.changes
    with pytest.raises(ValueError, match="not an incident"):
        Incident.from_json({"id": "x"})
    with pytest.raises(ValueError, match="not a change"):
        Change.from_json({"number": 1})


# -- laws -----------------------------------------------------------------------------------------

_runs = st.integers(1, 6).map("r{}".format)
_stages = st.sampled_from(["clean", "train"])
_severities = st.none() | st.sampled_from([Severity.WARN, Severity.QUARANTINE, Severity.FAIL, Severity.LOG])
_events = st.one_of(
    st.builds(ended, _runs, _stages, st.sampled_from(Status)),
    st.builds(
        lambda run, stage, severity, cause, rows: attempt(
            run, stage, cause=cause, audits={"rows": audit(severity, rows)}
        ),
        _runs,
        _stages,
        _severities,
        st.sampled_from([None, Cause.CONTRACT, Cause.EXCEPTION]),
        st.integers(0, 3),
    ),
    st.builds(
        lambda run, status: events.RunEnded(run=run, at=0.0, status=status), _runs, st.sampled_from(Status)
    ),
    st.builds(
        lambda run, names: events.FiguresCompared(
            run=run, at=0.0, stages=["clean", "train"], unusual=dict.fromkeys(names, "odd")
        ),
        _runs,
        st.lists(st.sampled_from(["clean", "clean.rows", "train.model"]), max_size=2),
    ),
)
_marks = st.tuples(st.integers(0, 20), st.sampled_from(["ack", "note", "close"]))


@given(st.lists(_events | _marks, max_size=30))
def test_laws(drawn: Sequence[Event | tuple[int, str]]) -> None:
    told = Told()
    before: dict[str, Incident] = {}
    for one in drawn:
        event = _marked(told.fold, *one) if isinstance(one, tuple) else one
        if event is None:
            continue
        new = told.take([event])
        found = dict(told.fold.all)
        # No subject has two open incidents of a kind.
        keys = [(one.pipeline, one.kind, one.subject) for one in told.fold.open]
        assert len(keys) == len(set(keys))
        # What is not told of has not changed; what is closed stays so, and was closed by a person or by health.
        changed = {change.incident for change in new}
        for name, was in before.items():
            if name not in changed:
                assert found[name] == was
            if not was.is_open:
                assert not found[name].is_open
            elif not found[name].is_open:
                assert found[name].closed_by or found[name].closed_run
        assert found.keys() - before.keys() == {one.incident for one in new if one.what is What.OPENED}
        before = found


@given(st.lists(_events, max_size=25), st.integers(0, 25))
def test_whoever_goes_on_from_what_was_kept_comes_to_the_same(drawn: Sequence[Event], cut: int) -> None:
    whole = Told(drawn)
    first = Told(drawn[:cut])

    def outcome_of(run: str, stage: str) -> Event | None:
        """As the journal has it: the last outcome of a stage that has not ended since."""
        last = None
        for event in drawn[:cut]:
            if event.run == run and isinstance(event, events.AttemptEnded) and event.stage == stage:
                last = event
            elif event.run == run and (
                isinstance(event, events.RunEnded)
                or (isinstance(event, events.StageEnded) and event.stage == stage)
            ):
                last = None
        return last

    rest = Incidents([Incident.from_json(one.to_json()) for one in first.fold.all.values()], outcome_of)
    changes = list(first.changes)
    for number, event in enumerate(drawn[cut:], first.number + 1):
        changes += rest.take(number, event, FLIGHTS)
    assert changes == whole.changes
    assert rest.all == whole.fold.all


def _marked(fold: Incidents, which: int, action: str) -> Event | None:
    known = list(fold.all.values())
    if not known:
        return None
    one = known[which % len(known)]
    return events.IncidentMarked(run=one.run, at=0.0, incident=one.id, action=action, by="ada")

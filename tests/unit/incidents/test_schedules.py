"""What is expected of schedules, as incidents: late, long, paused; seen by nobody's run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook import events
from stagebook.events import Event, ScheduleChecked, Status
from stagebook.incidents.fold import Incidents, RunFacts
from stagebook.incidents.incident import Change, Incident, Kind, What

FLIGHTS = RunFacts(pipeline="flights")


def miss(kind: str, message: str = "it is not there") -> dict[str, object]:
    return {"kind": kind, "message": message, "since": 1.0, "run": "", "due": 0.0}


def checked(at: float, *kinds: str, schedule: str = "nightly", **fields: object) -> ScheduleChecked:
    missed = [miss(kind) for kind in kinds]
    return ScheduleChecked(run="", at=at, pipeline="flights", schedule=schedule, missed=missed, **fields)  # type: ignore[arg-type]


def changes_of(fold: Incidents, told: Sequence[Event], first: int = 1) -> list[Change]:
    return [it for number, one in enumerate(told, first) for it in fold.take(number, one, FLIGHTS)]


def whats(told: Sequence[Event], fold: Incidents | None = None) -> list[tuple[Kind, What]]:
    fold = fold or Incidents()
    return [(fold.all[it.incident].kind, it.what) for it in changes_of(fold, told)]


def only(fold: Incidents) -> Incident:
    (found,) = fold.all.values()
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", Kind.LATE),
        ("late", Kind.LATE),
        ("overdue", Kind.LATE),
        ("long", Kind.LONG),
        ("of a later version", Kind.LATE),
    ],
)
def test_each_miss_is_of_a_kind(kind: str, expected: Kind) -> None:
    fold = Incidents()
    assert whats([checked(1.0, kind), checked(2.0)], fold) == [
        (expected, What.OPENED),
        (expected, What.CLOSED),
    ]
    one = only(fold)
    assert (one.subject, one.stage, one.run, one.name) == ("nightly", "", "", "flights/nightly")
    assert (one.opened, one.closed, one.closed_run, one.over) == (1.0, 2.0, "", "is as expected again")


def test_unusual_rows_are_an_anomaly_of_their_output_and_nothing_of_the_schedule() -> None:
    assert whats([checked(1.0, "rows"), checked(2.0, "rows", "late"), checked(3.0, "rows")]) == [
        (Kind.LATE, What.OPENED),
        (Kind.LATE, What.CLOSED),
    ]


def test_what_turns_from_missing_to_late_is_one_incident_that_says_both() -> None:
    fold = Incidents()
    told = [checked(1.0, "missing"), checked(2.0, "late", "overdue"), checked(3.0, "late", "overdue")]
    assert [it.what for it in changes_of(fold, told)] == [What.OPENED, What.AGAIN]
    assert only(fold).message == "late: it is not there; overdue: it is not there"
    assert only(fold).runs == 2


def test_the_next_time_is_another_incident() -> None:
    fold = Incidents()
    changes_of(fold, [checked(1.0, "late"), checked(2.0), checked(3.0, "late")])
    assert [one.is_open for one in fold.all.values()] == [False, True]


def test_schedules_of_a_pipeline_do_not_heal_each_other_and_no_stage_heals_them() -> None:
    fold = Incidents()
    changes_of(fold, [checked(1.0, "late", "long"), checked(2.0, schedule="weekly")])
    changes_of(fold, [events.StageEnded(run="r", at=3.0, stage="nightly", status=Status.COMPLETED)])
    changes_of(fold, [events.RunEnded(run="r", at=3.0, status=Status.COMPLETED)])
    assert {one.kind for one in fold.open} == {Kind.LATE, Kind.LONG}


def test_what_is_paused_says_by_whom_and_what_was_late_stays_late() -> None:
    fold = Incidents()
    paused = checked(2.0, paused=True, by="ada", because="the source is down")
    assert whats([checked(1.0, "late"), paused], fold) == [
        (Kind.LATE, What.OPENED),
        (Kind.PAUSED, What.OPENED),
    ]
    found = {one.kind: one for one in fold.open}
    assert found[Kind.PAUSED].message == "paused by ada: the source is down"
    assert whats([checked(3.0, "late", by="bob")], fold) == [(Kind.PAUSED, What.CLOSED)]
    assert next(one for one in fold.all.values() if one.kind is Kind.PAUSED).over == "was resumed by bob"
    assert whats([checked(4.0)], fold) == [(Kind.LATE, What.CLOSED)]


def test_a_schedule_that_is_gone_closes_all() -> None:
    fold = Incidents()
    changes_of(fold, [checked(1.0, "late", "long"), checked(2.0, paused=True), checked(3.0, gone=True)])
    assert fold.open == []
    assert {one.over for one in fold.all.values()} == {"is gone"}


def test_in_the_working_tree_none_opens() -> None:
    fold = Incidents()
    fold.take(1, checked(1.0, "late"), RunFacts(pipeline="flights", opens=False))
    assert fold.all == {}


_checks = st.builds(
    checked,
    st.just(0.0),
    schedule=st.sampled_from(["nightly", "weekly"]),
    paused=st.booleans(),
    gone=st.booleans(),
).flatmap(
    lambda one: st.lists(
        st.sampled_from(["missing", "late", "long", "overdue", "rows"]), max_size=3, unique=True
    ).map(lambda kinds: (one, kinds))
)


def timed(drawn: Sequence[tuple[ScheduleChecked, Sequence[str]]]) -> list[Event]:
    """As a scheduler writes them: what is paused or gone expects nothing."""
    return [
        checked(
            float(at),
            *([] if one.paused or one.gone else kinds),
            schedule=one.schedule,
            paused=one.paused,
            gone=one.gone,
        )
        for at, (one, kinds) in enumerate(drawn, 1)
    ]


@given(st.lists(_checks, max_size=20))
def test_laws(drawn: Sequence[tuple[ScheduleChecked, Sequence[str]]]) -> None:
    told = timed(drawn)
    fold = Incidents()
    changes = changes_of(fold, told)
    # The same seen once more changes nothing.
    if told:
        assert changes_of(fold, [told[-1]], len(told) + 1) == []
    # Of a kind and a schedule one is open at most; each opens once and closes at most once.
    keys = [(one.kind, one.subject) for one in fold.open]
    assert len(keys) == len(set(keys))
    for what in (What.OPENED, What.CLOSED):
        ids = [change.incident for change in changes if change.what is what]
        assert len(ids) == len(set(ids))
    # Once all is well, all that was opened is closed.
    well: list[Event] = [checked(99.0, schedule=name) for name in ("nightly", "weekly")]
    changes += changes_of(fold, well, 100)
    assert fold.open == []
    counts = [sum(it.what is what for it in changes) for what in (What.OPENED, What.CLOSED)]
    assert counts[0] == counts[1] == len(fold.all)


@given(st.lists(_checks, max_size=15), st.integers(0, 15))
def test_whoever_goes_on_from_what_was_kept_comes_to_the_same(
    drawn: Sequence[tuple[ScheduleChecked, Sequence[str]]], cut: int
) -> None:
    told = timed(drawn)
    whole, first = Incidents(), Incidents()
    changes = changes_of(whole, told)
    before = changes_of(first, told[:cut])
    rest = Incidents([Incident.from_json(one.to_json()) for one in first.all.values()])
    assert before + changes_of(rest, told[cut:], len(told[:cut]) + 1) == changes
    assert rest.all == whole.all


# -- backfills ------------------------------------------------------------------------------------

PARENTS = {"b1": "backfill-1", "b2": "backfill-1", "b3": "backfill-1", "c1": "backfill-2"}


def ended(fold: Incidents, run: str, status: Status) -> list[What]:
    event = events.StageEnded(run=run, at=1.0, stage="clean", status=status)
    facts = RunFacts(pipeline="flights", parent=PARENTS.get(run, ""))
    return [it.what for it in fold.take(1, event, facts)]


def test_intervals_of_a_backfill_that_fail_are_one_incident() -> None:
    fold = Incidents(parent_of=lambda run: PARENTS.get(run, ""))
    assert ended(fold, "b1", Status.FAILED) == [What.OPENED]
    assert ended(fold, "b2", Status.COMPLETED) == [], "the interval that failed is not well by another one"
    assert ended(fold, "b3", Status.FAILED) == [What.AGAIN]
    assert ended(fold, "c1", Status.COMPLETED) == [What.CLOSED], "the next backfill runs what failed"


def test_the_nightly_and_a_backfill_heal_each_other() -> None:
    fold = Incidents(parent_of=lambda run: PARENTS.get(run, ""))
    assert ended(fold, "b1", Status.FAILED) == [What.OPENED]
    assert ended(fold, "nightly-1", Status.COMPLETED) == [What.CLOSED]
    assert ended(fold, "nightly-2", Status.FAILED) == [What.OPENED]
    assert ended(fold, "b2", Status.COMPLETED) == [What.CLOSED]

"""Laws of indicators, for any facts."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.audits import Outcome, Severity
from stagebook.incidents.incident import Kind
from stagebook.indicators.deployments import judged
from stagebook.indicators.facts import (
    WEEK,
    FactAudit,
    FactCheck,
    FactDeployment,
    FactFiring,
    FactIncident,
    FactLate,
    FactNote,
    FactRun,
    Facts,
    FactStage,
    FreshBound,
    Trigger,
    Window,
)
from stagebook.indicators.indicator import indicator, quantile
from stagebook.indicators.quality import column_scores
from stagebook.indicators.report import FIGURES, report
from stagebook.statuses import Status

SPAN = 1_000.0
WINDOW = Window(start=300.0, end=700.0)
times = st.floats(0, SPAN, allow_nan=False).map(lambda at: round(at, 1))
names = st.sampled_from(["a", "b", "c"])
checks = st.builds(
    FactCheck,
    columns=st.sampled_from([(), ("x",), ("x", "y")]),
    severity=st.sampled_from(Severity),
    outcome=st.sampled_from(Outcome),
    failing=st.floats(0, 1),
)
audits = st.builds(
    FactAudit,
    output=names,
    rows=st.integers(0, 100),
    rejected=st.integers(0, 100),
    checks=st.lists(checks, max_size=3).map(tuple),
)


@st.composite
def runs(draw: st.DrawFn) -> FactRun:
    begun = draw(times)
    ended = draw(st.none() | st.floats(0, 300).map(lambda took: begun + took))
    final = [status for status in Status if status.is_final]
    return FactRun(
        id=draw(names),
        pipeline="p",
        at=begun,
        ended=ended,
        status=draw(st.sampled_from(final)) if ended is not None else Status.RUNNING,
        trigger=draw(st.sampled_from(Trigger)),
        interval_end=draw(st.none() | times),
    )


@st.composite
def incidents(draw: st.DrawFn) -> FactIncident:
    at = draw(times)
    closed = draw(st.none() | st.floats(0, 300).map(lambda took: at + took))
    kind = draw(st.sampled_from(Kind))
    return FactIncident(pipeline="p", kind=kind, at=at, closed=closed, closed_run=draw(st.just("") | names))


stages = st.builds(
    FactStage,
    pipeline=st.just("p"),
    stage=names,
    at=times,
    attempt=st.integers(0, 3),
    completed=st.booleans(),
    saved=st.none() | st.floats(0, 100),
    outputs=st.lists(names, max_size=2).map(tuple),
    covered=st.lists(names, max_size=2).map(tuple),
    audits=st.lists(audits, max_size=2).map(tuple),
)
deployments = st.builds(
    FactDeployment,
    pipeline=st.just("p"),
    version=st.integers(1, 9),
    at=times,
    kind=st.sampled_from(["deployment", "promotion", "rollback"]),
    run=names,
    commit=st.just("") | names,
    committed=st.none() | times,
    first_use=st.none() | times,
)
facts = st.builds(
    Facts,
    runs=st.lists(runs(), max_size=8),
    stages=st.lists(stages, max_size=8),
    notes=st.lists(st.builds(FactNote, pipeline=st.just("p"), run=names, at=times), max_size=4),
    deployments=st.lists(deployments, max_size=6),
    firings=st.lists(
        st.builds(FactFiring, pipeline=st.just("p"), schedule=names, at=times, came=st.booleans()), max_size=6
    ),
    late=st.lists(st.builds(FactLate, pipeline=st.just("p"), schedule=names, at=times), max_size=4),
    incidents=st.lists(incidents(), max_size=5),
    fresh=st.lists(
        st.builds(FreshBound, pipeline=st.just("p"), schedule=names, within=st.floats(0.1, 500)), max_size=2
    ),
).map(Facts.sorted)
ADDED = {
    "errors",
    "automation",
    "check_failures",
    "flaky",
    "on_time",
    "change_failures",
    "rework",
    "failures_noted",
}
"""Rates of things that each belong to one moment: so their counts add up."""


@given(facts)
def test_rates_lie_within_0_and_1_and_durations_are_not_negative(given: Facts) -> None:
    for one in report("p", "prod", given, WINDOW, weeks=2).indicators:
        for value in (
            one.value,
            one.trend.before,
            *(point.value for point in one.trend.points),
            *one.parts.values(),
        ):
            if value is not None:
                assert 0 <= value <= (1 if one.unit == "ratio" else float("inf")), one


@given(facts)
def test_what_stands_on_nothing_has_no_value_and_the_other_way_round(given: Facts) -> None:
    for one in report("p", "prod", given, WINDOW).indicators:
        assert (one.value is None) == (one.count == 0), one


@given(facts, st.floats(WINDOW.start, WINDOW.end))
def test_windows_add_up(given: Facts, middle: float) -> None:
    """What is counted in a window is what is counted in its two parts, and so is what is left out."""
    parts = (Window(start=WINDOW.start, end=middle), Window(start=middle, end=WINDOW.end))
    for figure in (one for one in FIGURES if one.name in ADDED):
        whole = figure.read(given, WINDOW)
        first, second = (figure.read(given, part) for part in parts)
        assert whole.count == first.count + second.count, figure.name
        assert whole.left_out == first.left_out + second.left_out, figure.name
        added = sum((one.value or 0) * one.count for one in (first, second))
        assert (whole.value or 0) * whole.count == pytest.approx(added), figure.name


@given(facts, st.randoms(use_true_random=False))
def test_the_order_of_what_is_concurrent_changes_nothing(given: Facts, random: random.Random) -> None:
    """Runs and what they did may be told in any order."""
    shuffled = {}
    for name in ("runs", "notes", "firings", "late"):
        items = list(getattr(given, name))
        random.shuffle(items)
        shuffled[name] = items
    other = dataclasses.replace(given, **shuffled).sorted()
    for figure in FIGURES:
        before, after = figure.read(given, WINDOW), figure.read(other, WINDOW)
        assert (after.value, after.count, after.left_out) == (
            pytest.approx(before.value),
            before.count,
            before.left_out,
        )


@given(facts)
def test_what_is_left_out_is_counted(given: Facts) -> None:
    """Each first deployment of a commit is in the lead time, or among what is left out."""
    found = indicator(next(one for one in FIGURES if one.name == "lead_time_median"), given, WINDOW)
    first = [
        one for one in judged(given) if one.at in WINDOW and one.is_first and not one.deployment.is_rollback
    ]
    assert found.count + found.left_out == len(first)
    assert bool(found.why_left_out) == bool(found.left_out)


@given(facts)
def test_what_happens_later_changes_no_window_of_counts(given: Facts) -> None:
    until = [run for run in given.runs if run.at < WINDOW.end]
    kept = dataclasses.replace(given, runs=until)
    for name in ("runs", "automation"):
        figure = next(one for one in FIGURES if one.name == name)
        assert figure.read(kept, WINDOW) == figure.read(given, WINDOW)


@given(facts)
def test_a_longer_bound_is_never_kept_less(given: Facts) -> None:
    longer = [dataclasses.replace(one, within=2 * one.within) for one in given.fresh]
    figure = next(one for one in FIGURES if one.name == "freshness")
    before, after = figure.read(given, WINDOW), figure.read(dataclasses.replace(given, fresh=longer), WINDOW)
    assert (before.value is None) == (after.value is None)
    assert (before.value or 0) <= (after.value or 0) + 1e-9


@given(st.lists(checks, min_size=1, max_size=5), checks)
def test_a_further_check_makes_no_score_better(given: list[FactCheck], more: FactCheck) -> None:
    before, after = column_scores(given), column_scores([*given, more])
    assert all(0 <= after[name] <= score <= 1 for name, score in before.items())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.floats(0, 1))
def test_a_quantile_lies_between_the_values(values: list[float], part: float) -> None:
    found = quantile(values, part)
    assert found is not None
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6
    assert (quantile(values, 0), quantile(values, 1)) == (min(values), max(values))


@given(st.integers(1, 20))
def test_weeks_follow_each_other_up_to_the_end(count: int) -> None:
    found = list(WINDOW.last_weeks(count))
    assert len(found) == count
    assert found[-1].end == WINDOW.end
    assert all(one.end - one.start == WEEK for one in found)
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]

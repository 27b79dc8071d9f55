"""What is usual for a figure."""

from __future__ import annotations

import datetime
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.runs.anomalies import is_outside, of_season, usual

numbers = st.integers(-(10**6), 10**6).map(float)


def test_the_range_is_that_of_the_modified_z_score() -> None:
    values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]  # their median 2.45, MAD 0.15
    low, high = usual(values, 3.5)
    assert (low, high) == pytest.approx((2.45 - 3.5 * 1.4826 * 0.15, 2.45 + 3.5 * 1.4826 * 0.15))
    assert [value for value in values if is_outside(value, low, high)] == [8.2, 8.3]


def test_what_is_always_the_same_is_usual_alone() -> None:
    assert usual([3.0] * 8, 3.5) == (3.0, 3.0)
    assert is_outside(3.1, 3.0, 3.0)
    assert not is_outside(3.0, 3.0, 3.0)
    assert usual([3.0] * 8, 3.5, slack=0.5) == (2.5, 3.5)
    low, high = usual([0.0] * 9 + [10.0], 3.5)
    assert (low, high) == pytest.approx((-3.5 * 1.2533, 3.5 * 1.2533)), "by the mean deviation, as MAD is 0"


@given(st.lists(numbers, min_size=1, max_size=30), st.floats(0.1, 10), numbers)
def test_the_median_is_usual_and_a_shift_of_all_figures_shifts_the_range(
    values: list[float], sensitivity: float, shift: float
) -> None:
    low, high = usual(values, sensitivity)
    assert low <= statistics.median(values) <= high
    moved = usual([value + shift for value in values], sensitivity)
    assert moved == pytest.approx((low + shift, high + shift), rel=1e-6, abs=1e-3)


@given(st.lists(numbers, min_size=8, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_the_runs_says_nothing(values: list[float], order: random.Random) -> None:
    shuffled = list(values)
    order.shuffle(shuffled)
    assert usual(shuffled, 3.5) == pytest.approx(usual(values, 3.5))


def test_a_season_counts_where_it_has_enough_runs() -> None:
    monday = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
    days = [monday + datetime.timedelta(days=number) for number in range(28)]
    times = [day.timestamp() for day in days]
    at = (monday + datetime.timedelta(days=28)).timestamp()
    assert of_season(times, at, "weekday", 4) == [0, 7, 14, 21]
    assert list(of_season(times, at, "weekday", 5)) == list(range(28)), "too few Mondays"
    assert list(of_season(times, at, "none", 3)) == list(range(28))
    assert of_season(times, at, "month", 20) == list(range(28))
    assert of_season(
        times, datetime.datetime(2027, 11, 1, tzinfo=datetime.UTC).timestamp(), "month", 8
    ) == list(range(28))

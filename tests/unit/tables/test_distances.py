"""Distances of distributions are between 0 and 1, the same both ways, and what counting by hand gives."""

from __future__ import annotations

import bisect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.tables.distances import kolmogorov, kolmogorov_of_quantiles, total_variation

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
numbers = st.lists(st.integers(-20, 20), min_size=1, max_size=40)
counts = st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any)


def up_to(values: list[int], places: list[int]) -> list[int]:
    """How many values are at most at each place."""
    ordered = sorted(values)
    return [bisect.bisect_right(ordered, place) for place in places]


@given(numbers, numbers)
def test_the_largest_difference_of_shares_is_found_at_its_place(one: list[int], other: list[int]) -> None:
    places = list(range(-20, 21))
    found, at = kolmogorov(up_to(one, places), up_to(other, places))
    shares = [
        abs(
            sum(value <= place for value in one) / len(one)
            - sum(value <= place for value in other) / len(other)
        )
        for place in places
    ]
    assert found == pytest.approx(max(shares))
    assert shares[at] == pytest.approx(found)
    assert kolmogorov(up_to(other, places), up_to(one, places))[0] == pytest.approx(found)
    coarse = [-20, -3, 8, 20]
    assert kolmogorov(up_to(one, coarse), up_to(other, coarse))[0] <= found + 1e-9, "fewer places, no more"


@given(counts, counts)
def test_the_total_variation_is_the_largest_difference_over_all_sets_of_kinds(
    one: list[int], other: list[int]
) -> None:
    found, at = total_variation(one, other)
    differences = [a / sum(one) - b / sum(other) for a, b in zip(one, other, strict=True)]
    sets = itertools.product((0, 1), repeat=4)
    best = max(sum(part * there for part, there in zip(differences, chosen, strict=True)) for chosen in sets)
    assert found == pytest.approx(best, abs=1e-9)
    assert abs(differences[at]) == pytest.approx(max(map(abs, differences)))
    assert total_variation(other, one)[0] == pytest.approx(found)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((1, 3, 5, 7, 9), (1, 3, 5, 7, 9), 0),
        ((5, 5, 5, 5, 5), (5, 5, 5, 5, 5), 0),
        ((1, 3, 5, 7, 9), (2, 4, 6, 8, 10), 0.125),  # half of the way from a quarter to the next
        ((1, 3, 5, 7, 9), (5, 5, 5, 5, 5), 0.45),
        ((1, 3, 5, 7, 9), (11, 13, 15, 17, 19), 0.9),  # all that is known of both lies apart
        (
            (0, 0, 0, 0, 9),
            (0, 0, 0, 9, 9),
            0.25,
        ),  # as many, three quarters and half, are known to be at most 0
    ],
)
def test_distances_by_quantiles(one: tuple[float, ...], other: tuple[float, ...], expected: float) -> None:
    assert kolmogorov_of_quantiles(LEVELS, one, other) == pytest.approx(expected)
    assert kolmogorov_of_quantiles(LEVELS, other, one) == pytest.approx(expected)


five = st.lists(st.integers(-50, 50).map(float), min_size=5, max_size=5).map(sorted)


@given(five, five, st.integers(-9, 9), st.integers(1, 5))
def test_a_distance_by_quantiles_does_not_depend_on_the_unit(
    one: list[float], other: list[float], shift: int, factor: int
) -> None:
    found = kolmogorov_of_quantiles(LEVELS, one, other)
    assert 0 <= found <= 0.95
    assert kolmogorov_of_quantiles(LEVELS, one, one) == 0
    moved = [[value * factor + shift for value in values] for values in (one, other)]
    assert kolmogorov_of_quantiles(LEVELS, *moved) == pytest.approx(found)


@given(five, st.integers(1, 30), st.integers(1, 30))
def test_the_farther_a_distribution_moves_the_larger_is_its_distance(
    one: list[float], shift: int, more: int
) -> None:
    near = kolmogorov_of_quantiles(LEVELS, one, [value + shift for value in one])
    far = kolmogorov_of_quantiles(LEVELS, one, [value + shift + more for value in one])
    assert near <= far + 1e-9

"""How far two distributions are from each other: from 0, the same, to 1, nothing in common."""

from __future__ import annotations

import bisect
from collections.abc import Sequence


def kolmogorov(one: Sequence[int], other: Sequence[int]) -> tuple[float, int]:
    """The statistic of Kolmogorov and Smirnov, D = max |F(x) - G(x)|: the largest difference between the shares of values that
    are at most x (N. Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", Annals of Mathematical
    Statistics 19, 1948). Here x goes over some places alone, so D is at least this.

    Args:
        one: how many values are at most the first place, the second, and so on; at last how many there are.
        other: the same of the other values.

    Returns:
        D, and the number of the place.
    """
    return _largest([abs(a / one[-1] - b / other[-1]) for a, b in zip(one, other, strict=True)])


def total_variation(one: Sequence[int], other: Sequence[int]) -> tuple[float, int]:
    """The total variation, ½ Σ |p - q|: the share of values that would have to be other ones (A. L. Gibbs and F. E. Su, "On
    Choosing and Bounding Probability Metrics", International Statistical Review 70, 2002).

    Args:
        one: how many values are of the first kind, the second, and so on.
        other: the same of the other values.

    Returns:
        It, and the number of the kind that differs most.
    """
    total, others = sum(one), sum(other)
    differences = [abs(a / total - b / others) for a, b in zip(one, other, strict=True)]
    return sum(differences) / 2, _largest(differences)[1]


def kolmogorov_of_quantiles(levels: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    """As `kolmogorov`, of what is known of two distributions by their quantiles: between these, shares are taken to grow
    evenly; beyond them nothing is taken to differ. `levels` are those of the quantiles, in order."""
    return max(_ahead(levels, one, other), _ahead(levels, other, one))


def _ahead(levels: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference at the quantiles of `one`."""
    found = 0.0
    for level, place in zip(levels, one, strict=True):
        low, high = _shares(levels, other, place)
        found = max(found, low - level, level - high)
    return found


def _shares(levels: Sequence[float], quantiles: Sequence[float], place: float) -> tuple[float, float]:
    """The least and the largest share of values that may be at most at a place."""
    first, after = bisect.bisect_left(quantiles, place), bisect.bisect_right(quantiles, place)
    low = levels[first - 1] if first else 0.0
    high = levels[after] if after < len(levels) else 1.0
    if first == after and 0 < first < len(levels):
        width = quantiles[first] - quantiles[first - 1]
        low = high = low + (high - low) * (place - quantiles[first - 1]) / width
    elif first < after:
        low = levels[first] if first else 0.0
        high = levels[after - 1] if after < len(levels) else 1.0
    return low, high


def _largest(values: Sequence[float]) -> tuple[float, int]:
    place = max(range(len(values)), key=values.__getitem__)
    return values[place], place

"""What is usual for a figure, by its own history."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Sequence

_NORMAL_MAD = 1.4826  # standard deviation ÷ median absolute deviation of a normal distribution
_ROUNDING = 1e-9  # what is so small beside the figures is 0
_NORMAL_MEAN_AD = 1.2533  # and ÷ mean absolute deviation: √(π/2)


def usual(values: Sequence[float], sensitivity: float, slack: float = 0.0) -> tuple[float, float]:
    """The range in which a figure is usual: median ± `sensitivity` · 1.4826 · MAD, where MAD is the median of the absolute
    deviations from the median.

    A modified z-score above 3.5 is an outlier by B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers"
    (ASQC, 1993); it does not depend on the outliers themselves, as mean and standard deviation do. Where more than half of
    the values are the same, MAD is 0; then 1.2533 · the mean absolute deviation is taken instead. Where all are the same,
    that alone is usual.

    Args:
        values: the earlier figures, at least one.
        sensitivity: how wide the range is, in standard deviations.
        slack: the range is at least so wide to each side of the median.
    """
    middle = statistics.median(values)
    deviations = [abs(value - middle) for value in values]
    spread = _NORMAL_MAD * statistics.median(deviations)
    if spread <= _ROUNDING * max(abs(middle), *deviations):
        spread = _NORMAL_MEAN_AD * statistics.fmean(deviations)
    width = max(sensitivity * spread, slack)
    return middle - width, middle + width


def of_season(times: Sequence[float], at: float, seasonal: str, minimum: int) -> Sequence[int]:
    """Which of the earlier figures count for one of the time `at` (seconds since the epoch, UTC): those of the same
    `weekday` or `month` where they are at least `minimum`, else all."""
    if seasonal == "none":
        return range(len(times))
    same = [place for place, time in enumerate(times) if _season(time, seasonal) == _season(at, seasonal)]
    return same if len(same) >= minimum else range(len(times))


def _season(at: float, seasonal: str) -> int:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.weekday() if seasonal == "weekday" else moment.month


def is_outside(value: float, low: float, high: float) -> bool:
    """Whether a figure is out of its range, by more than rounding."""
    return not (low <= value <= high or math.isclose(value, low) or math.isclose(value, high))

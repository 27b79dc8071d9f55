"""Indicators in words."""

from __future__ import annotations

import pytest

from stagebook.indicators.indicator import Indicator, Trend, Unit
from stagebook.indicators.words import amount, direction, is_worse


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (None, "ratio", "-"),
        (0.0, "ratio", "0.0 %"),
        (0.04, "ratio", "4.0 %"),
        (0.0001, "ratio", "< 0.1 %"),
        (0.9999, "ratio", "> 99.9 %"),
        (1.0, "ratio", "100.0 %"),
        (0.0, "seconds", "0.0 s"),
        (59.9, "seconds", "59.9 s"),
        (90.0, "seconds", "1.5 min"),
        (9_000.0, "seconds", "2.5 h"),
        (47 * 3600.0, "seconds", "47.0 h"),
        (84 * 3600.0, "seconds", "3.5 days"),
        (23.34, "per_week", "23.3"),
        (1234.0, "count", "1,234"),
    ],
)
def test_amounts(value: float | None, unit: Unit, told: str) -> None:
    assert amount(value, unit) == told


def one(value: float | None, before: float | None, better: str = "less") -> Indicator:
    return Indicator(
        name="errors", title="error rate", question="breaks", value=value, unit="ratio", formula="", sources="",
        count=1, trend=Trend(before=before), better=better,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "before", "better", "told", "worse"),
    [
        (0.5, 0.4, "less", "↑", True),
        (0.4, 0.5, "less", "↓", False),
        (0.4, 0.5, "more", "↓", True),
        (0.5, 0.4, "", "↑", False),
        (0.50001, 0.5, "less", "", False),  # it looks the same
        (None, 0.5, "less", "", False),
        (0.5, None, "less", "", False),
    ],
)
def test_which_way_it_went(
    value: float | None, before: float | None, better: str, told: str, worse: bool
) -> None:
    assert (direction(one(value, before, better)), is_worse(one(value, before, better))) == (told, worse)

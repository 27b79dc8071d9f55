"""Indicators in words."""

from __future__ import annotations

import dataclasses

import pytest

from stagebook.indicators.indicator import Indicator, Trend, Unit
from stagebook.indicators.words import amount, direction, stands_on, triggers, verdict


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
    ("value", "before", "better", "told", "said"),
    [
        (0.5, 0.4, "less", "↑", "worse"),
        (0.4, 0.5, "less", "↓", "better"),
        (0.4, 0.5, "more", "↓", "worse"),
        (0.5, 0.4, "more", "↑", "better"),
        (0.5, 0.4, "", "↑", ""),
        (0.50001, 0.5, "less", "", ""),  # it looks the same
        (None, 0.5, "less", "", ""),
        (0.5, None, "less", "", ""),
    ],
)
def test_which_way_it_went(
    value: float | None, before: float | None, better: str, told: str, said: str
) -> None:
    assert (direction(one(value, before, better)), verdict(one(value, before, better))) == (told, said)


def test_what_it_stands_on() -> None:
    found = dataclasses.replace(one(0.5, None), count=1_234, nothing="no finished runs")
    assert stands_on(found) == "1,234"
    assert stands_on(dataclasses.replace(found, left_out=1_000)) == "1,234, 1,000 left out"
    assert stands_on(dataclasses.replace(found, value=None)) == "no finished runs"


def test_what_had_runs_begin() -> None:
    found = dataclasses.replace(one(8.1, None), unit="per_week", parts={"hand": 1.6, "schedule": 6.5})
    assert triggers(dataclasses.replace(found, part="trigger")) == "by hand 1.6, by schedule 6.5"
    assert not triggers(dataclasses.replace(found, part="dataset"))

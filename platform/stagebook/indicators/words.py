"""Indicators in words."""

from __future__ import annotations

from typing import Literal

from stagebook.indicators.indicator import Indicator, Unit

_SPANS = ((48 * 3600.0, 86_400.0, "days"), (3600.0, 3600.0, "h"), (60.0, 60.0, "min"), (0.0, 1.0, "s"))
NOTHING = "-"


def amount(value: float | None, unit: Unit) -> str:
    """A value with its unit; durations in what is easily read: `4.0 %`, `2.5 h`, `3.1 days`, `23.3`."""
    if value is None:
        return NOTHING
    match unit:
        case "ratio":
            if 0 < value < 0.0005 or 0.9995 <= value < 1:  # neither none nor all
                return "< 0.1 %" if value < 0.5 else "> 99.9 %"
            return f"{100 * value:.1f} %"
        case "seconds":
            _, size, word = next(one for one in _SPANS if value >= one[0] or one[2] == "s")
            return f"{value / size:.1f} {word}"
        case "per_week":
            return f"{value:.1f}"
        case "count":
            return f"{value:,.0f}"


def direction(one: Indicator) -> str:
    """`↑` or `↓` where it is another value than in the window before, as shown; empty where it is the same, or unknown."""
    before = one.trend.before
    if one.value is None or before is None or amount(one.value, one.unit) == amount(before, one.unit):
        return ""
    return "↑" if one.value > before else "↓"


def verdict(one: Indicator) -> Literal["better", "worse", ""]:
    """Whether it went the right way since the window before, or the wrong one; empty where it went none, or neither is better."""
    arrow = direction(one)
    if not arrow or not one.better:
        return ""
    return "better" if (arrow, one.better) in {("↑", "more"), ("↓", "less")} else "worse"


def stands_on(one: Indicator) -> str:
    """On how many facts it stands, or why on none; and how many were left out: `35`, `no deployments, 3 left out`."""
    left_out = f", {one.left_out:,} left out" if one.left_out else ""
    return f"{one.nothing if one.value is None else f'{one.count:,}'}{left_out}"


def triggers(one: Indicator) -> str:
    """What had the runs begin: `by hand 1.6, by schedule 6.5`; empty of any other figure."""
    parts = one.parts.items() if one.part == "trigger" else ()
    return ", ".join(f"by {name} {amount(part, one.unit)}" for name, part in parts)

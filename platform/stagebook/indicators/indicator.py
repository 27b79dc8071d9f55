"""An indicator, as a value, and what it is computed by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from stagebook.indicators.facts import Facts, Window

Unit = Literal["ratio", "seconds", "per_week", "count"]
Question = Literal["work", "breaks", "speed"]

QUESTIONS: Mapping[Question, str] = {
    "work": "How much work",
    "breaks": "How often it breaks",
    "speed": "How fast to production",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a figure comes to in a window.

    Args:
        value: `None` where there is nothing that it could stand on.
        count: how many facts it stands on.
        left_out: how many facts could not be taken.
        parts: by name, what it is made of.
    """

    value: float | None
    count: int
    left_out: int = 0
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How an indicator is computed.

    Args:
        name: as OpenMetrics has it, without the unit.
        formula: in words.
        sources: which records it is read from.
        nothing: what is said where it stands on nothing.
        better: whether more is better, or less; empty where neither is.
        left_out: why facts are left out.
        part: what the parts of a reading are.
    """

    name: str
    title: str
    question: Question
    unit: Unit
    formula: str
    sources: str
    nothing: str
    read: Callable[[Facts, Window], Reading]
    better: Literal["more", "less", ""] = ""
    left_out: str = ""
    part: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The value of a figure in a week."""

    start: float
    end: float
    value: float | None
    count: int

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The same figure `before`, in the window of equal length, and week by week, the earliest first."""

    before: float | None = None
    points: tuple[Point, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A figure of a window. The fields are those of its `Figure` and its `Reading`."""

    name: str
    title: str
    question: Question
    value: float | None
    unit: Unit
    formula: str
    sources: str
    count: int
    trend: Trend
    nothing: str = ""
    better: str = ""
    left_out: int = 0
    why_left_out: str = ""
    part: str = ""
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        points = [point.to_json() for point in self.trend.points]
        return {**plain, "parts": dict(self.parts), "trend": {"before": self.trend.before, "points": points}}


def indicator(figure: Figure, facts: Facts, window: Window, weeks: int = 0) -> Indicator:
    """A figure of a window, with the window before and so many weeks."""
    now = figure.read(facts, window)
    points = []
    for week in window.last_weeks(weeks):
        then = figure.read(facts, week)
        points.append(Point(start=week.start, end=week.end, value=then.value, count=then.count))
    return Indicator(
        name=figure.name,
        title=figure.title,
        question=figure.question,
        value=now.value,
        unit=figure.unit,
        formula=figure.formula,
        sources=figure.sources,
        count=now.count,
        trend=Trend(before=figure.read(facts, window.before()).value, points=tuple(points)),
        nothing=figure.nothing,
        better=figure.better,
        left_out=now.left_out,
        why_left_out=figure.left_out if now.left_out else "",
        part=figure.part,
        parts=now.parts,
    )


def ratio(part: float, whole: float, *, left_out: int = 0) -> Reading:
    """A part of a whole; `None` where that is nothing. It stands on the whole."""
    return Reading(value=part / whole if whole else None, count=int(whole), left_out=left_out)


def quantile(values: Iterable[float], part: float) -> float | None:
    """The value below which a part of all lies, between two values by linear interpolation (type 7 of Hyndman and Fan, 1996);
    `None` of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def spread(values: Sequence[float], part: float = 0.5, *, left_out: int = 0) -> Reading:
    """The median of durations, or another quantile."""
    return Reading(value=quantile(values, part), count=len(values), left_out=left_out)

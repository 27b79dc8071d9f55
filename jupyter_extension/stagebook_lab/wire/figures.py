"""Figures of a pipeline in an environment: how much work, how often it breaks, how fast change reaches production."""

from __future__ import annotations

import dataclasses
from typing import Literal

FigureDirection = Literal["up", "down", "same", ""]
FigureVerdict = Literal["better", "worse", ""]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigurePoint:
    """The value of a figure in a week, and the same in words; null where there is nothing that it could stand on."""

    start: float
    end: float
    value: float | None
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigureInfo:
    """A figure of a window. `text` and `before` are its value and that of the window before, with the unit, as `stagebook metrics`
    prints them; they are empty where it stands on nothing. `direction` says which way it went, and is empty where nobody knows;
    `verdict` whether that is the right way, where one is. `parts`: what it is made of; `why_left_out` is empty where nothing was."""

    name: str
    title: str
    text: str
    before: str
    direction: FigureDirection
    verdict: FigureVerdict
    stands_on: str
    parts: str
    formula: str
    sources: str
    why_left_out: str
    points: tuple[FigurePoint, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigureGroup:
    """A question, and the figures that answer it."""

    title: str
    figures: tuple[FigureInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnScore:
    """The quality score of a column, in words."""

    name: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetScore:
    """The quality score of a dataset, in words. `columns`: those that are not perfect, the worst first, without the `more` ones that
    are better; `perfect` ones are those in which no check found anything."""

    dataset: str
    text: str
    rows: int
    columns: tuple[ColumnScore, ...]
    more: int
    perfect: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FiguresReply:
    """The figures of a pipeline over the window from `start` to `end`, beside the one of equal length before. `nothing` says why
    there are none, and is empty where there are."""

    pipeline: str
    environment: str
    environments: tuple[str, ...]
    days: int
    start: float
    end: float
    groups: tuple[FigureGroup, ...]
    datasets: tuple[DatasetScore, ...]
    nothing: str

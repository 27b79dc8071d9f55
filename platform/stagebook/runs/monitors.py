"""Figures of stages and datasets over the runs of a pipeline, and those that are unusual."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from stagebook.errors import JournalUnreadable
from stagebook.events import StageMeasured
from stagebook.figures import QUANTILES, TableFigures
from stagebook.journal.journal import Journal
from stagebook.runs.anomalies import is_outside, of_season, usual
from stagebook.tables.distances import kolmogorov_of_quantiles
from stagebook.workspace.settings import MonitorSettings

RUNS = 200  # of a pipeline, the latest, that are looked at
RECENT = 40  # and at the end of a run
# How far a figure may be from its median in any case, as a share of that: what is estimated is a few percent off.
_SLACK = {"seconds": 0.25, "bytes": 0.02, "different values": 0.1, "5 %": 0.02, "median": 0.02, "95 %": 0.02}
_LEAST_SLACK = {"seconds": 1.0, "drift": 0.05}
_TELLING = (  # what says most comes first
    "rows", "share of nulls", "age in seconds", "drift", "different values", "median", "5 %", "95 %", "bytes", "seconds",
)  # fmt: skip
_REFERENCE = 10  # runs that the distribution of a column is compared with, at most


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Monitor:
    """One figure of a stage instance (`output` is empty), of an output (`column` is empty), or of a column."""

    stage: str
    output: str = ""
    column: str = ""
    figure: str

    @property
    def dataset(self) -> str:
        """`stage.output`; the stage where it is its figure."""
        return f"{self.stage}.{self.output}" if self.output else self.stage

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A figure of a run. `at`: seconds since the epoch."""

    run: str
    at: float
    value: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A figure over the runs, the earliest first. `low` and `high`: what was usual for the last one by those before it;
    `None` where these are too few."""

    monitor: Monitor
    points: tuple[Point, ...]
    low: float | None = None
    high: float | None = None
    compared: int = 0  # earlier figures that the range is of

    @property
    def last(self) -> Point:
        """The latest figure."""
        return self.points[-1]

    @property
    def is_unusual(self) -> bool:
        """Whether the latest figure is out of its range."""
        if self.low is None or self.high is None:
            return False
        return is_outside(self.last.value, self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            **self.monitor.to_json(),
            "points": [dataclasses.asdict(point) for point in self.points],
            "low": self.low,
            "high": self.high,
            "compared": self.compared,
            "unusual": self.is_unusual,
        }


class Recorded(Protocol):
    """What has a journal, if anything was recorded yet."""

    @property
    def has_journal(self) -> bool:
        """Whether anything was."""

    @property
    def journal(self) -> Journal:
        """The journal."""


def series_of(history: Recorded, pipeline: str, settings: MonitorSettings, most: int = RUNS) -> list[Series]:
    """All figures of a pipeline that is known by its name, in its latest runs, `most` of them. Raises `JournalUnreadable`."""
    if not history.has_journal:
        return []
    return series_from(history.journal.events.measured(pipeline, most), settings)


def series_from(measurements: Iterable[StageMeasured], settings: MonitorSettings) -> list[Series]:
    """All figures of measurements of one pipeline, the earliest first."""
    points: dict[Monitor, list[Point]] = {}
    quantiles: dict[Monitor, list[tuple[float, ...]]] = {}  # of numbers, those of the latest runs
    for measured in measurements:
        for monitor, value in (*_figures(measured), *_drifts(measured, quantiles)):
            point = Point(run=measured.run, at=measured.at, value=value)
            points.setdefault(monitor, []).append(point)
    return [_series(monitor, found, settings) for monitor, found in sorted(points.items())]


def unusual(
    history: Recorded, pipeline: str, settings: MonitorSettings, runs: Mapping[str, str]
) -> list[Series]:
    """The figures that are unusual, by dataset. `runs`: by stage instance, the run whose figures are meant. Of a damaged
    journal there are none: they are a courtesy."""
    if not settings.enabled or not runs:
        return []
    most = RECENT if settings.seasonal == "none" else RUNS
    try:
        known = series_of(history, pipeline, settings, most)
    except JournalUnreadable:
        return []
    found = [one for one in known if one.is_unusual and runs.get(one.monitor.stage) == one.last.run]
    return sorted(found, key=lambda one: (one.monitor.dataset, _TELLING.index(one.monitor.figure)))


def _figures(measured: StageMeasured) -> Iterator[tuple[Monitor, float]]:
    stage = measured.stage
    if measured.seconds is not None:
        yield Monitor(stage=stage, figure="seconds"), measured.seconds
    for output, size in measured.sizes.items():
        yield Monitor(stage=stage, output=output, figure="bytes"), float(size)
    for output, table in measured.figures.items():
        yield Monitor(stage=stage, output=output, figure="rows"), float(table.rows)
        for column, figure, value in _of_columns(table, measured.at):
            yield Monitor(stage=stage, output=output, column=column, figure=figure), value


def _of_columns(table: TableFigures, at: float) -> Iterator[tuple[str, str, float]]:
    middle = QUANTILES.index(0.5)
    for name, column in table.columns.items():
        if table.rows:
            yield name, "share of nulls", column.nulls / table.rows
        yield name, "different values", float(column.distinct)
        if column.quantiles:
            yield name, "5 %", column.quantiles[0]
            yield name, "median", column.quantiles[middle]
            yield name, "95 %", column.quantiles[-1]
        if column.newest is not None:
            yield name, "age in seconds", at - column.newest


def _drifts(
    measured: StageMeasured, earlier: dict[Monitor, list[tuple[float, ...]]]
) -> Iterator[tuple[Monitor, float]]:
    """How far the distribution of each column of numbers is from that of the runs before, which has the medians of their
    quantiles: see `kolmogorov_of_quantiles`. `earlier` are these quantiles; the new ones are added."""
    for output, table in measured.figures.items():
        for name, column in table.columns.items():
            if len(column.quantiles) != len(QUANTILES):
                continue
            monitor = Monitor(stage=measured.stage, output=output, column=name, figure="drift")
            known = earlier.setdefault(monitor, [])
            if known:
                usual_ones = [sorted(values)[len(known) // 2] for values in zip(*known, strict=True)]
                yield monitor, kolmogorov_of_quantiles(QUANTILES, column.quantiles, usual_ones)
            known.append(column.quantiles)
            del known[:-_REFERENCE]


def _series(monitor: Monitor, points: list[Point], settings: MonitorSettings) -> Series:
    *before, last = points
    chosen = of_season([point.at for point in before], last.at, settings.seasonal, settings.minimum)
    values = [before[place].value for place in chosen]
    if len(values) < settings.minimum:
        return Series(monitor=monitor, points=tuple(points))
    middle = sorted(values)[len(values) // 2]
    slack = max(_SLACK.get(monitor.figure, 0.0) * abs(middle), _LEAST_SLACK.get(monitor.figure, 0.0))
    low, high = usual(values, settings.sensitivity, slack)
    if monitor.figure == "drift":
        low = 0.0  # no distance is too small
    return Series(monitor=monitor, points=tuple(points), low=low, high=high, compared=len(values))

"""All indicators of a pipeline, together."""

from __future__ import annotations

import dataclasses
from typing import Any

from stagebook.indicators import breaks, speed, work
from stagebook.indicators.facts import Facts, Window
from stagebook.indicators.indicator import Figure, Indicator, indicator
from stagebook.indicators.quality import DatasetScore, dataset_scores

FIGURES: tuple[Figure, ...] = (*work.FIGURES, *breaks.FIGURES, *speed.FIGURES)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFigures:
    """The indicators of a pipeline in an environment over a window, and the scores of its datasets, the worst first."""

    pipeline: str
    environment: str
    window: Window
    indicators: tuple[Indicator, ...]
    datasets: tuple[DatasetScore, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands on anything, neither in the window nor in the one before."""
        return all(one.value is None and one.trend.before is None for one in self.indicators)

    def find(self, name: str) -> Indicator:
        """An indicator by its name. Raises `KeyError`."""
        return {one.name: one for one in self.indicators}[name]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "pipeline": self.pipeline,
            "indicators": [one.to_json() for one in self.indicators],
            "datasets": [dataclasses.asdict(one) for one in self.datasets],
        }


def report(
    pipeline: str, environment: str, facts: Facts, window: Window, *, weeks: int = 0
) -> PipelineFigures:
    """The indicators of a pipeline, of which these are the facts, in the order of their times. `weeks`: so many points a week
    apart."""
    return PipelineFigures(
        pipeline=pipeline,
        environment=environment,
        window=window,
        indicators=tuple(indicator(figure, facts, window, weeks) for figure in FIGURES),
        datasets=tuple(dataset_scores(facts, window)),
    )

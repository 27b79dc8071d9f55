"""Indicators, for a person."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from stagebook.indicators.indicator import QUESTIONS, Indicator
from stagebook.indicators.quality import DatasetScore
from stagebook.indicators.report import PipelineFigures
from stagebook.indicators.words import amount, direction, stands_on, triggers, verdict
from stagebook.views.formatting import plain, value
from stagebook.workspace.environments import DEV

_TITLE, _VALUE = 32, 9  # columns
_MOST = 3  # datasets that are named
_STYLES = {"better": "green", "worse": "yellow", "": ""}


def metrics(one: PipelineFigures, *, explain: bool = False) -> Iterator[RenderableType]:
    """The indicators of a pipeline, by the question that they answer: each with its value, that of the window before, and what it
    stands on; `explain`: also by which formula, and from which records."""
    start, end = (
        datetime.datetime.fromtimestamp(at, datetime.UTC) for at in (one.window.start, one.window.end)
    )
    where = "the working tree" if one.environment == DEV else one.environment
    days = (one.window.end - one.window.start) / 86_400
    yield Text.assemble(
        (plain(one.pipeline), "bold"),
        f" in {where}, {days:g} days: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
    )
    if one.is_empty and not explain:
        yield Text("  nothing was recorded in this window, nor in the one before", style="dim")
        return
    for question, title in QUESTIONS.items():
        yield Text("")
        head = f"{title:<{_TITLE + 2}}{'now':>{_VALUE}}{'before':>{_VALUE}}    stands on"
        yield Text.assemble((head[: _TITLE + 2], "bold"), (head[_TITLE + 2 :], "dim"))
        for found in one.indicators:
            if found.question == question:
                yield _line(found)
                yield from _parts(found, one.datasets)
                if explain:
                    yield from _explained(found)


def _line(one: Indicator) -> Text:
    return Text.assemble(
        f"  {one.title:<{_TITLE}}",
        (f"{amount(one.value, one.unit):>{_VALUE}}", "dim" if one.value is None else "bold"),
        (f"{amount(one.trend.before, one.unit):>{_VALUE}}", "dim"),
        (f" {direction(one) or ' '}", _STYLES[verdict(one)]),
        (f"  {stands_on(one)}", "dim"),
    )


def _parts(one: Indicator, datasets: tuple[DatasetScore, ...]) -> Iterator[RenderableType]:
    """What an indicator is made of: the triggers of runs; the worst datasets, with their worst columns."""
    if listed := triggers(one):
        yield Text(f"    {listed}", style="dim")
    elif one.part == "dataset":
        for dataset in [found for found in datasets if found.score < 1][:_MOST]:
            worst = min(dataset.columns, key=lambda name: (dataset.columns[name], name))
            shown = f"{dataset.dataset} {amount(dataset.score, 'ratio')}, worst: {worst} {amount(dataset.columns[worst], 'ratio')}"
            yield Text(f"    {value(plain(shown), 74)}", style="dim")


def _explained(one: Indicator) -> Iterator[RenderableType]:
    lines = [f"= {one.formula}", f"from {one.sources}"]
    lines += [f"left out: {one.why_left_out}"] if one.why_left_out else []
    yield Padding(Text("\n".join(lines), style="dim"), (0, 0, 0, 4))

"""Figures of a pipeline in an environment, in the words of `stagebook metrics`."""

from __future__ import annotations

import time
from collections.abc import Mapping

from stagebook.errors import UsageError
from stagebook.evidence import MOST_DAYS, Place, figures_of
from stagebook.indicators.indicator import QUESTIONS, Indicator, Unit
from stagebook.indicators.quality import DatasetScore
from stagebook.indicators.report import PipelineFigures
from stagebook.indicators.words import amount, direction, stands_on, triggers, verdict
from stagebook.journal.journal import Journal
from stagebook.project import Project
from stagebook.runs.environments import main_environment, tree_of
from stagebook.workspace.environments import DEV
from stagebook_lab import wire
from stagebook_lab.journals import environments_of, journal_of
from stagebook_lab.present import wire_value

COLUMNS = 50  # of a dataset that are listed
_DAY = 86_400.0  # seconds
_DIRECTIONS: Mapping[str, wire.FigureDirection] = {"↑": "up", "↓": "down"}


def figures_reply(project: Project, pipeline: str, environment: str, days: int) -> wire.FiguresReply:
    """The figures of a pipeline over the last days.

    Args:
        project: the project.
        pipeline: the name of one pipeline: blended with others, a figure says nothing about any of them.
        environment: `dev` for the working tree; empty for the one that `stagebook metrics` shows.
        days: the length of the window.

    Raises:
        UsageError: no pipeline is named, there is no such environment, or there are too many days, or none.
        JournalUnreadable: the journal is damaged.
    """
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"'days' has to be from 1 to {MOST_DAYS:,}, not {days}")
    if not pipeline:
        raise UsageError(
            "say which pipeline the figures are to be about", hint="they are of one pipeline each"
        )
    name, until = environment or main_environment(project.environments), time.time()
    with journal_of(project, name) as journal:
        found = (
            _found(project, journal, name, pipeline, (days, until))
            if journal is not None and not _lacks_release(project, name)
            else None
        )
    return wire.FiguresReply(
        pipeline=pipeline,
        environment=name,
        environments=tuple(environments_of(project)),
        days=days,
        start=until - days * _DAY,
        end=until,
        groups=_groups(found) if found is not None else (),
        datasets=tuple(_dataset(one) for one in found.datasets) if found is not None else (),
        nothing=_nothing(project, found, name, pipeline),
    )


def _found(
    project: Project, journal: Journal, environment: str, pipeline: str, span: tuple[int, float]
) -> PipelineFigures | None:
    """The figures over so many days up to a time; `None` where the pipeline never ran."""
    if pipeline not in journal.facts.pipelines():
        return None
    root = project.root
    if environment != DEV:
        root = tree_of(project.environments, project.environments.find(environment)) or root
    place = Place(root=root, journal=journal, settings=project.settings, environment=environment)
    days, until = span
    (found,) = figures_of(place, pipeline=pipeline, days=days, until=until)
    return found


def _lacks_release(project: Project, environment: str) -> bool:
    """Whether an environment runs releases alone, and none was deployed to it."""
    if environment == DEV:
        return False
    table = project.environments
    one = table.find(environment)
    return one.protected and table.versions(one).current() is None


def _nothing(project: Project, found: PipelineFigures | None, environment: str, pipeline: str) -> str:
    if found is None:
        if _lacks_release(project, environment):
            return f"nothing was deployed to {environment} yet"
        where = "in the working tree" if environment == DEV else f"in {environment}"
        return f"no run of {pipeline} is known {where}"
    return "nothing was recorded in this window, nor in the one before" if found.is_empty else ""


def _groups(found: PipelineFigures) -> tuple[wire.FigureGroup, ...]:
    return tuple(
        wire.FigureGroup(
            title=title, figures=tuple(_figure(one) for one in found.indicators if one.question == question)
        )
        for question, title in QUESTIONS.items()
    )


def _figure(one: Indicator) -> wire.FigureInfo:
    return wire_value(
        wire.FigureInfo,
        one,
        text=_text(one.value, one.unit),
        before=_text(one.trend.before, one.unit),
        direction=_direction(one),
        verdict=verdict(one),
        stands_on=stands_on(one),
        parts=triggers(one),
        points=tuple(
            wire_value(wire.FigurePoint, point, text=_text(point.value, one.unit))
            for point in one.trend.points
        ),
    )


def _text(value: float | None, unit: Unit) -> str:
    return "" if value is None else amount(value, unit)


def _direction(one: Indicator) -> wire.FigureDirection:
    if one.value is None or one.trend.before is None:
        return ""
    return _DIRECTIONS.get(direction(one), "same")


def _dataset(one: DatasetScore) -> wire.DatasetScore:
    worst = sorted((score, name) for name, score in one.columns.items() if score < 1)
    return wire_value(
        wire.DatasetScore,
        one,
        text=amount(one.score, "ratio"),
        columns=tuple(
            wire.ColumnScore(name=name, text=amount(score, "ratio")) for score, name in worst[:COLUMNS]
        ),
        more=max(0, len(worst) - COLUMNS),
        perfect=len(one.columns) - len(worst),
    )

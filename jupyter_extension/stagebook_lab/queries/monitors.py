"""The figures of a stage over the runs."""

from __future__ import annotations

from stagebook.project import Project
from stagebook.runs.monitors import Series, series_of
from stagebook.views.monitor_tables import figure_name, figure_range, figure_text
from stagebook_lab import wire

MOST = 30  # points of a series, the latest


def monitors_reply(project: Project, pipeline: str, stage: str) -> wire.MonitorsReply:
    """The figures of a stage of a pipeline: those of columns only where they are unusual. What is unusual comes first."""
    name = project.catalog.load(pipeline or None).pipeline.name
    found = [
        one
        for one in series_of(project.history, name, project.settings.monitors)
        if one.monitor.stage == stage and (one.is_unusual or not one.monitor.column)
    ]
    found.sort(key=lambda one: not one.is_unusual)
    return wire.MonitorsReply(series=tuple(_series(one) for one in found))


def _series(one: Series) -> wire.MonitorSeries:
    output = f"{one.monitor.output}: " if one.monitor.output else ""
    return wire.MonitorSeries(
        name=f"{output}{figure_name(one.monitor)}",
        points=tuple(
            wire.MonitorPoint(
                run=point.run, at=point.at, value=point.value, text=figure_text(one.monitor, point.value)
            )
            for point in one.points[-MOST:]
        ),
        low=one.low,
        high=one.high,
        usual=figure_range(one),
        unusual=one.is_unusual,
    )

"""Pipelines that are about an interval: where they mention it."""

from __future__ import annotations

from collections.abc import Iterator

from stagebook.errors import Problem
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Location, Pipeline, Stage
from stagebook.pipeline.variables import templates_in
from stagebook.timing.interval import Interval

NO_INTERVAL = "the pipeline is about an interval, and none is given"
_HOW = "say which: --interval 2026-01-05, --interval 2026-01, or START..END; or give the pipeline a schedule"


def interval_problems(pipeline: Pipeline, interval: Interval | None) -> Iterator[Problem]:
    """That a pipeline is about an interval, and there is none."""
    place = place_of_interval(pipeline) if interval is None else None
    if place is not None:
        yield pipeline.problem(place, NO_INTERVAL, _HOW)


def place_of_interval(pipeline: Pipeline) -> Location | None:
    """Where a pipeline first mentions `interval`; `None` where it does not."""
    places = (
        place for stage in pipeline.stages.values() for place, text in _templates(stage) if _mentions(text)
    )
    return next(places, None)


def _mentions(template: Template) -> bool:
    return template.mentions("interval")


def _templates(stage: Stage) -> Iterator[tuple[Location, Template]]:
    base: Location = ("stages", stage.name)
    yield from (((*base, "matrix", name), text) for name, text in stage.matrix.items())
    yield from (((*base, "instances", *at), text) for at, text in stage.instances.templates.items())
    yield from (
        ((*base, key), text) for key in ("foreach", "when") if (text := getattr(stage, key)) is not None
    )
    yield from (((*base, "params", name), text) for name, text in stage.params.items())
    yield from (
        ((*base, "env", name), template)
        for name, text in stage.variables.items()
        for template in templates_in(text)
    )
    yield from ((ref.location, ref.text) for item in stage.inputs.values() for ref in item.refs)
    yield from (((*base, "outputs", name), output.path) for name, output in stage.outputs.items())

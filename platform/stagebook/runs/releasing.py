"""The working tree of a project as a release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from stagebook.errors import PipelineInvalid
from stagebook.pipeline.types import Value
from stagebook.planning.intervals import place_of_interval
from stagebook.releases.bundle import make_release
from stagebook.releases.release import Release
from stagebook.runs.origin import describe_origin
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.timing.units import last_complete


def release_of(
    preparer: Preparer,
    at: float,
    params: Mapping[str, Value] | None = None,
    *,
    note: str = "",
    strict: bool = False,
) -> Release:
    """The pipelines of a project as they are now, as a release that is not kept, made `at` a time in seconds since the
    epoch. `params`: in place of the defaults of those pipelines that have them.

    Raises:
        PipelineInvalid: a pipeline has mistakes, if `strict`; else it is released as it is.
    """
    catalog, plans, broken = preparer.catalog, [], []
    for name in catalog.names():
        try:
            known = catalog.load(name).pipeline.params
            values = {key: value for key, value in (params or {}).items() if key in known}
            request = RunRequest(pipeline=name, values=values, interval=_interval(preparer, name, at))
            plans.append(preparer.prepare(request).plan)
        except PipelineInvalid:
            if strict:
                raise
            broken.append(catalog.find(name))
    results = preparer.results()

    def observed(pipeline: str, stage: str) -> list[str]:
        latest = results.latest(pipeline, stage)
        return list(latest.undeclared.get("reads", ())) if latest is not None else []

    origin = describe_origin(catalog.root)
    return make_release(plans, preparer.dependencies, origin, at, broken=broken, observed=observed, note=note)


def _interval(preparer: Preparer, pipeline: str, at: float) -> str:
    """An interval for a pipeline that is about one and was never run, and has no schedule: its code is the same for any."""
    loaded = preparer.catalog.load(pipeline).pipeline
    if place_of_interval(loaded) is None or loaded.schedules or preparer.intervals(loaded.name):
        return ""
    return str(last_complete("day", dt.datetime.fromtimestamp(at, dt.UTC), "UTC"))

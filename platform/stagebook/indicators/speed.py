"""How fast change reaches production."""

from __future__ import annotations

import functools

from stagebook.incidents.incident import Kind
from stagebook.indicators.deployments import Judged, blamed, judged
from stagebook.indicators.facts import Facts, Window, during
from stagebook.indicators.indicator import Figure, Reading, spread

_OF_DATA = frozenset(Kind) - {Kind.LONG, Kind.PAUSED, Kind.INVALID}


def _deployed(facts: Facts, window: Window) -> list[Judged]:
    return [one for one in during(judged(facts), window) if not one.deployment.is_rollback]


def _lead_time(facts: Facts, window: Window, part: float) -> Reading:
    found = [one.deployment for one in _deployed(facts, window) if one.is_first]
    known = [one.at - one.committed for one in found if one.committed is not None and one.committed <= one.at]
    return spread(known, part, left_out=len(found) - len(known))


def _first_use(facts: Facts, window: Window) -> Reading:
    found = [one.deployment for one in _deployed(facts, window) if one.is_first]
    known = [
        one.first_use - one.committed
        for one in found
        if one.first_use is not None and one.committed is not None and one.committed <= one.first_use
    ]
    return spread(known, left_out=len(found) - len(known))


def _frequency(facts: Facts, window: Window) -> Reading:
    found = {one.deployment.version for one in _deployed(facts, window)}
    return Reading(value=len(found) / window.weeks if found else None, count=len(found))


def _recovery(facts: Facts, window: Window) -> Reading:
    failed = [one for one in _deployed(facts, window) if one.failed]
    known = [one.recovered - one.at for one in failed if one.recovered is not None]
    return spread(known, left_out=len(failed) - len(known))


def _restore(facts: Facts, window: Window) -> Reading:
    of_deployments = blamed(facts)
    return spread(
        [
            max(0.0, one.closed - one.at)
            for place, one in enumerate(facts.incidents)
            if one.closed is not None and one.closed in window
            if one.kind in _OF_DATA and place not in of_deployments
        ]
    )


_UNKNOWN = "git does not know the commit, it is later than the deployment, or not all of it was committed"
_figure = functools.partial(Figure, question="speed", better="less", unit="seconds")
FIGURES = (
    _figure(
        name="lead_time_median", title="change lead time, median", read=functools.partial(_lead_time, part=0.5),
        formula="median of: first deployment of a commit - commit (DORA)",
        sources="journal: versions published; releases; git", nothing="no deployments", left_out=_UNKNOWN,
    ),
    _figure(
        name="lead_time_p90", title="change lead time, 9 of 10", read=functools.partial(_lead_time, part=0.9),
        formula="90th percentile of: first deployment of a commit - commit (DORA)",
        sources="journal: versions published; releases; git", nothing="no deployments", left_out=_UNKNOWN,
    ),
    _figure(
        name="first_use", title="time to first use", read=_first_use,
        formula="median of: first read of what was new in a deployment, by another stage - commit",
        sources="journal: versions published, inputs of attempts; releases; git", nothing="not read yet",
        left_out=f"nothing new of it was read by another stage yet, or {_UNKNOWN}",
    ),
    _figure(
        name="deployments", title="deployments a week", unit="per_week", better="more", read=_frequency,
        formula="deployments and promotions ÷ weeks of the window (DORA)",
        sources="journal: versions published", nothing="no deployments",
    ),
    _figure(
        name="deployment_recovery_time", title="failed deployment recovery time", read=_recovery,
        formula="median of: rolled back, or all well again - deployed, for deployments that failed (DORA, 2023)",
        sources="journal: versions published, incidents", nothing="none that is over",
        left_out="not over yet",
    ),
    _figure(
        name="restore_time", title="time to restore data", read=_restore,
        formula="median of: closed - opened, for incidents that are put down to no deployment",
        sources="journal: incidents", nothing="none that is over",
    ),
)  # fmt: skip

"""What became of deployments, by the incidents and the deployments that came after them."""

from __future__ import annotations

import bisect
import dataclasses
import operator
from collections.abc import Sequence

from stagebook.incidents.incident import Kind
from stagebook.indicators.facts import FactDeployment, FactIncident, Facts

BLAMED = 86_400.0  # seconds after a deployment in which what fails is put down to it
FAILURES = frozenset({Kind.FAILURE, Kind.CONTRACT})  # of runs: what a deployment can break


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A deployment, and what became of it.

    Args:
        failed: it needed intervention: it was rolled back, or a failure or a broken contract came within a day.
        recovered: when it was rolled back, or else when the last of that was well again; `None`: not yet, or nothing was wrong.
        is_rework: it was made because something had failed: a rollback, or a deployment while a failure was open.
        is_first: none before it delivered the same commit.
    """

    deployment: FactDeployment
    failed: bool = False
    recovered: float | None = None
    is_rework: bool = False
    is_first: bool = True

    @property
    def at(self) -> float:
        """When it was made."""
        return self.deployment.at


def judged(facts: Facts) -> list[Judged]:
    """All deployments of a pipeline, in their order."""
    found, commits = [], set()
    failures = [one for one in facts.incidents if one.kind in FAILURES and _is_shown(one, facts.deployments)]
    for place, one in enumerate(facts.deployments):
        after = facts.deployments[place + 1] if place + 1 < len(facts.deployments) else None
        failed, recovered = _outcome(one, after, failures)
        found.append(
            Judged(
                deployment=one,
                failed=failed,
                recovered=recovered,
                is_rework=one.is_rollback or any(_was_open(incident, one) for incident in failures),
                is_first=not one.commit or one.commit not in commits,
            )
        )
        commits |= set() if one.is_rollback else {one.commit}
    return found


def blamed(facts: Facts) -> set[int]:
    """The places of the incidents, among all of a pipeline, that are put down to a deployment."""
    return {
        place
        for place, one in enumerate(facts.incidents)
        if one.kind in FAILURES
        and _is_shown(one, facts.deployments)
        and (current := _current(one.at, facts.deployments)) is not None
        and not current.is_rollback
        and one.at < current.at + BLAMED
    }


def _outcome(
    one: FactDeployment, after: FactDeployment | None, failures: Sequence[FactIncident]
) -> tuple[bool, float | None]:
    if one.is_rollback:
        return False, None
    until = min(one.at + BLAMED, after.at if after is not None else float("inf"))
    own = [incident for incident in failures if one.at <= incident.at < until]
    if after is not None and after.is_rollback:
        return True, after.at
    closed = [incident.closed for incident in own if incident.closed is not None]
    return bool(own), max(closed) if own and len(closed) == len(own) else None


def _was_open(incident: FactIncident, deployment: FactDeployment) -> bool:
    """Whether it was open when somebody deployed. The run of a deployment closes what it mends before its version is shown."""
    if incident.at >= deployment.at:
        return False
    is_mended = bool(incident.closed_run) and incident.closed_run == deployment.run
    return incident.closed is None or incident.closed >= deployment.at or is_mended


def _current(at: float, deployments: Sequence[FactDeployment]) -> FactDeployment | None:
    place = bisect.bisect_right(deployments, at, key=operator.attrgetter("at"))
    return deployments[place - 1] if place else None


def _is_shown(incident: FactIncident, deployments: Sequence[FactDeployment]) -> bool:
    """Whether it is one of what readers saw: the run of a deployment that failed executed another release, and changed nothing
    for them."""
    current = _current(incident.at, deployments)
    return (
        current is None or not (current.release and incident.release) or current.release == incident.release
    )

"""How often it breaks."""

from __future__ import annotations

import bisect
import functools
import operator
from collections.abc import Iterator

from stagebook.audits import Outcome, Severity
from stagebook.indicators.deployments import judged
from stagebook.indicators.facts import (
    FactAudit,
    FactCheck,
    FactFiring,
    FactRun,
    Facts,
    FreshBound,
    Window,
    during,
)
from stagebook.indicators.indicator import Figure, Reading, ratio, spread
from stagebook.indicators.quality import quality
from stagebook.statuses import Status

_STOPS = frozenset({Severity.FAIL, Severity.QUARANTINE})
_FINISHED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


def _ended(facts: Facts, window: Window) -> list[FactRun]:
    return [run for run in facts.runs if run.ended is not None and run.ended in window]


def _errors(facts: Facts, window: Window) -> Reading:
    ended = _ended(facts, window)
    finished = [run for run in ended if run.status in _FINISHED]
    failed = sum(run.status is Status.FAILED for run in finished)
    return ratio(failed, len(finished), left_out=len(ended) - len(finished))


def _on_time(facts: Facts, window: Window) -> Reading:
    by_schedule: dict[str, list[FactFiring]] = {}
    for one in facts.firings:
        by_schedule.setdefault(one.schedule, []).append(one)
    wrong = {one for one in facts.firings if not one.came}
    unknown = 0  # nobody was there to note the firing
    for late in facts.late:
        firings = by_schedule.get(late.schedule, [])
        place = bisect.bisect_right(firings, late.at, key=operator.attrgetter("at")) - 1
        if place >= 0:
            wrong.add(firings[place])
        else:
            unknown += late.at in window
    due = [one in wrong for one in facts.firings if one.at in window]
    expected = len(due) + unknown
    return Reading(value=1 - (sum(due) + unknown) / expected if expected else None, count=expected)


def _landings(facts: Facts, window: Window) -> Iterator[float]:
    first: dict[tuple[str, float], float] = {}  # by schedule and end of the interval
    for run in facts.runs:
        if run.interval_end is None or run.ended is None or run.status is not Status.COMPLETED:
            continue
        if run.trigger.is_automatic:
            key = (run.schedule, run.interval_end)
            first[key] = min(first.get(key, run.ended), run.ended)
    return (ended - end for (_, end), ended in first.items() if ended in window)


def _landing(facts: Facts, window: Window, part: float) -> Reading:
    found = list(_landings(facts, window))
    good = [seconds for seconds in found if seconds >= 0]
    return spread(good, part, left_out=len(found) - len(good))


def _freshness(facts: Facts, window: Window) -> Reading:
    ends = sorted(run.ended for run in facts.runs if run.status is Status.COMPLETED and run.ended is not None)
    ends = [end for end in ends if end < window.end]
    if not ends:
        return Reading(value=None, count=0)
    start = max(window.start, ends[0])
    whole = (window.end - start) * len(facts.fresh)
    fresh = sum(_fresh_seconds(bound, ends, Window(start=start, end=window.end)) for bound in facts.fresh)
    count = sum(end in window for end in ends) + (ends[0] < window.start)
    return Reading(value=min(1.0, fresh / whole) if whole else None, count=count if whole else 0)


def _fresh_seconds(bound: FreshBound, ends: list[float], window: Window) -> float:
    """For how long of a window the last end was younger than the bound."""
    found = 0.0
    for end, following in zip(ends, [*ends[1:], window.end], strict=True):
        begin = max(end, window.start)
        found += max(0.0, min(end + bound.within, following, window.end) - begin)
    return found


def _audits(facts: Facts, window: Window) -> Iterator[FactAudit]:
    return (audit for one in during(facts.stages, window) for audit in one.audits)


def _is_failed(check: FactCheck) -> bool:
    return check.outcome is Outcome.ERROR or (check.outcome is Outcome.BROKEN and check.severity in _STOPS)


def _checks(facts: Facts, window: Window) -> Reading:
    checks = [check for audit in _audits(facts, window) for check in audit.checks]
    return ratio(sum(map(_is_failed, checks)), len(checks))


def _rejected(facts: Facts, window: Window) -> Reading:
    audits = list(_audits(facts, window))
    rows = sum(audit.rows for audit in audits)
    return ratio(min(rows, sum(audit.rejected for audit in audits)), rows)


def _flaky(facts: Facts, window: Window) -> Reading:
    done = [one for one in during(facts.stages, window) if one.attempt and one.completed]
    return ratio(sum(one.attempt > 1 for one in done), len(done))


def _change_failures(facts: Facts, window: Window) -> Reading:
    found = [one for one in during(judged(facts), window) if not one.deployment.is_rollback]
    return ratio(sum(one.failed for one in found), len(found))


def _rework(facts: Facts, window: Window) -> Reading:
    found = during(judged(facts), window)
    return ratio(sum(one.is_rework for one in found), len(found))


_figure = functools.partial(Figure, question="breaks", better="less")
FIGURES = (
    _figure(
        name="errors", title="error rate", unit="ratio", read=_errors,
        formula="runs that failed ÷ runs that finished (completed, failed, cancelled)",
        sources="journal: runs", nothing="no finished runs", left_out="their process vanished",
    ),
    _figure(
        name="on_time", title="on-time rate", unit="ratio", better="more", read=_on_time,
        formula="1 - firings that were late or missing ÷ firings that were due",
        sources="journal: firings of schedules, incidents of the kind late", nothing="nothing was due",
    ),
    _figure(
        name="landing_time_median", title="landing time, median", unit="seconds",
        read=functools.partial(_landing, part=0.5),
        formula="median of: end of the first run that completed - end of its interval",
        sources="journal: runs of schedules, their intervals", nothing="no runs of schedules",
        left_out="they ended before their interval did",
    ),
    _figure(
        name="landing_time_p90", title="landing time, 9 of 10", unit="seconds",
        read=functools.partial(_landing, part=0.9),
        formula="90th percentile of: end of the first run that completed - end of its interval",
        sources="journal: runs of schedules, their intervals", nothing="no runs of schedules",
        left_out="they ended before their interval did",
    ),
    _figure(
        name="freshness", title="freshness compliance", unit="ratio", better="more", read=_freshness,
        formula="time in which the last completed run was younger than `expect: fresh` says ÷ time",
        sources="journal: runs; schedules", nothing="no schedule expects it",
    ),
    _figure(
        name="check_failures", title="check failure rate", unit="ratio", read=_checks,
        formula="failed ÷ (passed + warned + failed) checks; what is set apart or cannot be checked has failed",
        sources="journal: audits of attempts", nothing="no checks",
    ),
    _figure(
        name="rejected_rows", title="rejected rows", unit="ratio", read=_rejected,
        formula="rows put into quarantine ÷ rows that stages wrote into datasets with a contract",
        sources="journal: audits of attempts", nothing="no audited rows",
    ),
    _figure(
        name="flaky", title="flaky rate", unit="ratio", read=_flaky,
        formula="stages that completed after their first attempt ÷ stages that completed",
        sources="journal: attempts", nothing="no stage completed",
    ),
    _figure(
        name="change_failures", title="change fail rate", unit="ratio", read=_change_failures,
        formula="deployments that were rolled back, or after which something failed within a day ÷ deployments (DORA)",
        sources="journal: versions published, incidents", nothing="no deployments",
    ),
    _figure(
        name="rework", title="deployment rework rate", unit="ratio", read=_rework,
        formula="rollbacks, and deployments while a failure was open ÷ deployments and rollbacks (DORA)",
        sources="journal: versions published, incidents", nothing="no deployments",
    ),
    _figure(
        name="quality", title="quality score", unit="ratio", better="more", part="dataset", read=quality,
        formula="Π(1 - min(1, risk * failing fraction)) over the checks of a column; the mean over columns, by records",
        sources="journal: the last audit of each output", nothing="no checks",
    ),
)  # fmt: skip

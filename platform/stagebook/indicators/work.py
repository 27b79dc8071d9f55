"""How much work is done."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator

from stagebook.indicators.facts import FactRun, Facts, FactStage, Window, during
from stagebook.indicators.indicator import Figure, Reading, ratio, spread
from stagebook.statuses import Status


def _runs(facts: Facts, window: Window) -> Reading:
    found = during(facts.runs, window)
    counted = Counter(str(run.trigger) for run in found)
    parts = {name: count / window.weeks for name, count in sorted(counted.items())}
    return Reading(value=len(found) / window.weeks if found else None, count=len(found), parts=parts)


def _automation(facts: Facts, window: Window) -> Reading:
    found = during(facts.runs, window)
    return ratio(sum(run.trigger.is_automatic for run in found), len(found))


def _changes(facts: Facts, window: Window) -> Reading:
    found = [one for one in during(facts.deployments, window) if not one.is_rollback]
    commits = {one.commit for one in found if one.commit}
    without = sum(not one.commit for one in found)
    return Reading(
        value=float(len(commits)) if commits else None, count=len(found) - without, left_out=without
    )


def dataset_of(stage: str, output: str) -> str:
    """The dataset that an output of a stage instance is part of, within its pipeline."""
    return f"{stage.partition('@')[0]}.{output}"


def _coverage(facts: Facts, window: Window) -> Reading:
    made: dict[str, FactStage] = {}  # by stage instance, what it came to last
    audited: dict[str, FactStage] = {}  # an audit that stopped it is one all the same
    for one in during(facts.stages, window):
        if one.completed:
            made[one.stage] = one
        if one.completed or one.covered:
            audited[one.stage] = one
    known = {dataset_of(one.stage, name) for one in made.values() for name in one.outputs}
    covered = {dataset_of(one.stage, name) for one in audited.values() for name in one.covered}
    return ratio(len(covered), len(known | covered))


def _saved(facts: Facts, window: Window) -> Reading:
    found = [one for one in during(facts.stages, window) if not one.attempt]
    known = [one.saved for one in found if one.saved is not None]
    return Reading(value=sum(known) if known else None, count=len(known), left_out=len(found) - len(known))


def _failed(facts: Facts, window: Window) -> Iterator[tuple[FactRun, float | None]]:
    """The runs that failed in a window, each with how long after its end the first note was written."""
    ended = [run for run in facts.runs if run.ended is not None and run.ended in window]
    noted: dict[str, float] = {}
    for note in facts.notes:
        noted.setdefault(note.run, note.at)
    for run in ended:
        if run.status in {Status.FAILED, Status.INTERRUPTED} and run.ended is not None:
            yield run, max(0.0, noted[run.id] - run.ended) if run.id in noted else None


def _noted(facts: Facts, window: Window) -> Reading:
    found = list(_failed(facts, window))
    return ratio(sum(after is not None for _, after in found), len(found))


def _note_time(facts: Facts, window: Window) -> Reading:
    return spread([after for _, after in _failed(facts, window) if after is not None])


_figure = functools.partial(Figure, question="work")
FIGURES = (
    _figure(
        name="runs", title="runs a week", unit="per_week", part="trigger", read=_runs,
        formula="runs that began ÷ weeks of the window, by what had them begin: a schedule, new data, or a hand",
        sources="journal: runs, firings of schedules", nothing="no runs",
    ),
    _figure(
        name="automation", title="automation rate", unit="ratio", better="more", read=_automation,
        formula="runs not started by hand ÷ runs",
        sources="journal: runs, firings of schedules", nothing="no runs",
    ),
    _figure(
        name="changes_delivered", title="changes delivered", unit="count", better="more", read=_changes,
        formula="distinct commits in deployments and promotions",
        sources="journal: versions published; releases", nothing="no deployments",
        left_out="the release has no commit",
    ),
    _figure(
        name="contract_coverage", title="contract coverage", unit="ratio", better="more", read=_coverage,
        formula="datasets with a check ÷ datasets that stages came to",
        sources="journal: the last result of each stage", nothing="no datasets",
    ),
    _figure(
        name="reuse_saved", title="time saved by reuse", unit="seconds", better="more", read=_saved,
        formula="Σ of the time that the attempts took whose results were taken again",
        sources="journal: reused stages, and the attempts that they name", nothing="no reuse of known time",
        left_out="nobody knows how long the result took",
    ),
    _figure(
        name="failures_noted", title="notes on failures", unit="ratio", better="more", read=_noted,
        formula="failed runs with a note or an acknowledgement ÷ failed runs",
        sources="journal: runs, notes, marks on incidents", nothing="no failed runs",
    ),
    _figure(
        name="note_time", title="time to a note", unit="seconds", better="less", read=_note_time,
        formula="median of: first note - end of the failed run",
        sources="journal: runs, notes, marks on incidents", nothing="no notes on failures",
    ),
)  # fmt: skip

"""The quality score of data: how far the checks of contracts are from finding anything.

Of a column it is Π(1 - pᵢ) over its checks, with pᵢ = min(1, risk * failing fraction): the probability that a value is good, if
the checks fail independently of each other (the score of DataKitchen's TestGen). A check that does not hold and is not about rows,
such as one of freshness, has the fraction 1, and so has one that could not be carried out. Of a dataset it is the mean over its
columns that have checks, weighted by records; what is about the table as a whole counts as one column more.

The risk is that of the severity: what is to fail is certain to matter (1); what warns, and what is set apart, matters half as much
(0.5), the former since nobody stops for it, the latter since readers do not see it; what is only logged hardly does (0.1). These weights are Stagebook's own:
TestGen has one for each kind of check (in `dq_score_risk_factor`: 1, 0.66 or 0.33 for what profiling finds, 1 or 0.75 for tests).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from stagebook.audits import Severity
from stagebook.indicators.facts import FactAudit, FactCheck, Facts, Window, during
from stagebook.indicators.indicator import Reading
from stagebook.indicators.work import dataset_of

RISK: Mapping[Severity, float] = {
    Severity.FAIL: 1.0,
    Severity.WARN: 0.5,
    Severity.QUARANTINE: 0.5,
    Severity.LOG: 0.1,
}
TABLE = "(table)"  # the column that stands for the table as a whole


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetScore:
    """The score of a dataset from 0 to 1, by its latest audits of `rows` records; and those of its columns."""

    dataset: str
    score: float
    rows: int
    columns: Mapping[str, float]


def column_scores(checks: Iterable[FactCheck]) -> dict[str, float]:
    """The score of each column that has a check."""
    found: dict[str, float] = {}
    for check in checks:
        share = min(1.0, RISK[check.severity] * check.failing)
        for column in check.columns or (TABLE,):
            found[column] = found.get(column, 1.0) * (1.0 - share)
    return found


def dataset_scores(facts: Facts, window: Window) -> list[DatasetScore]:
    """The datasets that were audited in a window, the worst first. Of each instance of a stage the latest audit counts."""
    latest: dict[tuple[str, str], FactAudit] = {}
    for one in during(facts.stages, window):
        for audit in one.audits:
            if audit.checks:
                latest[one.stage, audit.output] = audit
    by_dataset: dict[str, list[FactAudit]] = {}
    for (stage, output), audit in latest.items():
        by_dataset.setdefault(dataset_of(stage, output), []).append(audit)
    found = [_score(name, audits) for name, audits in by_dataset.items()]
    return sorted(found, key=lambda one: (one.score, one.dataset))


def _score(dataset: str, audits: list[FactAudit]) -> DatasetScore:
    by_column: dict[str, list[tuple[float, float]]] = {}
    for audit in audits:
        for column, score in column_scores(audit.checks).items():
            by_column.setdefault(column, []).append((score, float(audit.rows)))
    every = [one for scores in by_column.values() for one in scores]
    return DatasetScore(
        dataset=dataset,
        score=_mean(every),
        rows=sum(audit.rows for audit in audits),
        columns={name: _mean(scores) for name, scores in sorted(by_column.items())},
    )


def _mean(weighted: list[tuple[float, float]]) -> float:
    """The mean weighted by records; of tables without any, that of all alike."""
    whole = sum(weight for _, weight in weighted)
    if not whole:
        return sum(value for value, _ in weighted) / len(weighted)
    return min(1.0, sum(value * weight for value, weight in weighted) / whole)


def quality(facts: Facts, window: Window) -> Reading:
    """The mean of the scores of all datasets, weighted by records."""
    found = dataset_scores(facts, window)
    value = _mean([(one.score, float(one.rows)) for one in found]) if found else None
    return Reading(value=value, count=len(found), parts={one.dataset: one.score for one in found})

"""Rules about a table as a whole: each is a query of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagebook.audits import CheckResult, Outcome
from stagebook.contracts.contract import (
    DriftRule,
    FreshRule,
    FunctionRule,
    KeyRule,
    QueryRule,
    RowsRule,
    Rule,
    UniqueRule,
)
from stagebook.contracts.drift import check_drift
from stagebook.contracts.probe import SAMPLE, TABLE, Probe
from stagebook.tables import sql
from stagebook.tables.duck import QueryFailed


def check_table(probe: Probe, rule: Rule) -> CheckResult:
    """What a rule about the whole table came to."""
    absent = [name for name in rule.columns if name not in probe.columns]
    if absent:
        return probe.check(rule, Outcome.ERROR, message=f"there is no column {absent[0]}")
    try:
        match rule:
            case UniqueRule():
                return _unique(probe, rule)
            case KeyRule():
                return _key(probe, rule)
            case RowsRule():
                good = rule.bound.holds(probe.rows)
                return probe.check(
                    rule,
                    good,
                    figure=probe.rows,
                    message="" if good else f"there are {probe.rows:,} rows",
                )
            case FreshRule():
                return _fresh(probe, rule)
            case DriftRule():
                return check_drift(probe, rule)
            case QueryRule():
                return _query(probe, rule)
            case FunctionRule():
                return _function(probe, rule)
    except QueryFailed as error:
        return probe.check(rule, Outcome.ERROR, message=f"it cannot be checked: {error}")
    raise AssertionError(rule)


def _unique(probe: Probe, rule: UniqueRule) -> CheckResult:
    listed = sql.names(rule.columns)
    present = " AND ".join(f"{sql.name(name)} IS NOT NULL" for name in rule.columns)
    groups = f"SELECT {listed}, count(*) AS n FROM {sql.name(TABLE)} WHERE {present} GROUP BY {listed}"
    count = int(probe.connection.rows(f"SELECT coalesce(sum(n) - count(*), 0) FROM ({groups})")[0][0])
    good = probe.holds(rule, count)
    sample: tuple[Mapping[str, Any], ...] = ()
    if count:
        sample = tuple(probe.connection.named_rows(f"SELECT * FROM ({groups}) WHERE n > 1 LIMIT {SAMPLE}"))
    message = "" if good else f"{count:,} of {probe.rows:,} rows repeat another one"
    return probe.check(rule, good, figure=count, message=message, sample=sample)


def _key(probe: Probe, rule: KeyRule) -> CheckResult:
    if rule.dataset not in probe.around.neighbours:
        message = f"there is no {rule.dataset} yet: run the stage that makes it"
        return probe.check(rule, Outcome.ERROR, message=message)
    there = probe.connection.columns(rule.dataset)
    if absent := [name for name in rule.key if name not in there]:
        return probe.check(rule, Outcome.ERROR, message=f"{rule.dataset} has no column {absent[0]}")
    pairs = zip(rule.columns, rule.key, strict=True)
    same = " AND ".join(f"there.{sql.name(key)} = here.{sql.name(own)}" for own, key in pairs)
    present = " AND ".join(f"here.{sql.name(name)} IS NOT NULL" for name in rule.columns)
    lost = f"FROM {sql.name(TABLE)} AS here WHERE {present} AND NOT EXISTS (SELECT 1 FROM {sql.name(rule.dataset)} AS there WHERE {same})"
    count = int(probe.connection.rows(f"SELECT count(*) {lost}")[0][0])
    good = probe.holds(rule, count)
    sample: tuple[Mapping[str, Any], ...] = ()
    message = ""
    if count:
        listed = sql.names(rule.columns)
        sample = tuple(
            probe.connection.named_rows(
                f"SELECT {listed}, count(*) AS n {lost} GROUP BY {listed} ORDER BY n DESC LIMIT {SAMPLE}"
            )
        )
    if not good:
        kinds = probe.connection.rows(f"SELECT count(DISTINCT ({sql.names(rule.columns)})) {lost}")[0][0]
        message = f"{kinds:,} values in {count:,} rows are not there"
    return probe.check(rule, good, figure=count, message=message, sample=sample)


def _fresh(probe: Probe, rule: FreshRule) -> CheckResult:
    column = sql.name(rule.columns[0])
    row = probe.connection.rows(f"SELECT epoch(max({column})::TIMESTAMP) FROM {sql.name(TABLE)}")[0]
    if row[0] is None:
        return probe.check(rule, good=False, message=f"no row has a {rule.columns[0]}")
    age = probe.now - float(row[0])
    message = "" if age <= rule.within else f"the latest is {_span(age)} old"
    return probe.check(rule, age <= rule.within, figure=age, message=message)


def _query(probe: Probe, rule: QueryRule) -> CheckResult:
    text = rule.query.replace("${table}", sql.name(TABLE)).replace("{table}", sql.name(TABLE))
    found = probe.connection.number(text, seconds=probe.around.query_seconds)
    if found is None:
        return probe.check(rule, good=False, message="the query gives null")
    figure = 100 * found / probe.rows if rule.bound.percent and probe.rows else found
    good = rule.bound.holds(figure)
    message = "" if good else f"it is {found:,.10g}, and has to be {rule.bound}"
    return probe.check(rule, good, figure=found, message=message)


def _function(probe: Probe, rule: FunctionRule) -> CheckResult:
    if probe.around.call is None:
        return probe.check(rule, Outcome.ERROR, message="functions are not called here")
    try:
        said = probe.around.call(rule.target, probe.connection.frame("raw"))
    except Exception as error:  # noqa: BLE001 - whatever the project's code raises
        return probe.check(rule, Outcome.ERROR, message=f"{type(error).__name__}: {error}"[:500])
    if not (said is None or isinstance(said, str)):
        message = f"it returned {type(said).__name__}, and not what is wrong as a text, or nothing"
        return probe.check(rule, Outcome.ERROR, message=message)
    return probe.check(rule, not said, figure=None, message=(said or "")[:500])


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"

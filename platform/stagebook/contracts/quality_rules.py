"""The rules that checks of quality stand for: metrics, SQL, functions, freshness."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from stagebook.audits import Severity
from stagebook.contracts.column_rules import OPTIONS, among_rule, pattern_rule, range_rule
from stagebook.contracts.contract import (
    Bound,
    DriftRule,
    FreshRule,
    FunctionRule,
    QueryRule,
    RowRule,
    RowsRule,
    Rule,
    UniqueRule,
)
from stagebook.contracts.rules import RuleContext, listed, severity_of
from stagebook.contracts.schema import Quality, Sla
from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location
from stagebook.pipeline.schema import read_model
from stagebook.pipeline.types import describe, shorten
from stagebook.tables import sql

_OPERATORS = {
    "mustBe": (False, False, False, True, True),
    "mustNotBe": (True, False, False, True, True),
    "mustBeGreaterThan": (False, True, False, True, False),
    "mustBeGreaterOrEqualTo": (False, False, False, True, False),
    "mustBeLessThan": (False, False, True, False, True),
    "mustBeLessOrEqualTo": (False, False, False, False, True),
}  # inverted, strict low, strict high, has a low end, has a high end
_UNITS = {
    **dict.fromkeys(("s", "second", "seconds"), 1.0), **dict.fromkeys(("min", "m", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0), **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}  # fmt: skip
STRETCHES = ("day", "week", "month", "quarter", "year")
DRIFT_MINIMUM = 1_000  # rows of a stretch of time that is compared: of fewer, 5 % are as likely chance
_DRIFT = ("by", "every", "minimum", "last")
_TARGET = re.compile(r"[^:]+\.py:[A-Za-z_]\w*")


def quality(context: RuleContext, entries: Sequence[Any], location: Location, column: str = "") -> list[Rule]:
    """Checks of quality: of a column, or of the table."""
    rules: list[Rule] = []
    for at, raw in enumerate(entries):
        place: Location = (*location, at)
        spec, mistakes = read_model(Quality, raw)
        context.report_all(mistakes, place)
        if spec is not None and (rule := _check(context, spec, place, column)) is not None:
            rules.append(rule)
    return rules


def _check(context: RuleContext, spec: Quality, place: Location, column: str) -> Rule | None:
    if spec.severity is not None:
        severity = severity_of(spec.severity, context.problems, (*place, "severity")) or context.severity
        context = dataclasses.replace(context, severity=severity)
    return _read(context, spec, place, column)


def _read(context: RuleContext, spec: Quality, place: Location, column: str) -> Rule | None:
    match spec.type:
        case "text":
            context.not_checked.append(f"“{shorten(spec.description or spec.name or 'a text')}”")
            return None
        case "sql":
            return _query(context, spec, place, column)
        case "custom":
            return _custom(context, spec, place, column)
    return _metric(context, spec, place, column)


def _metric(context: RuleContext, spec: Quality, place: Location, column: str) -> Rule | None:
    metric = spec.metric
    if metric is None:
        hint = "metric: nullValues, missingValues, invalidValues, duplicateValues or rowCount"
        context.report((*place, "rule") if spec.rule else place, "the check names no metric", hint)
        return None
    if (bound := _bound(context, spec, place)) is None:
        return None
    if metric == "rowCount":
        if column:
            context.report(
                (*place, "metric"), "rowCount is a check of the table, not of a column", "move it there"
            )
            return None
        return _of_table(context, RowsRule, spec, place, "rows", f"there are {bound} rows", bound=bound)
    columns = (column,) if column else tuple(listed(spec.arguments.get("properties")))
    if unknown := [name for name in columns if name not in context.columns]:
        known = did_you_mean(unknown[0], context.columns)
        context.report((*place, "arguments"), f"the contract has no column '{unknown[0][:60]}'", known)
        return None
    if not columns or (len(columns) > 1 and metric != "duplicateValues"):
        hint = "write it below the column, or name columns: arguments: {properties: [a, b]}"
        context.report((*place, "metric"), f"{metric} is a check of a column", hint)
        return None
    return _of_columns(context, spec, place, columns, bound)


def _of_columns(
    context: RuleContext, spec: Quality, place: Location, columns: tuple[str, ...], bound: Bound
) -> Rule | None:
    column, metric = columns[0], spec.metric
    name = spec.name or spec.id or f"{'_'.join(columns)}.{metric}"
    tolerance = (
        "" if bound == Bound(low=0, high=0) else f", but for {bound}{'' if bound.percent else ' rows'}"
    )
    if metric == "duplicateValues":
        text = f"{' and '.join(columns)} {'is' if len(columns) == 1 else 'are'} unique{tolerance}"
        return UniqueRule(
            name=name, text=text, severity=context.severity, location=place, columns=columns, bound=bound
        )
    if metric == "nullValues":
        good, text = f"{sql.name(column)} IS NOT NULL", f"{column} has a value{tolerance}"
    elif metric == "missingValues":
        missing = [value for value in spec.arguments.get("missingValues", [None, ""]) if value is not None]
        try:
            listed = ", ".join(sql.literal(str(value)) for value in missing)
        except ValueError as error:
            context.report((*place, "arguments"), f"not a list of values: {error}")
            return None
        good = f"{sql.name(column)} IS NOT NULL"
        good += f" AND CAST({sql.name(column)} AS VARCHAR) NOT IN ({listed})" if listed else ""
        text = f"{column} has a value{tolerance}"
    else:
        valid = _valid(context, spec, place, column, name)
        if valid is None:
            return None
        good, text = valid[0], f"{valid[1]}{tolerance}"
    return context.row(name, text, place, good, columns, bound)


def _valid(
    context: RuleContext, spec: Quality, place: Location, column: str, name: str
) -> tuple[str, str] | None:
    """What is valid, as a condition of SQL and in words; `None` where the check does not say so."""
    arguments, base = spec.arguments, (*place, "arguments")
    found: list[RowRule | None] = []
    if "validValues" in arguments:
        allowed = arguments["validValues"]
        found.append(
            among_rule(context, name, column, allowed if isinstance(allowed, list) else [allowed], base)
        )
    if "pattern" in arguments:
        found.append(pattern_rule(context, column, arguments["pattern"], (*base, "pattern"), name))
    ends = {key: arguments[key] for key in OPTIONS["number"] & arguments.keys()}
    if ends:
        found.append(range_rule(context, column, "number", ends, base))
    if unknown := arguments.keys() - {"validValues", "pattern", *OPTIONS["number"]}:
        known = ["validValues", "pattern", "minimum", "maximum"]
        context.report(
            (*base, min(unknown)), f"unknown argument '{min(unknown)}'", did_you_mean(min(unknown), known)
        )
        return None
    if not found:
        hint = "arguments: {validValues: [a, b]}, {pattern: …} or {minimum: …, maximum: …}"
        context.report(place, "invalidValues does not say what is valid", hint)
        return None
    rules = [rule for rule in found if rule is not None]
    if len(rules) < len(found):
        return None
    return " AND ".join(f"({rule.good})" for rule in rules), " and ".join(rule.text for rule in rules)


def _bound(context: RuleContext, spec: Quality, place: Location) -> Bound | None:
    given = [
        key for key in (*_OPERATORS, "mustBeBetween", "mustNotBeBetween") if getattr(spec, key) is not None
    ]
    if len(given) != 1:
        hint = "such as mustBe: 0, mustBeLessThan: 5 or mustBeBetween: [1, 10]"
        message = (
            "the check does not say what the figure must be"
            if not given
            else f"the check has {len(given)} conditions"
        )
        context.report(
            (*place, given[1]) if given else place, message, hint if not given else "keep one of them"
        )
        return None
    key = given[0]
    value, percent = getattr(spec, key), spec.unit == "percent"
    if key in _OPERATORS:
        number = context.number(value, (*place, key))
        if number is None:
            return None
        inverted, strict_low, strict_high, has_low, has_high = _OPERATORS[key]
        return Bound(
            low=number if has_low else None,
            high=number if has_high else None,
            strict_low=strict_low,
            strict_high=strict_high,
            inverted=inverted,
            percent=percent,
        )
    low, high = value
    if low > high:
        context.report((*place, key), "the bounds are the wrong way round", "the lower one is first")
        return None
    return Bound(low=low, high=high, inverted=key == "mustNotBeBetween", percent=percent)


def _query(context: RuleContext, spec: Quality, place: Location, column: str) -> Rule | None:
    bound = _bound(context, spec, place)
    if not (spec.query or "").strip():
        context.report(place, "the check has no query", "query: SELECT count(*) FROM ${table} WHERE …")
        return None
    if bound is None:
        return None
    query = str(spec.query).strip().rstrip(";")
    if column:
        query = query.replace("${column}", sql.name(column)).replace("{column}", sql.name(column))
    text = spec.description or f"the query gives {bound}"
    return _of_table(context, QueryRule, spec, place, "query", text, bound=bound, query=query)


def _custom(context: RuleContext, spec: Quality, place: Location, column: str) -> Rule | None:
    body = spec.implementation
    if spec.engine not in {"stagebook", "pandera"}:
        context.not_checked.append(f"a check of the engine {shorten(spec.engine or '(none)')}")
        return None
    if spec.engine == "stagebook" and isinstance(body, dict) and body.keys() == {"expression"}:
        good = body["expression"]
        if not isinstance(good, str) or not good.strip():
            context.report(
                (*place, "implementation"),
                "the expression is empty",
                "a condition of SQL, true for a good row",
            )
            return None
        name = spec.name or spec.id or (f"{column}.expression" if column else "expression")
        return context.row(
            name,
            spec.description or shorten(good.strip()),
            place,
            good.strip(),
            (column,) if column else (),
        )
    if spec.engine == "stagebook" and isinstance(body, dict) and body.keys() == {"drift"}:
        return _drift(context, spec, place, column, body["drift"])
    target = body.get("function") if isinstance(body, dict) and body.keys() == {"function"} else body
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        what, hint = (
            "no condition and no function",
            "{expression: a condition of SQL} or path/to/file.py:name",
        )
        if spec.engine == "pandera":
            what, hint = "no schema", "path/to/file.py:Schema"
        context.report((*place, "implementation"), f"the check names {what}", f"implementation: {hint}")
        return None
    text = spec.description or f"{target} finds nothing"
    return _of_table(context, FunctionRule, spec, place, target.rpartition(":")[2], text, target=target)


def _drift(context: RuleContext, spec: Quality, place: Location, column: str, given: Any) -> Rule | None:
    base: Location = (*place, "implementation", "drift")
    if not column:
        context.report(base, "drift is a check of a column, not of the table", "write it below the column")
        return None
    if not isinstance(given, dict) or not isinstance(given.get("by"), str):
        context.report(base, "the check does not name the column of time", "drift: {by: date, every: month}")
        return None
    if unknown := [key for key in given if key not in _DRIFT]:
        context.report(
            (*base, unknown[0]), f"unknown key '{unknown[0]}'", did_you_mean(str(unknown[0]), _DRIFT)
        )
        return None
    by, every = given["by"], given.get("every", "")
    if by not in context.columns:
        known = did_you_mean(by, context.columns)
        context.report((*base, "by"), f"the contract has no column '{by[:60]}'", known)
        return None
    if every not in ("", *STRETCHES):
        context.report(
            (*base, "every"), f"no stretch of time: {every!r:.60}", f"it is one of {', '.join(STRETCHES)}"
        )
        return None
    counts = {key: given.get(key, least) for key, least in (("minimum", DRIFT_MINIMUM), ("last", 0))}
    for key, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            context.report((*base, key), f"expected a whole number of at least 0, got {describe(count)}")
            return None
    if (bound := _bound(context, spec, place)) is None:
        return None
    text = spec.description or f"{column} is distributed in each {every or by} as before, but for {bound}"
    return _of_table(
        context, DriftRule, spec, place, f"{column}.drift", text,
        columns=(column, by), bound=bound, every=every, **counts,
    )  # fmt: skip


def freshness(context: RuleContext, entries: Sequence[Any], default: str | None) -> list[Rule]:
    """`slaProperties`: the freshness of a column; other properties are not checked."""
    rules: list[Rule] = []
    for at, raw in enumerate(entries):
        place: Location = ("slaProperties", at)
        spec, mistakes = read_model(Sla, raw)
        context.report_all(mistakes, place)
        if spec is None:
            continue
        if spec.property != "freshness":
            context.not_checked.append(f"the agreement {spec.property}")
            continue
        seconds = _UNITS.get(spec.unit or "d")
        if (
            seconds is None
            or not isinstance(spec.value, int | float)
            or isinstance(spec.value, bool)
            or spec.value <= 0
        ):
            context.report(place, "freshness is a number and a unit", "such as value: 24, unit: h")
            continue
        element = (spec.element or default or "").rpartition(".")[2]
        if not element:
            context.report(place, "freshness is about a column", "name it: element: TABLE.COLUMN")
            continue
        if element not in context.columns:
            known = did_you_mean(element, context.columns)
            context.report((*place, "element"), f"the contract has no column '{element[:60]}'", known)
            continue
        text = f"the latest {element} is at most {spec.value:g} {spec.unit or 'd'} old"
        severity = _of_whole(context)
        rules.append(
            FreshRule(
                name=f"{element}.freshness",
                text=text,
                severity=severity,
                location=place,
                columns=(element,),
                within=spec.value * seconds,
            )
        )
    return rules


def _of_table(
    context: RuleContext, kind: type[Any], spec: Quality, place: Location, name: str, text: str, **more: Any
) -> Rule:
    if spec.severity is not None and context.severity is Severity.QUARANTINE:
        hint = "severity: log, warn or fail"
        context.report(
            (*place, "severity"), "a check of the whole table cannot tell which rows to quarantine", hint
        )
    made: Rule = kind(
        name=spec.name or spec.id or name,
        text=text,
        severity=_of_whole(context),
        location=place,
        **more,
    )
    return made


def _of_whole(context: RuleContext) -> Severity:
    return Severity.FAIL if context.severity is Severity.QUARANTINE else context.severity

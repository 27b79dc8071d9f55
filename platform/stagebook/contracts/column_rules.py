"""The rules that a column's own keys stand for: present, ranges, lengths, patterns, lists of values."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.contracts.contract import (
    RowRule,
    Rule,
)
from stagebook.contracts.rules import RuleContext
from stagebook.contracts.schema import EnumValue
from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location
from stagebook.pipeline.schema import read_model
from stagebook.pipeline.types import describe, shorten
from stagebook.tables import sql

_NUMBERS = {"number", "integer"}
_TIMES = {"date", "timestamp", "time"}
OPTIONS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        _NUMBERS, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
    ),
    **dict.fromkeys(_TIMES, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})),
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "array": frozenset({"minItems", "maxItems"}),
}
_UNCHECKED = frozenset(
    {"format", "timezone", "defaultTimezone", "uniqueItems", "required", "maxProperties", "minProperties"}
)
_EXAMPLES = {"date": "2013-01-31", "timestamp": "2013-01-31T12:00:00", "time": "12:30:00"}


def present(context: RuleContext, column: str, location: Location, name: str) -> RowRule:
    """A column has a value in each row."""
    return context.row(name, f"{column} has a value", location, f"{sql.name(column)} IS NOT NULL", (column,))


def options(
    context: RuleContext, column: str, kind: str, options: Mapping[str, Any], location: Location
) -> list[Rule]:
    """`logicalTypeOptions`."""
    base: Location = (*location, "logicalTypeOptions")
    known = OPTIONS.get(kind, frozenset())
    for key in options:
        if key in _UNCHECKED:
            context.not_checked.append(f"the option {key} of the column {column}")
        elif key not in known:
            message = (
                f"a column of the type {kind} has no option '{key}'"
                if kind
                else f"the option '{key}' needs a logicalType"
            )
            context.report((*base, key), message, did_you_mean(key, sorted(known)) if known else "")
    chosen = {key: value for key, value in options.items() if key in known}
    rules = [range_rule(context, column, kind, chosen, base), _length(context, column, kind, chosen, base)]
    if "multipleOf" in chosen and (step := context.number(chosen["multipleOf"], (*base, "multipleOf"))):
        good = f"{sql.name(column)} % {sql.literal(step)} = 0"
        rules.append(
            context.row(f"{column}.step", f"{column} is a multiple of {step:g}", base, good, (column,))
        )
    if "pattern" in chosen:
        rules.append(pattern_rule(context, column, chosen["pattern"], (*base, "pattern")))
    return [rule for rule in rules if rule is not None]


def range_rule(
    context: RuleContext, column: str, kind: str, options: Mapping[str, Any], base: Location
) -> RowRule | None:
    """A column lies within bounds; `None` where there are none, or they are no bounds."""
    parts, words, ends = [], [], {}
    for key, operator, word in (
        ("minimum", ">=", "at least"), ("exclusiveMinimum", ">", "more than"),
        ("maximum", "<=", "at most"), ("exclusiveMaximum", "<", "less than"),
    ):  # fmt: skip
        if key not in options:
            continue
        value = _end(context, kind, options[key], (*base, key))
        if value is None:
            return None
        ends["high" if "aximum" in key else "low"] = value
        parts.append(f"{sql.name(column)} {operator} {sql.literal(value)}")
        words.append(f"{word} {value:g}" if isinstance(value, int | float) else f"{word} {value}")
    if not parts:
        return None
    if "low" in ends and "high" in ends and ends["low"] > ends["high"]:
        place = "maximum" if "maximum" in options else "exclusiveMaximum"
        context.report(
            (*base, place), f"the bounds of '{column}' are the wrong way round", "the lower one is first"
        )
        return None
    return context.row(
        f"{column}.range", f"{column} is {' and '.join(words)}", base, " AND ".join(parts), (column,)
    )


def _end(context: RuleContext, kind: str, value: Any, location: Location) -> Any:
    if kind in _NUMBERS:
        return context.number(value, location)
    if isinstance(value, str) and re.match(r"\d", value):
        return value
    context.report(location, f"expected a {kind} such as {_EXAMPLES[kind]}, got {describe(value)}")
    return None


def _length(
    context: RuleContext, column: str, kind: str, options: Mapping[str, Any], base: Location
) -> RowRule | None:
    low_key, high_key = ("minLength", "maxLength") if kind == "string" else ("minItems", "maxItems")
    found: dict[str, int] = {}
    for key in (low_key, high_key):
        value = options.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            context.report((*base, key), f"expected a whole number of at least 0, got {describe(value)}")
            return None
        found[key] = value
    if not found:
        return None
    low, high = found.get(low_key, 0), found.get(high_key)
    if high is not None and low > high:
        context.report(
            (*base, high_key),
            f"the bounds of '{column}' are the wrong way round",
            "the lower one is first",
        )
        return None
    what = "characters" if kind == "string" else "items"
    words = f"at least {low}" if high is None else f"{low} to {high}" if low != high else f"{low}"
    good = f"length({sql.name(column)}) >= {low}"
    good += f" AND length({sql.name(column)}) <= {high}" if high is not None else ""
    return context.row(f"{column}.length", f"{column} has {words} {what}", base, good, (column,))


def pattern_rule(
    context: RuleContext, column: str, pattern: Any, location: Location, name: str = ""
) -> RowRule | None:
    """A column matches a regular expression; `None` where it is none."""
    try:
        # Python warns of what its own syntax may mean one day; these are patterns of RE2.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        context.report(location, f"the pattern cannot be read: {error}", "write a regular expression as text")
        return None
    if re.search(r"\(\?<?[=!]|\\[1-9]", pattern):
        hint = "patterns are those of RE2: https://github.com/google/re2/wiki/Syntax"
        context.report(location, "the pattern looks ahead, behind or back, which is not possible", hint)
        return None
    good = f"regexp_matches({sql.name(column)}, {sql.literal(pattern)})"
    return context.row(
        name or f"{column}.pattern", f"{column} matches {shorten(pattern)}", location, good, (column,)
    )


def values(context: RuleContext, column: str, entries: Sequence[Any], location: Location) -> list[Rule]:
    """`enum`: the allowed values."""
    if not entries:
        return []
    base: Location = (*location, "enum")
    allowed = []
    for at, raw in enumerate(entries):
        entry, mistakes = read_model(EnumValue, raw if isinstance(raw, dict) else {"value": raw})
        context.report_all(mistakes, (*base, at))
        if entry is not None:
            allowed.append(entry.value)
    rule = among_rule(context, f"{column}.values", column, allowed, base)
    return [rule] if rule else []


def among_rule(
    context: RuleContext, name: str, column: str, allowed: Sequence[Any], location: Location
) -> RowRule | None:
    """A column has one of these values; `None` where there are none."""
    try:
        listed = ", ".join(sql.literal(value) for value in allowed if value is not None)
    except ValueError as error:
        context.report(location, f"not a list of values: {error}")
        return None
    if not listed:
        context.report(location, "there is no allowed value", "name at least one")
        return None
    shown = shorten(", ".join(str(value) for value in allowed))
    good = f"{sql.name(column)} IN ({listed})"
    return context.row(name, f"{column} is one of {shown}", location, good, (column,))

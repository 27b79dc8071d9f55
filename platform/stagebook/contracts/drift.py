"""Drift within a table: the distribution of a column in each stretch of time, held against all those before it."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.audits import CheckResult, Outcome
from stagebook.contracts.contract import DriftRule
from stagebook.contracts.probe import SAMPLE, TABLE, Probe
from stagebook.tables import kinds, sql
from stagebook.tables.distances import kolmogorov, total_variation

MOST = 1_000  # stretches of time
PARTS = 100  # into which the numbers of the whole table are cut: distances are known to so many parts
FREQUENT = 0.01  # of all rows have a text, at least, that is told apart from others
_NAMED = 6  # stretches in a message
_DEFAULT = "month"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of time: by its first moment or value, how many rows it has, and how many of each part: of numbers those that
    are at most so large, of text those of a kind."""

    start: Any
    rows: int
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How far a stretch is from all before it. `part` is the one that differs most, `share` and `before` those of the rows
    that it has."""

    stretch: Stretch
    distance: float
    part: int
    share: float
    before: float


def moves(stretches: Sequence[Stretch], minimum: int, *, ordered: bool) -> Iterator[Move]:
    """How far each stretch is from those before it together; where one of both sides has fewer than `minimum` rows, it is left
    out. `ordered`: parts are numbers that are at most so large (`kolmogorov`); else kinds (`total_variation`)."""
    measure = kolmogorov if ordered else total_variation
    rows, counts = 0, [0] * (len(stretches[0].counts) if stretches else 0)
    for stretch in stretches:
        if rows >= minimum <= stretch.rows and rows:
            distance, part = measure(stretch.counts, counts)
            shares = stretch.counts[part] / stretch.rows, counts[part] / rows
            yield Move(stretch=stretch, distance=distance, part=part, share=shares[0], before=shares[1])
        rows += stretch.rows
        counts = list(map(sum, zip(counts, stretch.counts, strict=True)))


def check_drift(probe: Probe, rule: DriftRule) -> CheckResult:
    """What a rule about drift came to: the largest distance, and the stretches that are too far. Raises `QueryFailed`."""
    column, by = rule.columns
    types = probe.connection.columns(TABLE)
    every = rule.every
    if _is_date(types[by]):
        every = every or _DEFAULT
    elif every:
        message = f"{by} is {types[by]}, and no date or time that `every: {every}` could cut"
        return probe.check(rule, Outcome.ERROR, message=message)
    if not (kinds.is_number(types[column]) or kinds.is_text(types[column]) or types[column] == "BOOLEAN"):
        message = f"{column} is {types[column]}: drift is of numbers, text, and true or false"
        return probe.check(rule, Outcome.ERROR, message=message)
    start = f"date_trunc('{every}', {sql.name(by)}::TIMESTAMP)::DATE" if every else sql.name(by)
    ordered = kinds.is_number(types[column])
    parts, stretches = (_numbers if ordered else _texts)(probe, start, sql.name(column))
    if len(stretches) > MOST:
        message = f"{by} has more than {MOST:,} stretches of time: name a longer one, such as `every: month`"
        return probe.check(rule, Outcome.ERROR, message=message)
    if kinds.is_whole(types[column]):
        parts = [math.floor(part) if math.isfinite(part) else part for part in parts]
    found = list(moves(stretches, rule.minimum, ordered=ordered))[-rule.last :]
    unit = 100 if rule.bound.percent else 1
    far = [move for move in found if not rule.bound.holds(unit * move.distance)]
    return probe.check(
        rule,
        not far,
        figure=max((unit * move.distance for move in found), default=None),
        message=_message(far, len(found), every, unit, by="" if by in probe.contract.personal else by),
        sample=[_row(move, column, by, every, parts) for move in far[-SAMPLE:]],
    )


def _numbers(probe: Probe, start: str, column: str) -> tuple[list[Any], list[Stretch]]:
    """The upper ends of the parts, and the stretches."""
    value = f"{column}::DOUBLE"
    rows = f"SELECT {start} AS start, {value} AS value FROM {sql.name(TABLE)} WHERE isfinite({value}) AND {start} IS NOT NULL"
    levels = ", ".join(f"{part / PARTS:g}" for part in range(1, PARTS))
    (cuts,) = probe.connection.rows(f"SELECT approx_quantile(value, [{levels}]) FROM ({rows})")[0]
    ends = sorted(set(cuts or ()))
    counted = "".join(f", count(*) FILTER (value <= {sql.literal(end)})" for end in ends)
    query = f"SELECT start, count(*){counted} FROM ({rows}) GROUP BY start ORDER BY start LIMIT {MOST + 1}"
    stretches = [
        Stretch(start=row[0], rows=row[1], counts=(*row[2:], row[1])) for row in probe.connection.rows(query)
    ]
    return [*ends, math.inf], stretches


def _texts(probe: Probe, start: str, column: str) -> tuple[list[Any], list[Stretch]]:
    """The kinds, the last one for all that are not frequent, and the stretches."""
    rows = f"SELECT {start} AS start, {column}::VARCHAR AS value FROM {sql.name(TABLE)} WHERE {column} IS NOT NULL AND {start} IS NOT NULL"
    least = f"(SELECT {FREQUENT} * count(*) FROM ({rows}))"
    frequent = f"SELECT value FROM ({rows}) GROUP BY value HAVING count(*) >= {least} ORDER BY value"
    names = [row[0] for row in probe.connection.rows(frequent)]
    starts = f"SELECT DISTINCT start FROM ({rows}) ORDER BY start LIMIT {MOST + 1}"
    listed = ", ".join(map(sql.literal, names)) or "''"
    query = (
        f"SELECT start, CASE WHEN value IN ({listed}) THEN value END AS kind, count(*) FROM ({rows})"
        f" WHERE start IN ({starts}) GROUP BY start, kind ORDER BY start"
    )
    numbers = {name: at for at, name in enumerate(names)}
    stretches = []
    for begin, found in itertools.groupby(probe.connection.rows(query), key=lambda row: row[0]):
        counts = [0] * (len(names) + 1)
        for _, kind, count in found:
            counts[numbers.get(kind, len(names))] += count
        stretches.append(Stretch(start=begin, rows=sum(counts), counts=tuple(counts)))
    return [*names, None], stretches


def _message(far: Sequence[Move], compared: int, every: str, unit: int, *, by: str) -> str:
    """What is wrong; without `by`, the column of time, its values are not shown."""
    if not far:
        return ""
    sign = " %" if unit > 1 else ""
    text = f"{len(far)} of {compared} {'are' if len(far) > 1 else 'is'} not as those before"
    if not by:
        return text
    named = [f"{_label(move, every)} ({unit * move.distance:.3g}{sign})" for move in far]
    before = f"{len(named) - _NAMED} others, " if len(named) > _NAMED else ""
    return f"{text}: {before}{'' if every else f'{by} '}{', '.join(named[-_NAMED:])}"


def _row(move: Move, column: str, by: str, every: str, parts: Sequence[Any]) -> Mapping[str, Any]:
    """How a stretch differs most: its share of rows that are at most so large, or are of that kind."""
    return {
        "drift": round(move.distance, 4),
        "share": round(move.share, 4),
        "share_before": round(move.before, 4),
        "rows": move.stretch.rows,
        column: parts[move.part],
        by: _label(move, every),
    }


def _label(move: Move, every: str) -> str:
    start = move.stretch.start
    if not isinstance(start, datetime.date):
        return str(start)
    return start.isoformat()[: {"month": 7, "year": 4}.get(every, 10)]


def _is_date(kind: str) -> bool:
    return kind == "DATE" or kind.startswith("TIMESTAMP")

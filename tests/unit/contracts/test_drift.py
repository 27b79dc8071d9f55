"""Drift within a table is what counting by hand gives: each stretch of time against all those before it."""

from __future__ import annotations

import bisect
import datetime
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.contracts.audit import audit
from stagebook.contracts.contract import DriftRule
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import MASK, Surroundings
from stagebook.tables.source import source_of

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.out
version: 1.0.0
schema:
  - name: out
    properties:
      - {name: day, logicalType: date}
      - {name: at, logicalType: timestamp}
      - {name: month, logicalType: integer}
      - name: delay
        logicalType: number
        PERSONAL
        quality:
          - type: custom
            engine: stagebook
            implementation: {drift: {DRIFT}}
            mustBeLessThan: 0.1
            severity: warn
      - name: kind
        logicalType: string
        quality:
          - type: custom
            engine: stagebook
            name: kinds
            implementation: {drift: {DRIFT}}
            mustBeLessOrEqualTo: 10
            unit: percent
      - {name: blob, physicalType: "INTEGER[]"}
"""


def held(
    frame: pd.DataFrame, drift: str, kind: str = "parquet", personal: str = ""
) -> dict[str, CheckResult]:
    """What the checks of drift came to, for data in a file."""
    text = CONTRACT.replace("{DRIFT}", f"{{{drift}}}").replace("PERSONAL", personal or "description: late")
    loaded = load_contract(text, "c.yaml")
    assert loaded.problems == ()
    with tempfile.TemporaryDirectory() as folder:
        path, spill = Path(folder) / f"out.{kind}", Path(folder) / "spill"
        spill.mkdir()
        frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
        found: Audit = audit(loaded.contract, source_of(path), Surroundings(spill=spill))
    return {check.rule: check for check in found.checks if check.rule in {"delay.drift", "kinds"}}


def table(*months: Sequence[float], kinds: Sequence[Sequence[str]] = ()) -> pd.DataFrame:
    """Rows of the months of 2013, with these delays and kinds."""
    rows = []
    for month, delays in enumerate(months, start=1):
        of_month = kinds[month - 1] if kinds else ["a"] * len(delays)
        for number, (delay, kind) in enumerate(zip(delays, of_month, strict=True)):
            day = datetime.date(2013, month, 1 + number % 28)
            at = pd.Timestamp(2013, month, day.day, number % 24)
            rows.append({"day": day, "at": at, "month": month, "delay": delay, "kind": kind, "blob": [1]})
    return pd.DataFrame(rows)


EVEN = [float(value) for value in range(100)]
LATE = [value + 30 for value in EVEN]


@pytest.mark.parametrize("drift", ["by: day, every: month", "by: day", "by: at, every: month", "by: month"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_month_that_is_late_is_found(drift: str, kind: str) -> None:
    """In June 30 of 100 are later than all before. July is as June, and both are not as the six months before them."""
    frame = table(EVEN, EVEN, EVEN, EVEN, EVEN, LATE, EVEN).drop(columns="blob")
    found = held(frame, f"{drift}, minimum: 10", kind)["delay.drift"]
    june = "6" if drift == "by: month" else "2013-06"
    shown = f"month {june}" if drift == "by: month" else june
    assert (found.severity, found.outcome) == (Severity.WARN, Outcome.BROKEN)
    assert found.figure == pytest.approx(0.3, abs=0.02)
    assert found.message == f"1 of 6 is not as those before: {shown} ({found.figure:.3g})"
    (row,) = found.sample
    by = drift.partition(",")[0].removeprefix("by: ")
    assert (row["rows"], row[by]) == (100, june)
    assert row["share_before"] - row["share"] == pytest.approx(row["drift"], abs=1e-3)
    at_most = sum(value <= row["delay"] for value in LATE) / 100
    assert row["share"] == pytest.approx(at_most)


def test_a_new_kind_is_drift_of_text() -> None:
    kinds = [["a"] * 60 + ["b"] * 40] * 3 + [["a"] * 30 + ["b"] * 40 + ["c"] * 30]
    found = held(table(EVEN, EVEN, EVEN, EVEN, kinds=kinds), "by: day, minimum: 10")["kinds"]
    assert (found.severity, found.outcome, found.figure) == (Severity.FAIL, Outcome.BROKEN, pytest.approx(30))
    assert found.message == "1 of 3 is not as those before: 2013-04 (30 %)"
    (row,) = found.sample
    assert row["kind"] in {"a", "c"}
    assert abs(row["share"] - row["share_before"]) == pytest.approx(0.3)


def test_of_text_that_is_always_new_nothing_is_told_apart() -> None:
    kinds = [[f"{month}-{at}" for at in range(200)] for month in range(3)]
    frame = table(*[EVEN * 2] * 3, kinds=kinds)
    assert held(frame, "by: month, minimum: 10")["kinds"].figure == 0


def test_few_rows_are_not_compared_and_old_stretches_are_left_alone() -> None:
    frame = table(EVEN, LATE, EVEN[:9], EVEN, EVEN, EVEN)
    every = held(frame, "by: month, minimum: 10")["delay.drift"]
    assert re.search(r"of 4 are not as those before: month 2 \(0\.3\), 4 ", every.message)
    late = held(frame, "by: month, minimum: 10, last: 1")["delay.drift"]
    assert (late.outcome, late.message) == (Outcome.PASSED, "")
    usual = held(frame, "by: month")["delay.drift"]
    assert (usual.outcome, usual.figure) == (Outcome.PASSED, None), "no month has a thousand rows"


def test_values_that_are_none_say_nothing() -> None:
    odd = [float("nan"), float("inf"), float("-inf"), None]
    frame = table([*EVEN, *odd], [*EVEN, *odd])
    frame.loc[len(frame)] = {"day": None, "at": None, "month": None, "delay": 1e9, "kind": None, "blob": None}
    assert held(frame, "by: day, minimum: 100")["delay.drift"].figure == 0
    empty = frame.iloc[:0].drop(columns="blob").astype({"month": "int64"})
    assert held(empty, "by: month")["delay.drift"].outcome is Outcome.PASSED


def test_personal_values_are_not_shown() -> None:
    found = held(table(EVEN, LATE), "by: delay", personal="classification: personal")["delay.drift"]
    assert found.outcome is Outcome.PASSED
    found = held(table(EVEN, LATE), "by: day, minimum: 10", personal="classification: personal")[
        "delay.drift"
    ]
    assert [row["delay"] for row in found.sample] == [MASK]
    two = table([0.0] * 50, [1.0] * 50).assign(delay=lambda frame: frame["month"] * 1.5)
    found = held(two, "by: delay, minimum: 10", personal="classification: personal")["delay.drift"]
    assert (found.message, found.sample[0]["delay"]) == ("1 of 1 is not as those before", MASK)


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        ("by: month, every: week", "month is BIGINT, and no date or time that `every: week` could cut"),
        (
            "by: delay",
            "delay has more than 1,000 stretches of time: name a longer one, such as `every: month`",
        ),
    ],
)
def test_what_cannot_be_cut_into_stretches_is_told(drift: str, message: str) -> None:
    frame = table([float(value) for value in range(1001)])
    found = held(frame, drift)["delay.drift"]
    assert (found.outcome, found.message) == (Outcome.ERROR, message)


def test_what_has_no_distribution_is_told() -> None:
    text = CONTRACT.replace("{DRIFT}", "{by: month}").replace("PERSONAL", "description: late")
    text = text.replace("INTEGER[]}", "INTEGER[]}").replace(
        '{name: blob, physicalType: "INTEGER[]"}',
        "{name: blob, quality: [{type: custom, engine: stagebook, implementation: {drift: {by: month}}, mustBe: 0}]}",
    )
    loaded = load_contract(text, "c.yaml")
    assert loaded.problems == ()
    (rule,) = (
        rule for rule in loaded.contract.rules if isinstance(rule, DriftRule) and rule.columns[0] == "blob"
    )
    with tempfile.TemporaryDirectory() as folder:
        table(EVEN).to_parquet(Path(folder) / "out.parquet")
        found = audit(
            loaded.contract,
            source_of(Path(folder) / "out.parquet"),
            Surroundings(spill=Path(folder) / "spill"),
        )
    (check,) = (check for check in found.checks if check.rule == rule.name)
    assert (check.outcome, check.message) == (
        Outcome.ERROR,
        "blob is BIGINT[]: drift is of numbers, text, and true or false",
    )


months = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=30), min_size=2, max_size=5)


@settings(max_examples=25, deadline=None)
@given(months)
def test_the_figure_is_the_largest_distance_of_kolmogorov_and_smirnov(data: list[list[int]]) -> None:
    """All values are whole numbers, so a hundred parts tell them apart."""
    frame = table(*[[float(value) for value in values] for values in data])
    found: Any = held(frame, "by: month, minimum: 1")["delay.drift"].figure
    expected, before = 0.0, sorted(data[0])
    for values in data[1:]:
        now = sorted(values)
        expected = max(
            expected,
            *(
                abs(
                    bisect.bisect_right(now, place) / len(now)
                    - bisect.bisect_right(before, place) / len(before)
                )
                for place in range(-9, 10)
            ),
        )
        before = sorted([*before, *values])
    assert found == pytest.approx(expected, abs=0.02)

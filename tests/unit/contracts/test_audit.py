"""What a contract finds is what a plain count over the rows finds, in each format; queries can do nothing but read."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.contracts.audit import audit
from stagebook.contracts.contract import Contract
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import MASK, Surroundings
from stagebook.tables.source import NoTable, Source, source_of

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: p.clean.out\nversion: 1.0.0\n"
Rows = Sequence[Mapping[str, Any]]

CONTRACT = (
    HEAD
    + """\
schema:
  - name: out
    properties:
      - {name: id, logicalType: integer, required: true, unique: true}
      - {name: delay, logicalType: number, logicalTypeOptions: {minimum: -5, exclusiveMaximum: 5}}
      - name: code
        logicalType: string
        enum: [a, b, "it's"]
        logicalTypeOptions: {minLength: 1, maxLength: 3, pattern: "^[a-i]"}
        relationships: [{to: p.codes.out.code}]
        quality:
          - {metric: nullValues, mustBeLessThan: 50, unit: percent}
          - {metric: missingValues, mustBe: 0, arguments: {missingValues: [b]}}
    quality:
      - {metric: rowCount, mustBeBetween: [2, 5]}
      - {metric: duplicateValues, name: pair, mustBeLessOrEqualTo: 1, arguments: {properties: [delay, code]}}
      - {type: custom, name: both, engine: stagebook, implementation: {expression: "delay > 0 OR code = 'a'"}}
"""
)
CODES = [{"code": code} for code in ("a", "b", "c")]


def contract_of(text: str) -> Contract:
    loaded = load_contract(text, "contracts/c.yaml")
    assert loaded.problems == ()
    return loaded.contract


def write_parquet(path: Path, rows: Rows) -> None:
    kinds = {"id": pa.int64(), "delay": pa.float64(), "code": pa.string()}
    names = list(rows[0]) if rows else list(kinds)
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in names]
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(fields)), path)


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else ["id", "delay", "code"])
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


FORMATS: dict[str, Callable[[Path, Rows], None]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "jsonl": write_json,
}


def held(
    text: str,
    rows: Rows,
    kind: str = "parquet",
    neighbours: Mapping[str, Rows] | None = None,
    **options: Any,
) -> Audit:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "spill").mkdir()

        def made(name: str, content: Rows) -> Source:
            path = folder / f"{name}.{kind}"
            FORMATS[kind](path, content)
            return source_of(path)

        others = {name: made(name, content) for name, content in (neighbours or {}).items()}
        around = Surroundings(spill=folder / "spill", neighbours=others, **options)
        return audit(contract_of(text), made("own", rows), around)


def by_rule(found: Audit) -> dict[str, CheckResult]:
    return {check.rule: check for check in found.checks}


# -- the reference ----------------------------------------------------------------------------------


def repeats(values: Sequence[Any]) -> int:
    present = [
        value
        for value in values
        if value is not None and None not in (value if isinstance(value, tuple) else ())
    ]
    return len(present) - len(set(present))


def expected(rows: Rows) -> dict[str, tuple[int, bool]]:
    """By rule, how many rows break it, and whether it holds."""
    ids, delays, codes = ([row[name] for row in rows] for name in ("id", "delay", "code"))
    counts = {
        "id.required": sum(value is None for value in ids),
        "id.unique": repeats(ids),
        "delay.range": sum(value is not None and not -5 <= value < 5 for value in delays),
        "code.values": sum(value is not None and value not in {"a", "b", "it's"} for value in codes),
        "code.length": sum(value is not None and not 1 <= len(value) <= 3 for value in codes),
        "code.pattern": sum(value is not None and not re.search("^[a-i]", value) for value in codes),
        "code.key": sum(value is not None and value not in {"a", "b", "c"} for value in codes),
        "code.nullValues": sum(value is None for value in codes),
        "code.missingValues": sum(value in {None, "b"} for value in codes),
        "pair": repeats(list(zip(delays, codes, strict=True))),
        "both": sum(
            not (
                (delay is not None and delay > 0)
                or code == "a"
                or (delay is None and code != "a")  # unknown
                or (code is None and not (delay is not None and delay > 0))
            )
            for delay, code in zip(delays, codes, strict=True)
        ),
    }
    bounds: dict[str, Callable[[int], bool]] = {
        "code.nullValues": lambda count: 100 * count / len(rows) < 50 if rows else True,
        "pair": lambda count: count <= 1,
    }
    found = {name: (count, bounds.get(name, lambda seen: seen == 0)(count)) for name, count in counts.items()}
    return {**found, "rows": (len(rows), 2 <= len(rows) <= 5)}


values = st.fixed_dictionaries(
    {
        "id": st.none() | st.integers(0, 4),
        "delay": st.none() | st.integers(-7, 7).map(float),
        "code": st.none() | st.sampled_from(["a", "b", "c", "it's", "zebra", "abcd"]),
    }
)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=12, deadline=None)
@given(rows=st.lists(values, max_size=7))
def test_what_is_found_is_what_a_plain_count_finds(kind: str, rows: Rows) -> None:
    if kind == "jsonl":  # a column without a value has no type there
        rows = [*rows, {"id": 9, "delay": 1.0, "code": "a"}]
    found = by_rule(held(CONTRACT, rows, kind, {"p.codes.out": CODES}))
    seen = {name: (found[name].figure, found[name].outcome is Outcome.PASSED) for name in expected(rows)}
    assert seen == expected(rows)
    for check in found.values():
        assert (check.message == "") is (check.outcome is Outcome.PASSED)


# -- one by one -------------------------------------------------------------------------------------

ROWS: Rows = [
    {"id": 1, "delay": 1.0, "code": "a"},
    {"id": 2, "delay": float("nan"), "code": None},
    {"id": 3, "delay": 2.5, "code": "b"},
]
ONE = HEAD + "schema:\n  - name: out\n    properties:\n"


def test_nan_is_no_value_and_infinity_is_one() -> None:
    text = (
        ONE
        + "      - {name: delay, logicalType: number, required: true, logicalTypeOptions: {maximum: 10}}\n"
    )
    found = by_rule(held(text, [*ROWS, {"id": 4, "delay": float("inf"), "code": ""}]))
    assert found["delay.required"].figure == 1
    assert found["delay.range"].figure == 1


@pytest.mark.parametrize("rest", [[], [None], [float("inf")]])
def test_nan_is_found_whatever_the_statistics_of_a_file_say(rest: list[float | None]) -> None:
    text = f"{ONE}      - {{name: delay, logicalType: number, required: true}}\n"
    rows = [{"delay": value} for value in (1.0, 2.0, float("nan"), *rest)]
    found = by_rule(held(text, rows))
    assert found["delay.required"].figure == 1 + rest.count(None)


def test_whole_numbers_may_be_kept_as_floats() -> None:
    text = ONE + "      - {name: delay, logicalType: integer}\n"
    (whole,) = held(text, ROWS[:2]).checks
    (half,) = held(text, ROWS).checks
    assert (whole.outcome, half.outcome, half.figure) == (Outcome.PASSED, Outcome.BROKEN, 1)


def test_values_of_a_text_file_are_what_they_stand_for() -> None:
    text = (
        ONE
        + """\
      - {name: n, logicalType: integer}
      - {name: day, logicalType: date, logicalTypeOptions: {minimum: "2013-01-01"}}
      - {name: flag, logicalType: boolean}
"""
    )
    rows = [
        {"n": "1", "day": "2013-01-01", "flag": "true"},
        {"n": "2.0", "day": "2012-12-31", "flag": ""},
        {"n": "2.7", "day": "soon", "flag": "perhaps"},
        {"n": "", "day": "", "flag": "false"},
    ]
    found = by_rule(held(text, rows, "csv"))
    assert {name: check.figure for name, check in found.items()} == {
        "n.type": 1, "day.type": 1, "day.range": 1, "flag.type": 1,
    }  # fmt: skip
    assert found["n.type"].sample == ({"n": "2.7", "day": "soon", "flag": "perhaps"},)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("{name: nope, logicalType: integer}", "there is no column nope; there is id, delay, code"),
        ("{name: code, logicalType: integer}", "code is VARCHAR"),
        ("{name: id, physicalType: INTEGER}", "id is BIGINT"),
    ],
)
def test_a_column_that_is_not_as_it_should_be(column: str, message: str) -> None:
    (check,) = held(f"{ONE}      - {column}\n", ROWS).checks
    assert (check.outcome, check.message, check.severity) == (Outcome.BROKEN, message, Severity.FAIL)


def test_columns_that_nobody_named() -> None:
    text = "customProperties: [{property: schemaPolicy, value: freeze}]\n"
    found = by_rule(held(HEAD + text + ONE.removeprefix(HEAD) + "      - {name: id}\n", ROWS))
    assert found["columns"].message == "the contract does not name delay, code"


def test_personal_values_are_shown_nowhere() -> None:
    text = ONE + "      - {name: code, classification: personal, enum: [z]}\n"
    check = by_rule(held(text, ROWS))["code.values"]
    assert [row["code"] for row in check.sample] == [MASK, MASK]
    assert "'b'" not in repr(check)


def test_freshness() -> None:
    text = (
        ONE
        + "      - {name: t, logicalType: timestamp}\nslaProperties: [{property: freshness, value: 2, unit: h, element: out.t}]\n"
    )
    rows = [{"t": "1970-01-01 10:00:00"}, {"t": "1970-01-01 08:00:00"}]
    assert held(text, rows, "csv", now=12 * 3600.0).worst() is None
    check = by_rule(held(text, rows, "csv", now=15 * 3600.0))["t.freshness"]
    assert (check.outcome, check.message) == (Outcome.BROKEN, "the latest is 5 hours old")


def test_a_key_into_a_dataset_that_is_not_there() -> None:
    text = ONE + "      - {name: code, relationships: [{to: p.codes.out.code}]}\n"
    check = by_rule(held(text, ROWS))["code.key"]
    assert (check.outcome, check.message) == (
        Outcome.ERROR,
        "there is no p.codes.out yet: run the stage that makes it",
    )
    check = by_rule(held(text, ROWS, neighbours={"p.codes.out": [{"kode": "a"}]}))["code.key"]
    assert check.message == "p.codes.out has no column code"


QUERY = ONE + "      - {name: id}\n    quality:\n      - {type: sql, name: q, mustBe: 0, query: %s}\n"


@pytest.mark.parametrize(
    ("query", "outcome", "message"),
    [
        ("select count(*) from ${table} where id > 3", Outcome.PASSED, ""),
        ("select count(*) from ${table}", Outcome.BROKEN, "it is 3, and has to be 0"),
        ("select null", Outcome.BROKEN, "the query gives null"),
        ("select 'x'", Outcome.ERROR, "it cannot be checked: it gives 'x', which is no number"),
        ("select 1, 2", Outcome.ERROR, "it cannot be checked: it gives 1 rows of 2 columns, not one number"),
        ("drop view raw", Outcome.ERROR, "it cannot be checked: it is not one SELECT"),
        ("select 0; drop view raw", Outcome.ERROR, "it cannot be checked: it is not one SELECT"),
        ("selec 0", Outcome.ERROR, 'it cannot be checked: Parser Error: syntax error at or near "selec"'),
        ("select nope from ${table}", Outcome.ERROR, "it cannot be checked: Binder Error: *"),
        ("select count(*) from read_text('/etc/passwd')", Outcome.ERROR, "it cannot be checked: Permission Error: *"),
        ("select count(*) from 'other.parquet'", Outcome.ERROR, "it cannot be checked: Permission Error: *"),
        ("copy (select 1) to '/tmp/written'", Outcome.ERROR, "it cannot be checked: it is not one SELECT"),
        ("set memory_limit = '9GB'", Outcome.ERROR, "it cannot be checked: it is not one SELECT"),
        ("select count(*) from range(1000000000000) a, range(1000000) b", Outcome.ERROR, "it cannot be checked: it was not done after 0.5 s"),
    ],
)  # fmt: skip
def test_a_query_reads_the_dataset_and_nothing_else(query: str, outcome: Outcome, message: str) -> None:
    check = by_rule(held(QUERY % json.dumps(query), ROWS, query_seconds=0.5))["q"]
    assert check.outcome is outcome
    assert re.fullmatch(re.escape(message).replace(r"\*", ".*"), check.message)


def test_one_rule_that_cannot_be_checked_hides_no_other() -> None:
    text = ONE + "      - {name: code, enum: [z]}\n    quality:\n"
    for name, expression in (("typo", "kode = 'a'"), ("syntax", "code ="), ("good", "id > 1")):
        text += f'      - {{type: custom, name: {name}, engine: stagebook, implementation: {{expression: "{expression}"}}}}\n'
    found = by_rule(held(text, ROWS))
    assert [found[name].outcome for name in ("typo", "syntax", "good", "code.values")] == [
        Outcome.ERROR, Outcome.ERROR, Outcome.BROKEN, Outcome.BROKEN,
    ]  # fmt: skip
    assert found["good"].figure == 1


def test_a_function_gets_the_rows_and_says_what_is_wrong() -> None:
    text = ONE + "      - {name: id}\n    quality:\n"
    for name in ("good", "bad", "broken", "frame"):
        text += f"      - {{type: custom, engine: stagebook, implementation: 'checks.py:{name}'}}\n"

    def call(target: str, frame: Any) -> Any:
        if target == "checks.py:broken":
            raise ValueError("no")
        if target == "checks.py:frame":
            return frame
        return f"{len(frame)} rows" if target == "checks.py:bad" else None

    found = by_rule(held(text, ROWS, call=call))
    assert [(check.outcome, check.message) for name, check in found.items() if name != "id.exists"] == [
        (Outcome.PASSED, ""), (Outcome.BROKEN, "3 rows"), (Outcome.ERROR, "ValueError: no"),
        (Outcome.ERROR, "it returned DataFrame, and not what is wrong as a text, or nothing"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"", "the file is empty"),
        ("a.parquet", b"no parquet at all", "No magic bytes found .*"),
        ("a.xyz", b"1", r"nothing is known of files named \*.xyz: tables are .*"),
        ("a.duckdb", b"junk", "IO Error: .*"),
        ("a.csv", b"", "the file is empty"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NoTable) as caught:
        audit(
            contract_of(ONE + "      - {name: id}\n"),
            source_of(tmp_path / name),
            Surroundings(spill=tmp_path),
        )
    assert re.fullmatch(message, str(caught.value))
    assert str(tmp_path) not in str(caught.value)

"""Contracts are read with every mistake at its place; what is checked by them is told by a digest."""

from __future__ import annotations

import warnings

import pytest

from golden import Case, Golden, cases
from stagebook.audits import Severity
from stagebook.contracts.contract import Bound, Policy, RowRule
from stagebook.contracts.loader import load_contract

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: p.clean.out\nversion: 1.0.0\n"
COLUMNS = """\
schema:
  - name: out
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - {name: delay, logicalType: integer, logicalTypeOptions: {minimum: -60, maximum: 1500}}
"""


@pytest.mark.parametrize("case", cases("bad_contracts"))
def test_a_bad_contract_is_told_of_at_its_place(case: Case, golden: Golden) -> None:
    """A case that is not about the head goes without it."""
    text = case.text if "(whole)" in case.name else HEAD + case.text
    golden("\n".join(str(problem) for problem in load_contract(text, "contracts/c.yaml").problems), case)


def test_a_rule_for_each_thing_that_must_hold() -> None:
    found = load_contract(HEAD + COLUMNS, "contracts/c.yaml")
    assert found.problems == ()
    assert {rule.name: str(rule.severity) for rule in found.contract.rules} == dict.fromkeys(
        ["id.type", "id.required", "delay.type", "delay.range", "primary_key"], "fail"
    )
    assert found.contract.key == ("id",)
    (bounds,) = (rule for rule in found.contract.rules if rule.name == "delay.range")
    assert isinstance(bounds, RowRule)
    assert (bounds.good, bounds.text) == (
        '"delay" >= -60 AND "delay" <= 1500',
        "delay is at least -60 and at most 1500",
    )


def test_a_pattern_is_read_without_a_word_of_python() -> None:
    """Python warns of what its own syntax may mean one day, and the patterns are those of RE2."""
    text = HEAD + "schema:\n  - name: out\n    properties:\n"
    text += """      - {name: code, logicalType: string, logicalTypeOptions: {pattern: "^[a[b]c--d]"}}\n"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_contract(text, "contracts/c.yaml")
    assert [rule.name for rule in found.contract.rules] == ["code.type", "code.pattern"]


def test_severities_are_inherited_and_have_the_names_of_the_standard() -> None:
    text = HEAD + "customProperties: [{property: severity, value: quarantine}]\n" + COLUMNS
    text += """\
      - name: origin
        customProperties: [{property: severity, value: warning}]
        enum: [EWR, {value: JFK}]
        quality: [{metric: nullValues, mustBe: 0, severity: info}]
    quality: [{metric: rowCount, mustBeGreaterThan: 1}]
"""
    rules = {rule.name: rule for rule in load_contract(text, "contracts/c.yaml").contract.rules}
    assert rules["delay.range"].severity is Severity.QUARANTINE
    assert rules["origin.values"].severity is Severity.WARN
    assert rules["origin.nullValues"].severity is Severity.LOG
    assert rules["rows"].severity is Severity.FAIL, "which rows would be quarantined?"


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ("description: {purpose: words}\n# a comment\n", True),
        ("tags: [a]\nteam: {name: data}\n", True),
        ("customProperties: [{property: severity, value: warn}]\n", False),
        ("customProperties: [{property: schemaPolicy, value: freeze}]\n", False),
    ],
)
def test_the_digest_is_that_of_what_is_checked(more: str, same: bool) -> None:
    first = load_contract(HEAD + COLUMNS, "contracts/c.yaml").contract.digest
    second = load_contract(HEAD + more + COLUMNS, "contracts/c.yaml").contract.digest
    assert (first == second) is same


def test_what_is_personal_and_whose_it_is() -> None:
    text = (
        HEAD
        + """\
team: {members: [{username: ada, role: owner}, {username: bob}]}
customProperties: [{property: schemaPolicy, value: discard_columns}]
schema:
  - name: out
    properties:
      - {name: a, classification: Restricted}
      - {name: b, tags: [PII]}
      - {name: c, classification: public}
"""
    )
    contract = load_contract(text, "contracts/c.yaml").contract
    assert [name for name, column in contract.columns.items() if column.personal] == ["a", "b"]
    assert (contract.owner, contract.policy) == ("ada", Policy.DISCARD)


@pytest.mark.parametrize(
    ("bound", "good", "bad", "text"),
    [
        (Bound(low=1, high=3), [1, 3], [0.9, 3.1], "from 1 to 3"),
        (Bound(low=1, strict_low=True), [1.1], [1], "more than 1"),
        (Bound(high=5, strict_high=True, percent=True), [4.9], [5], "less than 5 %"),
        (Bound(low=2, high=2, inverted=True), [1, 3], [2], "not 2"),
        (Bound(low=1, high=3, inverted=True), [0, 4], [1, 2, 3], "not from 1 to 3"),
    ],
)
def test_bounds(bound: Bound, good: list[float], bad: list[float], text: str) -> None:
    assert [bound.holds(figure) for figure in good + bad] == [True] * len(good) + [False] * len(bad)
    assert str(bound) == text

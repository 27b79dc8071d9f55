"""Contracts with random mistakes: each is told with its place, or audited; nothing else ever comes of one."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pandas as pd

from effort import SEED, amount, figure
from stagebook.audits import Audit, Outcome
from stagebook.contracts.audit import audit
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import Surroundings
from stagebook.contracts.quarantine import Target, needs_split, split
from stagebook.tables.duck import QueryFailed
from stagebook.tables.source import NoTable, Source, source_of

WHOLE = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.people
version: 1.0.0
status: active
description: {purpose: How fast people are.}
team: {name: zoo}
tags: [birds]
slaDefaultElement: people.day
slaProperties:
  - {property: freshness, value: 30, unit: d}
schema:
  - name: people
    customProperties: [{property: schemaPolicy, value: discard_columns}]
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - {name: name, logicalType: string, required: true, logicalTypeOptions: {pattern: '^[a-z]+$', maxLength: 9}}
      - name: speed
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 200, multipleOf: 0.5}
        customProperties: [{property: severity, value: quarantine}]
        quality:
          - {metric: nullValues, unit: percent, mustBeLessThan: 50}
          - {type: custom, engine: stagebook, implementation: {drift: {by: day, every: week, minimum: 2, last: 3}}, mustBeLessThan: 1}
      - {name: kind, logicalType: string, enum: [{value: bird}, {value: cat}], classification: personal}
      - {name: day, logicalType: date, logicalTypeOptions: {minimum: 2026-01-01}}
    relationships:
      - {from: people.name, to: p.known.names.name}
    quality:
      - {metric: rowCount, mustBeBetween: [1, 100]}
      - {metric: duplicateValues, mustBe: 0, arguments: {properties: [name, day]}}
      - {type: sql, query: 'SELECT max(speed) FROM ${table}', mustBeLessThan: 2000, severity: warn}
      - {type: text, description: The keeper looks at it.}
"""
WORDS = (
    "", "null", "~", "true", "no", "-1", "0", "1e400", ".nan", ".inf", "9" * 40, "2026-02-30", "'", '"', "[", "]", "{",
    "}", "&a", "*a", "!!python/object:os.system x", "<<", "|", ">", "%", "\t", "\0", "\ud800", "é", "名前", "x" * 5000,
    "DROP TABLE people", "SELECT 1; SELECT 2", "COPY people TO 'x'", "SELECT * FROM read_csv('/etc/passwd')", "speed",
    "quarantine", "fail", "integer", "object", "(", "(?P<x>", "[[:alpha:]]", "\\", "a.b.c.d", "p.make.people.id", "P1D",
)  # fmt: skip


def mutated(text: str, dice: random.Random) -> str:
    """The contract with one to four mistakes."""
    lines = text.split("\n")
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(lines))
        line = lines[at]
        match dice.randrange(10):
            case 0:
                del lines[at]
            case 1:
                lines.insert(dice.randrange(len(lines)), line)
            case 2:
                head, colon, _ = line.partition(":")
                lines[at] = f"{head}{colon} {dice.choice(WORDS)}"
            case 3:
                word = dice.choice(line.replace("{", " ").replace(",", " ").split() or [""])
                lines[at] = line.replace(word, dice.choice(WORDS), 1)
            case 4:
                lines[at] = " " * dice.randrange(9) + line.lstrip()
            case 5:
                place = dice.randrange(len(line) + 1)
                lines[at] = line[:place] + dice.choice(WORDS) + line[place + dice.randrange(3) :]
            case 6:
                other = dice.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 7 | 8:  # a number or a word of the contract by another one
                words = re.findall(r"[\w.^$\[\]+-]+", text)
                lines[at] = line.replace(
                    dice.choice(re.findall(r"[\w.-]+", line) or [""]), dice.choice(words), 1
                )
            case 9:
                lines[at:] = [line[: dice.randrange(len(line) + 1)]]
        if not lines:
            return ""
    return "\n".join(lines)


def outcome(text: str, source: Source, around: Surroundings, folder: Path) -> str:
    """What comes of a contract: `refused`, `audited`, `split`, or `no table`; any other error is a fault."""
    raw = text.encode("utf-8", "surrogatepass")
    loaded = load_contract(raw, "contracts/p.make.people.yaml")
    lines = raw.count(b"\n") + 2
    for problem in loaded.problems:
        assert problem.message, text
        assert "\n" not in problem.message, text
        assert 0 <= problem.line <= lines, text
    if loaded.problems:
        return "refused"
    try:
        found = audit(loaded.contract, source, around)
    except NoTable:
        return "no table"
    json.dumps(found.to_json(), allow_nan=False)
    assert Audit.from_json(json.loads(json.dumps(found.to_json()))) == found
    for check in found.checks:
        assert bool(check.message) is (check.outcome is not Outcome.PASSED), (text, check)
    if not needs_split(loaded.contract, found):
        return "audited"
    target = Target(
        good=folder / "good.csv", rejected=folder / "bad.parquet", dataset="p.make.people", run="r"
    )
    try:
        parts = split(loaded.contract, found, source, target, around)
    except QueryFailed:
        return "no table"
    good = len(pd.read_csv(target.good, dtype=str))
    assert good + parts.rejected == found.rows, text
    return "split"


def test_mutated_contracts_are_told_or_audited(tmp_path: Path) -> None:
    people, names = tmp_path / "people.csv", tmp_path / "names.csv"
    rows = [
        ("1", "ann", "20.5", "bird", "2026-11-01"),
        ("2", "bob", "1048", "cat", "x"),
        ("2", "cyd", "", "dog", ""),
    ]
    people.write_text("\n".join(["id,name,speed,kind,day", *map(",".join, rows)]) + "\n")
    names.write_text("name\nann\nbob\n")
    spill, folder = tmp_path / "spill", tmp_path / "parts"
    spill.mkdir()
    folder.mkdir()
    around = Surroundings(
        spill=spill, neighbours={"p.known.names": source_of(names)}, now=1_796_000_000.0, query_seconds=5.0
    )
    source = source_of(people)
    assert outcome(WHOLE, source, around, folder) == "split", "without a mistake"
    dice = random.Random(SEED)
    found: dict[str, int] = {}
    count = amount(150, 5_000)
    for _ in range(count):
        text = mutated(WHOLE, dice)
        came = outcome(text, source, around, folder)
        found[came] = found.get(came, 0) + 1
    assert found.get("refused", 0) > count / 4
    assert found.get("audited", 0) + found.get("split", 0) > count / 20
    figure("mutated contracts", f"{count}: {', '.join(f'{n} {name}' for name, n in sorted(found.items()))}")

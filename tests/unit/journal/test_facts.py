"""Facts out of a journal: which fraction of rows fails, by what the auditor really finds; and what is not read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from journals import alter, started
from measured import DAY, HOUR, NOW, Did, History
from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.contracts.audit import audit
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import Surroundings
from stagebook.indicators.facts import FactStage
from stagebook.journal.facts import failing_fraction
from stagebook.journal.journal import Journal
from stagebook.tables.source import source_of

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.clean.out
version: 1.0.0
schema:
  - name: out
    properties:
      - {name: id, logicalType: integer, required: true, unique: true}
      - {name: delay, logicalType: number, logicalTypeOptions: {maximum: 5}}
      - name: kind
        logicalType: string
        quality:
          - {metric: nullValues, mustBeLessThan: 90, unit: percent}
          - {type: sql, query: "SELECT count(*) FROM ${table}", mustBe: 10, name: counted}
      - {name: t, logicalType: timestamp}
      - {name: gone, logicalType: string, required: true}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 100, name: many}
slaProperties: [{property: freshness, value: 2, unit: h, element: out.t}]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The audit of 10 rows: 2 ids repeat, 3 delays are too large, 4 kinds are missing, of 90 % that may be."""
    folder = tmp_path_factory.mktemp("audit")
    frame = pd.DataFrame(
        {
            "id": [1, 1, 1, *range(4, 11)],
            "delay": [6.0] * 3 + [0.0] * 7,
            "kind": [None] * 4 + ["a"] * 6,
            "t": pd.Timestamp("1970-01-01 00:00:00"),
        }
    )
    frame.to_parquet(folder / "out.parquet")
    loaded = load_contract(CONTRACT, "c.yaml")
    assert loaded.problems == ()
    (folder / "spill").mkdir()
    return audit(loaded.contract, source_of(folder / "out.parquet"), Surroundings(spill=folder / "spill"))


def fraction_of(check: CheckResult, rows: int) -> float:
    return failing_fraction(check.outcome, check.columns, check.figure, rows)


def kept(found: Audit) -> dict[str, CheckResult]:
    """The checks as a journal keeps them, by their rules."""
    return {check.rule: check for check in Audit.from_json(found.to_json()).checks}


@pytest.mark.parametrize(
    ("rule", "fraction"),
    [
        ("id.unique", 0.2),
        ("id.required", 0.0),
        ("delay.range", 0.3),
        ("kind.nullValues", 0.4),  # it holds, and so many break it all the same
        ("counted", 0.0),  # a query gives a number that is no count of rows
        ("t.freshness", 1.0),
        ("gone.required", 1.0),
        ("many", 1.0),
    ],
)
def test_the_fraction_of_rows_that_fail(found: Audit, rule: str, fraction: float) -> None:
    checks = kept(found)
    assert rule in checks, sorted(checks)
    assert fraction_of(checks[rule], found.rows) == pytest.approx(fraction)


def test_a_fraction_lies_within_0_and_1() -> None:
    wild = CheckResult(
        rule="r", text="", severity=Severity.FAIL, outcome=Outcome.BROKEN, figure=30, columns=("x",)
    )
    assert fraction_of(wild, 10) == 1.0
    assert fraction_of(wild, 0) == 1.0


def test_pipelines_that_ever_ran(journal: Journal) -> None:
    assert journal.facts.pipelines() == []
    journal.append([started("a", "q"), started("b", "p"), started("c", "p")])
    assert journal.facts.pipelines() == ["p", "q"]


def test_an_empty_journal_has_no_facts(journal: Journal) -> None:
    facts = journal.facts.read(0.0, [])
    assert not any((facts.runs, facts.stages, facts.notes, facts.deployments, facts.firings, facts.incidents))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_of_what_was_before_only_the_last_good_run_is_read(history: History) -> None:
    """One for each pipeline, for it says how fresh a result was when the stretch began."""
    for day in (9, 8, 7):
        history.run(f"p{day}", NOW - day * DAY, {"load": Did()})
        history.run(f"q{day}", NOW - day * DAY, pipeline="q")
    history.run("now", NOW - HOUR)
    facts = history.journal.facts.read(NOW - DAY, [])
    assert {run.id for run in facts.runs} == {"p7", "q7", "now"}
    assert facts.stages == []
    history.close()


def test_plans_are_not_read(history: History) -> None:
    """A plan that is no JSON any more is noticed by nobody who does not read it."""
    history.run("r", NOW - HOUR, {"load": Did(seconds=5)})
    alter(history.journal.path, "UPDATE events SET data = 'no plan' WHERE type = 'RunStarted'")
    facts = history.journal.facts.read(NOW - DAY, [])
    assert [run.id for run in facts.runs] == ["r"]
    expected = FactStage(pipeline="p", stage="load", at=NOW - HOUR + 600, attempt=1, outputs=("rows",))
    assert facts.stages == [expected]
    history.close()


def test_audits_that_cannot_be_read_are_none(history: History) -> None:
    history.run("r", NOW - HOUR, {"load": Did()})
    alter(
        history.journal.path,
        """UPDATE events SET data = json_set(data, '$.audits', json('{"rows": {"checks": 7}}')) WHERE stage = 'load'""",
    )
    (stage,) = history.journal.facts.read(NOW - DAY, []).stages
    assert (stage.audits, stage.covered) == ((), ())
    history.close()

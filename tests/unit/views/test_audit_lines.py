"""What contracts came to, for a person."""

from __future__ import annotations

from typing import Any

from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.views.audit_lines import audit_lines, broken_checks, in_short


def check(severity: Severity, at: int, **options: Any) -> CheckResult:
    rule, text, message = f"rule-{at}", f"speed ≤ {at}", "2 rows do not"
    return CheckResult(
        rule=rule, text=text, severity=severity, outcome=Outcome.BROKEN, message=message, line=at, **options
    )


def audit(*checks: CheckResult, rejected: int = 0) -> Audit:
    return Audit(
        dataset="people", contract="c.yaml", version="1", digest="", rows=9, checks=checks, rejected=rejected
    )


def test_the_gravest_come_first_each_with_rows_that_break_it() -> None:
    rows = ({"id": 1, "speed": 49}, {"id": 2, "speed": 50})
    warned, apart = check(Severity.WARN, 3), check(Severity.QUARANTINE, 9, columns=("speed",), sample=rows)
    audits = {"people": audit(warned, apart, rejected=2)}
    first, second = broken_checks(audits)
    assert first.line == "! speed ≤ 9: 2 rows do not, kept in quarantine  (c.yaml:9)"
    assert first.rows == ("speed=49 id=1", "speed=50 id=2")
    assert (second.line[0], second.rows) == ("!", ())
    assert [*audit_lines(audits)] == [first.line, second.line]
    assert in_short(audits) == "2 rows in quarantine, 1 warning"


def test_of_many_the_last_line_says_how_many_more_there_are() -> None:
    audits = {"a": audit(*(check(Severity.WARN, at) for at in range(1, 8)))}
    assert [*broken_checks(audits)][-1].line == "  and 2 more checks that do not hold"

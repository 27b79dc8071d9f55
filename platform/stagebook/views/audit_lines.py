"""What contracts came to, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stagebook.audits import Audit, Audits, CheckResult, Severity
from stagebook.journal.history import StageRecord
from stagebook.views.formatting import plain, plural, value

_SHOWN = 5  # checks of a stage, and rows of a check
_SIGNS = {Severity.LOG: "·", Severity.WARN: "!", Severity.QUARANTINE: "!", Severity.FAIL: "✗"}


def audit_lines(audits: Audits) -> Iterator[str]:
    """What does not hold of the outputs of a stage, a line each; what is only logged is left out."""
    found = [
        (audit, check)
        for audit in audits.values()
        for severity in (Severity.FAIL, Severity.QUARANTINE, Severity.WARN)
        for check in audit.broken(severity)
    ]
    for audit, check in found[:_SHOWN]:
        kept = ", kept in quarantine" if check.severity is Severity.QUARANTINE and audit.rejected else ""
        place = f"{audit.contract}:{check.line}" if check.line else audit.contract
        yield f"{_SIGNS[check.severity]} {plain(f'{check.text}: {check.message}{kept}  ({place})')}"
    if len(found) > _SHOWN:
        yield f"  and {plural(len(found) - _SHOWN, 'more check')} that {'does' if len(found) == _SHOWN + 1 else 'do'} not hold"


def in_short(audits: Audits) -> str:
    """What a stage's contracts came to, in a few words; empty where all holds, or there is none."""
    words = []
    if failed := sum(len(audit.broken(Severity.FAIL)) for audit in audits.values()):
        words.append(f"{plural(failed, 'check')} failed")
    if rejected := sum(audit.rejected for audit in audits.values()):
        words.append(f"{plural(rejected, 'row')} in quarantine")
    elif set_apart := sum(len(audit.broken(Severity.QUARANTINE)) for audit in audits.values()):
        words.append(f"rows for quarantine by {plural(set_apart, 'check')}")
    if warned := sum(len(audit.broken(Severity.WARN)) for audit in audits.values()):
        words.append(plural(warned, "warning"))
    return ", ".join(words)


def failing_rows(stage: StageRecord) -> Iterator[str]:
    """Rows that break what made a stage fail, a line each."""
    for audit in stage.audits.values():
        yield from failing_rows_of(audit, (Severity.FAIL,))


def failing_rows_of(audit: Audit, severities: Iterable[Severity] = tuple(Severity)) -> Iterator[str]:
    """Rows that break checks of these severities, a line each below the check."""
    for check in [check for severity in severities for check in audit.broken(severity)][:_SHOWN]:
        yield f"{check.text}: {check.message}"
        yield from (f"  {_row(check, row)}" for row in check.sample[:_SHOWN])


def _row(check: CheckResult, row: Any) -> str:
    first = [name for name in check.columns if name in row]
    names = [*first, *(name for name in row if name not in first)]
    return value("  ".join(f"{name}={row[name]}" for name in names), 200)

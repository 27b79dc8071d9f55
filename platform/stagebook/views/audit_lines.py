"""What contracts came to, for a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from stagebook.audits import Audit, Audits, CheckResult, Severity
from stagebook.journal.history import StageRecord
from stagebook.views.formatting import plain, plural, value

_SHOWN = 5  # checks of a stage, and rows of a check
_SIGNS = {Severity.LOG: "·", Severity.WARN: "!", Severity.QUARANTINE: "!", Severity.FAIL: "✗"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCheck:
    """A check that does not hold.

    Args:
        line: its sign, what it says, what was found, and where it is written.
        rows: some rows that break it, a line each.
    """

    line: str
    rows: tuple[str, ...] = ()


def broken_checks(audits: Audits) -> Iterator[BrokenCheck]:
    """What does not hold of the outputs of a stage, the gravest first; what is only logged is left out. Of many, the last
    one says how many more there are."""
    found = [
        (audit, check)
        for audit in audits.values()
        for severity in (Severity.FAIL, Severity.QUARANTINE, Severity.WARN)
        for check in audit.broken(severity)
    ]
    for audit, check in found[:_SHOWN]:
        kept = ", kept in quarantine" if check.severity is Severity.QUARANTINE and audit.rejected else ""
        place = f"{audit.contract}:{check.line}" if check.line else audit.contract
        line = f"{_SIGNS[check.severity]} {plain(f'{check.text}: {check.message}{kept}  ({place})')}"
        yield BrokenCheck(line=line, rows=tuple(_rows(check)))
    if len(found) > _SHOWN:
        more = plural(len(found) - _SHOWN, "more check")
        yield BrokenCheck(line=f"  and {more} that {'does' if len(found) == _SHOWN + 1 else 'do'} not hold")


def audit_lines(audits: Audits) -> Iterator[str]:
    """The same as text, a line each, without rows."""
    yield from (check.line for check in broken_checks(audits))


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
        yield from (f"  {row}" for row in _rows(check))


def _rows(check: CheckResult) -> Iterator[str]:
    for row in check.sample[:_SHOWN]:
        first = [name for name in check.columns if name in row]
        names = [*first, *(name for name in row if name not in first)]
        yield value("  ".join(f"{name}={row[name]}" for name in names), 200)

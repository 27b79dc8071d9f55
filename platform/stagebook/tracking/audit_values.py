"""What MLflow is told of contracts: figures as metrics, versions and outcomes as tags."""

from __future__ import annotations

from typing import Any

from stagebook.audits import Audit, Audits, Outcome


def audit_metrics(audits: Audits) -> dict[str, float]:
    """By output: its rows, how many of them were put into quarantine, and how many checks do not hold."""
    found: dict[str, float] = {}
    for name, audit in audits.items():
        found[f"contract.{name}.rows"] = audit.rows
        found[f"contract.{name}.rejected_rows"] = audit.rejected
        found[f"contract.{name}.broken_checks"] = _broken(audit)
    return found


def audit_tags(audits: Audits) -> dict[str, Any]:
    """By output: the version of its contract, and the gravest severity of what does not hold."""
    tags: dict[str, Any] = {}
    for name, audit in audits.items():
        tags[f"contract.{name}.version"] = audit.version
        tags[f"contract.{name}.outcome"] = str(audit.worst() or Outcome.PASSED)
    return tags


def _broken(audit: Audit) -> int:
    return sum(check.outcome is not Outcome.PASSED for check in audit.checks)

"""What the contract of a dataset came to: values that the journal keeps and that everything else shows."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any


class Severity(enum.StrEnum):
    """What a rule that does not hold comes to.

    `log`: it is kept. `warn`: it is shown everywhere. `fail`: the stage fails, and nothing is published. `quarantine`:
    the rows that break it are kept apart, and the others are published.
    """

    LOG = "log"
    WARN = "warn"
    QUARANTINE = "quarantine"
    FAIL = "fail"


class Outcome(enum.StrEnum):
    """What a rule came to: it holds; it does not; it could not be checked, which is as bad as the latter."""

    PASSED = "passed"
    BROKEN = "broken"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a rule came to.

    Args:
        figure: what was measured: the rows that break the rule, else the figure that it is about.
        message: what is wrong, in one sentence; empty where the rule holds.
        sample: some of the rows that break it, by column; personal values are masked.
    """

    rule: str
    text: str
    severity: Severity
    outcome: Outcome
    figure: float | None = None
    message: str = ""
    line: int = 0
    columns: tuple[str, ...] = ()
    sample: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The check as plain data."""
        return {**dataclasses.asdict(self), "columns": list(self.columns), "sample": list(self.sample)}


def check_from_json(data: Mapping[str, Any]) -> CheckResult:
    """The check that `to_json` made. Raises `ValueError` where it is none."""
    try:
        typed = {
            "severity": Severity(data["severity"]),
            "outcome": Outcome(data["outcome"]),
            "columns": tuple(data.get("columns", ())),
            "sample": tuple(data.get("sample", ())),
        }
        return CheckResult(**{**data, **typed})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a check: {data!r:.80}") from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a contract came to for one version of its dataset. `seconds`: how long it took. `rejected`: the rows that
    were put into quarantine, `released`: those that were not, because a person admitted them. `related`: what the
    other datasets held that its rules ask for, by name (`Artifact.content`). `personal`: columns whose values are never shown."""

    dataset: str
    contract: str
    version: str
    digest: str
    rows: int
    checks: tuple[CheckResult, ...]
    seconds: float = 0.0
    rejected: int = 0
    released: int = 0
    related: Mapping[str, str] = dataclasses.field(default_factory=dict)
    personal: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The audit as plain data."""
        checks = [check.to_json() for check in self.checks]
        return {**dataclasses.asdict(self), "checks": checks}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Audit:
        """The audit that `to_json` made. Raises `ValueError` where it is none."""
        try:
            checks = tuple(check_from_json(check) for check in data["checks"])
            lists = {name: tuple(data.get(name, ())) for name in ("personal", "not_checked")}
            return cls(**{**data, "checks": checks, **lists})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an audit: {data!r:.80}") from error

    def worst(self) -> Severity | None:
        """The gravest severity of what does not hold; `None` where all does."""
        order = list(Severity)
        broken = [found.severity for found in self.checks if found.outcome is not Outcome.PASSED]
        return max(broken, key=order.index, default=None)

    def broken(self, severity: Severity) -> list[CheckResult]:
        """What does not hold, of one severity."""
        return [
            found
            for found in self.checks
            if found.outcome is not Outcome.PASSED and found.severity is severity
        ]


Audits = Mapping[str, Audit]  # by the name of the output


def audits_to_json(audits: Audits) -> dict[str, Any]:
    """The audits as plain data."""
    return {name: audit.to_json() for name, audit in audits.items()}


def audits_from_json(data: Mapping[str, Any]) -> dict[str, Audit]:
    """The audits that `audits_to_json` made. Raises `ValueError` where it is none."""
    return {name: Audit.from_json(item) for name, item in data.items()}

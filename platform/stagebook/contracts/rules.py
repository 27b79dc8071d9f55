"""What the readers of rules have in common: where they report, what a rule gets that names no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from stagebook.audits import Severity
from stagebook.contracts.contract import Bound, Column, RowRule
from stagebook.pipeline.model import Location
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import describe

SYNONYMS = {"info": Severity.LOG, "warning": Severity.WARN, "error": Severity.FAIL}
"""The standard's own examples of severities."""


@dataclasses.dataclass(frozen=True, slots=True)
class RuleContext:
    """Where rules of one table are read. `severity` is that of rules that name none; what is told and not checked is added
    to `not_checked`."""

    problems: ProblemCollector
    columns: Mapping[str, Column]
    severity: Severity
    not_checked: list[str]

    @property
    def report(self) -> Any:
        """`ProblemCollector.report`."""
        return self.problems.report

    @property
    def report_all(self) -> Any:
        """`ProblemCollector.report_all`."""
        return self.problems.report_all

    def number(self, value: Any, location: Location) -> int | float | None:
        """The value, if it is a number; reported where it is none."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        self.report(location, f"expected a number, got {describe(value)}")
        return None

    def row(
        self,
        name: str,
        text: str,
        location: Location,
        good: str,
        columns: tuple[str, ...],
        bound: Bound | None = None,
    ) -> RowRule:
        """A rule about each row; `good` is the condition of SQL that it fulfils."""
        rule = RowRule(
            name=name, text=text, severity=self.severity, location=location, columns=columns, good=good
        )
        return rule if bound is None else dataclasses.replace(rule, bound=bound)


def severity_of(value: Any, problems: ProblemCollector, location: Location) -> Severity | None:
    """The severity that a file names; reported where it is none."""
    if value in SYNONYMS:
        return SYNONYMS[value]
    try:
        return Severity(value)
    except ValueError:
        problems.report(location, f"no severity: {value!r}", f"it is one of {', '.join(Severity)}")
        return None


def listed(value: Any) -> tuple[str, ...]:
    """One text, or a list of them, as a list."""
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)

"""What continuous integration came to, as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from stagebook.comparing.compare import Pair
from stagebook.comparing.difference import Difference

Outcome = Literal["passed", "warned", "failed", "skipped"]
Group = Literal["check", "stage", "contract", "test"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CiCheck:
    """One thing that was held against what is wanted.

    Args:
        group: a mistake in a file, a stage that ran, a check of a contract, a test of a notebook.
        suite: the pipeline, or the file of the test.
        message: in a sentence, what is wrong, or why it was skipped.
        details: more of it, such as a traceback, or rows that break a check.
        seconds: how long it took.
    """

    group: Group
    suite: str
    name: str
    outcome: Outcome
    message: str = ""
    details: str = ""
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CiReport:
    """What continuous integration came to.

    Args:
        against: the environment that it was compared with; empty without one.
        environment: where it ran; `dev` is the working tree.
        runs: the runs by pipeline.
        difference: `None` where there was nothing to compare, and `remark` says why.
        images: those that differ, as `Comparer.images`.
        baseline: what it was compared with, where that is not what the environment shows.
    """

    against: str = ""
    environment: str = ""
    checks: tuple[CiCheck, ...] = ()
    runs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    difference: Difference | None = None
    images: Mapping[str, list[Pair]] = dataclasses.field(default_factory=dict)
    baseline: str = ""
    remark: str = ""

    def count(self, outcome: Outcome) -> int:
        """How many checks came to this."""
        return sum(1 for check in self.checks if check.outcome == outcome)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.count("failed")

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, without images."""
        return {
            "passed": self.passed,
            "against": self.against,
            "environment": self.environment,
            "baseline": self.baseline,
            "runs": dict(self.runs),
            "remark": self.remark,
            "checks": [dataclasses.asdict(check) for check in self.checks],
            "difference": self.difference.to_json() if self.difference is not None else None,
        }

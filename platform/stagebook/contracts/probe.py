"""What an audit works on: a dataset as a table, with what stands around it; and what a rule came to, as a value."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.audits import CheckResult, Outcome, Severity
from stagebook.contracts.contract import Contract, Rule
from stagebook.contracts.typing import typed_columns
from stagebook.tables import sql
from stagebook.tables.duck import Connection
from stagebook.tables.source import Source, source_of

TABLE = "table"  # what the dataset is called in queries: ${table}
QUERY_SECONDS = 300.0  # that a query which a person wrote may take
SHOWN_COLUMNS = 20  # of each of these
SAMPLE = 5  # rows that show what breaks a rule
MASK = "•••"

Call = Callable[[str, Any], Any]
"""Calls a function of the project, by its target, with a DataFrame."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an audit works with.

    Args:
        spill: an empty folder for what does not fit into memory.
        neighbours: other datasets of the project by name, those that the rules mention at least.
        call: calls functions of the project; without it they cannot be checked.
        now: seconds since the epoch, for freshness; the present by default.
        query_seconds: how long one query that a person wrote may take.
    """

    spill: Path
    neighbours: Mapping[str, Source] = dataclasses.field(default_factory=dict)
    call: Call | None = None
    now: float | None = None
    query_seconds: float = QUERY_SECONDS


def masked(row: Mapping[str, Any], personal: Collection[str]) -> dict[str, Any]:
    """A row whose personal values are not shown."""
    return {name: MASK if name in personal and value is not None else value for name, value in row.items()}


def neighbours_at(
    root: Path, related: Mapping[str, Sequence[str]], moved: Mapping[str, str] | None = None
) -> dict[str, Source]:
    """The datasets that rules ask for, by name, as far as they are there. `related` has their paths, `moved` where some of
    these are instead. Raises `NoTable`."""
    found = {}
    for dataset, paths in related.items():
        places = [root / (moved or {}).get(path, path) for path in paths]
        there = [place for place in places if place.exists()]
        if there:
            found[dataset] = source_of(there[0])
    return found


class Probe:
    """A dataset that is audited: `columns` with their types in the file, `typed` with the expressions of SQL for their values
    as the contract types them, and the number of `rows`, once it is known. In SQL it is called `raw`, and `TABLE` typed."""

    def __init__(
        self, contract: Contract, source: Source, connection: Connection, around: Surroundings
    ) -> None:
        self.contract = contract
        self.connection = connection
        self.around = around
        self.now = time.time() if around.now is None else around.now
        self.columns = connection.columns("raw")
        self.typed = typed_columns(contract.columns, self.columns, is_text=source.is_text)
        connection.do(f"CREATE VIEW {sql.name(TABLE)} AS SELECT {self.listed()} FROM raw")
        self.rows = 0

    def listed(self) -> str:
        """The typed columns, as SQL selects them."""
        return ", ".join(f"{expression} AS {sql.name(name)}" for name, expression in self.typed.items())

    def holds(self, rule: Rule, count: int) -> bool:
        """Whether so many rows may break a rule."""
        if rule.bound.percent:
            return rule.bound.holds(100 * count / self.rows if self.rows else 0)
        return rule.bound.holds(count)

    def check(
        self,
        rule: Rule,
        good: bool | Outcome,  # noqa: FBT001 - or what else it came to
        *,
        figure: float | None = None,
        message: str = "",
        sample: Sequence[Mapping[str, Any]] = (),
    ) -> CheckResult:
        """What a rule came to."""
        outcome = good if isinstance(good, Outcome) else Outcome.PASSED if good else Outcome.BROKEN
        severity = rule.severity
        if severity is Severity.QUARANTINE and (outcome is Outcome.ERROR or figure is None):
            severity = Severity.FAIL  # there are no rows to keep apart
        return CheckResult(
            rule=rule.name,
            text=rule.text,
            severity=severity,
            outcome=outcome,
            figure=figure,
            message=message,
            line=self.contract.positions.get(rule.location, (0, 0))[0],
            columns=rule.columns,
            sample=tuple(self._masked(rule, row) for row in sample),
        )

    def _masked(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row as it is shown: the columns of the rule and some others, without personal values."""
        shown = [*rule.columns, *(name for name in row if name not in rule.columns)][:SHOWN_COLUMNS]
        return {
            name: MASK if name in self.contract.personal and row[name] is not None else _plain(row[name])
            for name in shown
            if name in row
        }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, str) else value[:200]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)[:200]

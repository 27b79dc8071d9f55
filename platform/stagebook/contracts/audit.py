"""A contract held against a dataset: one scan for what concerns rows, a query for each other rule.

What a rule comes to is a `CheckResult`. Values of columns that are marked as personal are never part of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.audits import Audit, CheckResult, Outcome
from stagebook.contracts.contract import ColumnRule, ColumnsRule, Contract, RowRule, Rule
from stagebook.contracts.probe import SAMPLE, Probe, Surroundings
from stagebook.contracts.table_checks import check_table
from stagebook.contracts.typing import RECORD, physical_matches, unreadable
from stagebook.tables import sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, Source


def audit(contract: Contract, source: Source, around: Surroundings) -> Audit:
    """Hold a contract against a dataset. Raises `NoTable` where that cannot be read."""
    began = time.monotonic()
    with Connection({"raw": source, **around.neighbours}, spill=around.spill) as connection:
        try:
            probe = Probe(contract, source, connection, around)
            checks = _Auditor(probe).run()
        except QueryFailed as error:
            raise NoTable(str(error)) from error
    return audit_of(contract, probe.rows, checks, seconds=time.monotonic() - began)


def audit_of(contract: Contract, rows: int, checks: Sequence[CheckResult], *, seconds: float = 0.0) -> Audit:
    """The audit that these results of a contract's rules make."""
    return Audit(
        dataset=contract.dataset,
        contract=contract.path,
        version=contract.version,
        digest=contract.digest,
        rows=rows,
        checks=tuple(checks),
        seconds=seconds,
        personal=contract.personal,
        not_checked=contract.not_checked,
    )


class _Auditor:
    """One audit."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._contract = probe.contract
        self._connection = probe.connection
        self._columns = probe.columns

    def run(self) -> list[CheckResult]:
        """What each rule came to."""
        found = {
            rule.name: self._of_columns(rule)
            for rule in self._contract.rules
            if isinstance(rule, ColumnRule | ColumnsRule)
        }
        conditions = self._conditions(found)
        counts = self._scan(conditions, found)
        for rule in self._contract.rules:
            if found.get(rule.name) is not None:
                continue
            if rule.name in conditions:
                found[rule.name] = self._of_rows(rule, counts[rule.name], conditions[rule.name])
            else:
                found[rule.name] = check_table(self._probe, rule)
        return [check for rule in self._contract.rules if (check := found[rule.name]) is not None]

    def _of_columns(self, rule: Rule) -> CheckResult | None:
        """What the names and types of the columns show; `None` where the values have to be looked at."""
        if isinstance(rule, ColumnsRule):
            more = [name for name in self._columns if name not in self._contract.columns]
            message = f"the contract does not name {_listed(more)}" if more else ""
            return self._probe.check(rule, not more, figure=len(more), message=message)
        assert isinstance(rule, ColumnRule)
        name = rule.columns[0]
        if name not in self._columns:
            close = f"; there is {_listed(list(self._columns))}" if len(self._columns) <= 20 else ""
            return self._probe.check(rule, good=False, message=f"there is no column {name}{close}")
        kind = self._columns[name]
        matches = physical_matches(kind, rule.logical, rule.physical)
        if matches is None or (rule.logical and self._probe.typed[name] != sql.name(name)):
            return None
        return self._probe.check(rule, matches, message="" if matches else f"{name} is {kind}")

    def _conditions(self, found: Mapping[str, CheckResult | None]) -> dict[str, str]:
        """By rule, the condition of SQL that a row fulfils which breaks it; those that can be put so."""
        conditions: dict[str, str] = {}
        for rule in self._contract.rules:
            if any(name not in self._columns for name in rule.columns):
                continue
            if isinstance(rule, RowRule):
                conditions[rule.name] = f"NOT coalesce(({rule.good}), true)"
            elif isinstance(rule, ColumnRule) and found[rule.name] is None:
                name = rule.columns[0]
                conditions[rule.name] = unreadable(name, self._columns[name])
        return conditions

    def _scan(self, conditions: dict[str, str], found: dict[str, CheckResult | None]) -> dict[str, int]:
        """How many rows fulfil each condition, and how many rows there are, in one pass. A condition that is no SQL is
        told and left out."""
        rules = {rule.name: rule for rule in self._contract.rules}
        while True:
            asked = ", ".join(
                ["count(*)", *(f"count(*) FILTER (WHERE {text})" for text in conditions.values())]
            )
            try:
                row = self._connection.rows(f"SELECT {asked} FROM {self._from()}")[0]
            except QueryFailed:
                bad = self._bad(conditions)
                if not bad:
                    raise
                for name, reason in bad.items():
                    del conditions[name]
                    found[name] = self._probe.check(
                        rules[name], Outcome.ERROR, message=f"it cannot be checked: {reason}"
                    )
                continue
            self._probe.rows = row[0]
            return dict(zip(conditions, row[1:], strict=True))

    def _bad(self, conditions: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for name, text in conditions.items():
            try:
                self._connection.rows(f"SELECT count(*) FILTER (WHERE {text}) FROM {self._from()}")
            except QueryFailed as error:
                found[name] = str(error)
        return found

    def _from(self) -> str:
        return f"(SELECT {RECORD}, {self._probe.listed()} FROM raw AS {RECORD})"

    def _of_rows(self, rule: Rule, count: int, condition: str) -> CheckResult:
        sample: Sequence[Mapping[str, Any]] = ()
        good = self._probe.holds(rule, count)
        if count:
            sample = self._connection.named_rows(
                f"SELECT unnest({RECORD}) FROM {self._from()} WHERE {condition} LIMIT {SAMPLE}"
            )
        return self._probe.check(
            rule, good, figure=count, message=self._told(rule, count, good), sample=sample
        )

    def _told(self, rule: Rule, count: int, good: bool) -> str:  # noqa: FBT001 - told at once
        if good:
            return ""
        share = (
            f" ({100 * count / self._probe.rows:.3g} %)" if self._probe.rows and rule.bound.percent else ""
        )
        return f"{count:,} of {self._probe.rows:,} rows{share} break it"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown or "no column"

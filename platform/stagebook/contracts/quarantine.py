"""Rows that break rules, set apart from the others: what is published holds the good ones, and a Parquet file the rest, each
with the rules that it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stagebook.audits import Audit, Outcome, Severity
from stagebook.contracts.contract import ColumnRule, Contract, KeyRule, Policy, RowRule, Rule, UniqueRule
from stagebook.contracts.probe import Surroundings
from stagebook.contracts.typing import typed_columns, unreadable
from stagebook.tables import sql
from stagebook.tables.duck import Connection
from stagebook.tables.source import Format, Source

BROKEN = "_broken"  # of a rejected row: the names of the rules that it breaks
ROW = "_row"  # and its number in what the stage wrote, from 1


def needs_split(contract: Contract, found: Audit) -> bool:
    """Whether what is published is not what the stage wrote: rows are rejected, or columns left out."""
    return bool(_rules(contract, found)) or contract.policy is Policy.DISCARD


def split(
    contract: Contract,
    found: Audit,
    source: Source,
    good: Path,
    rejected: Path,
    around: Surroundings,
) -> int:
    """Write the good rows in the format of the dataset, and those that break a rule of the severity `quarantine`; how
    many there are of the latter. Their order stays.

    Raises:
        NoTable: the dataset cannot be read.
        QueryFailed: it cannot be written.
    """
    rules = _rules(contract, found)
    with Connection(
        {"raw": source, **around.neighbours}, spill=around.spill, writes=(good, rejected)
    ) as connection:
        columns = connection.columns("raw")
        kept = [name for name in columns if contract.policy is not Policy.DISCARD or name in contract.columns]
        typed = typed_columns(contract.columns, columns, is_text=source.is_text)
        listed = ", ".join(f"{expression} AS {sql.name(name)}" for name, expression in typed.items())
        connection.do(f"CREATE VIEW numbered AS SELECT row_number() OVER () AS {ROW}, raw FROM raw")
        connection.do(
            f"CREATE VIEW typed AS SELECT {ROW}, raw, {listed} FROM (SELECT {ROW}, raw, unnest(raw) FROM numbered)"
        )
        broken = ", ".join(
            f"CASE WHEN {_condition(rule, columns)} THEN {sql.literal(rule.name)} END" for rule in rules
        )
        broken = f"list_filter([{broken}], lambda rule: rule IS NOT NULL)" if rules else "[]::VARCHAR[]"
        connection.do(
            f"CREATE TEMP TABLE judged AS SELECT * FROM (SELECT {ROW}, {broken} AS {BROKEN} FROM typed) WHERE len({BROKEN}) > 0"
        )
        if rules:
            connection.do(
                f"COPY (SELECT judged.{ROW}, judged.{BROKEN}, unnest(numbered.raw) FROM numbered JOIN judged USING ({ROW})"
                f" ORDER BY {ROW}) TO {sql.literal(str(rejected))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
            )
        chosen = ", ".join(f"raw.{sql.name(name)} AS {sql.name(name)}" for name in kept)
        connection.do(
            f"COPY (SELECT {chosen} FROM numbered WHERE {ROW} NOT IN (SELECT {ROW} FROM judged)"
            f" ORDER BY {ROW}) TO {sql.literal(str(good))} ({_options(source)})"
        )
        return int(connection.rows("SELECT count(*) FROM judged")[0][0])


def _rules(contract: Contract, found: Audit) -> list[Rule]:
    names = {
        check.rule
        for check in found.checks
        if check.severity is Severity.QUARANTINE and check.outcome is Outcome.BROKEN
    }
    return [rule for rule in contract.rules if rule.name in names]


def _condition(rule: Rule, kinds: Mapping[str, str]) -> str:
    """The condition of SQL that a row fulfils which breaks a rule."""
    match rule:
        case RowRule():
            return f"NOT coalesce(({rule.good}), true)"
        case ColumnRule():
            return unreadable(rule.columns[0], kinds[rule.columns[0]])
        case UniqueRule():
            listed = sql.names(rule.columns)
            present = " AND ".join(f"{sql.name(name)} IS NOT NULL" for name in rule.columns)
            return f"({present} AND row_number() OVER (PARTITION BY {listed} ORDER BY {ROW}) > 1)"
        case KeyRule():
            pairs = zip(rule.columns, rule.key, strict=True)
            same = " AND ".join(f"there.{sql.name(key)} = typed.{sql.name(own)}" for own, key in pairs)
            present = " AND ".join(f"typed.{sql.name(name)} IS NOT NULL" for name in rule.columns)
            there = f"SELECT 1 FROM {sql.name(rule.dataset)} AS there WHERE {same}"
            return f"({present} AND NOT EXISTS ({there}))"
    raise AssertionError(rule)


def _options(source: Source) -> str:
    match source.format:
        case Format.CSV:
            return "FORMAT csv, HEADER true, USE_TMP_FILE false"
        case Format.JSON:
            return "FORMAT json, USE_TMP_FILE false"
    return "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"

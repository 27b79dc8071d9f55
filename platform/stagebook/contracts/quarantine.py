"""Rows that break rules, set apart from the others: what is published holds the good ones, and a Parquet file the rest, each
with the rules that it breaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagebook.audits import Audit, Outcome, Severity
from stagebook.contracts.contract import ColumnRule, Contract, KeyRule, Policy, RowRule, Rule, UniqueRule
from stagebook.contracts.probe import Surroundings
from stagebook.contracts.typing import RECORD, typed_columns, unreadable
from stagebook.tables import sql
from stagebook.tables.duck import Connection
from stagebook.tables.source import Format, Source

BROKEN = "stagebook_broken"  # of a rejected row: the names of the rules that it breaks
ROW = "stagebook_row"  # its number in what the stage wrote, from 1
ID = "stagebook_id"  # SHA-256 of the row as JSON, in hex, by which it is released
SOURCE = "stagebook_source"  # the dataset that it is of, with the instance
RUN = "stagebook_run"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How many rows are in quarantine, and how many are published though they break rules, since a person released them."""

    rejected: int
    released: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the parts go: files for the `good` rows and for the `rejected` ones, which note the `dataset`, with the instance,
    and the `run` that they are of."""

    good: Path
    rejected: Path
    dataset: str
    run: str


def needs_split(contract: Contract, found: Audit) -> bool:
    """Whether what is published is not what the stage wrote: rows are rejected, or columns left out."""
    return bool(_rules(contract, found)) or contract.policy is Policy.DISCARD


def split(
    contract: Contract,
    found: Audit,
    source: Source,
    target: Target,
    around: Surroundings,
) -> Split:
    """Write the good rows in the format of the dataset, and those that break a rule of the severity `quarantine` and are
    not released. Their order stays.

    Raises:
        NoTable: the dataset cannot be read.
        QueryFailed: it cannot be written.
    """
    rules = _rules(contract, found)
    with Connection(
        {"raw": source, **around.neighbours}, spill=around.spill, writes=(target.good, target.rejected)
    ) as connection:
        _judge(connection, contract, rules, is_text=source.is_text)
        if rules:
            labels = f"{sql.literal(target.dataset)} AS {SOURCE}, {sql.literal(target.run)} AS {RUN}"
            connection.do(
                f"COPY (SELECT judged.*, {labels}, unnest(numbered.{RECORD})"
                f" FROM numbered JOIN (SELECT * EXCLUDE released FROM judged WHERE NOT released) AS judged USING ({ROW})"
                f" ORDER BY {ROW}) TO {sql.literal(str(target.rejected))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
            )
        columns = connection.columns("raw")
        kept = [name for name in columns if contract.policy is not Policy.DISCARD or name in contract.columns]
        chosen = ", ".join(f"{RECORD}.{sql.name(name)} AS {sql.name(name)}" for name in kept)
        connection.do(
            f"COPY (SELECT {chosen} FROM numbered WHERE {ROW} NOT IN (SELECT {ROW} FROM judged WHERE NOT released)"
            f" ORDER BY {ROW}) TO {sql.literal(str(target.good))} ({_options(source)})"
        )
        row = connection.rows(
            "SELECT count(*) FILTER (NOT released), count(*) FILTER (released) FROM judged"
        )[0]
        return Split(rejected=int(row[0]), released=int(row[1]))


def passing(contract: Contract, found: Audit, source: Source, rejected: Source, around: Surroundings) -> int:
    """How many rows of an earlier quarantine would be published now; `found` is the audit of what the stage wrote, `source`,
    against the contract as it is now.

    Raises:
        NoTable: one of them cannot be read.
        QueryFailed: the rows cannot be judged.
    """
    tables = {"raw": source, "rejected": rejected, **around.neighbours}
    with Connection(tables, spill=around.spill) as connection:
        _judge(connection, contract, _rules(contract, found), is_text=source.is_text)
        still = f"SELECT {ROW} FROM judged WHERE NOT released"
        return int(connection.rows(f"SELECT count(*) FROM rejected WHERE {ROW} NOT IN ({still})")[0][0])


def _judge(connection: Connection, contract: Contract, rules: Sequence[Rule], *, is_text: bool) -> None:
    """Make the view `numbered`, of all rows; and the table `judged`, of those that break one of the rules: which, their
    ids, and whether they are released."""
    columns = connection.columns("raw")
    typed = typed_columns(contract.columns, columns, is_text=is_text)
    listed = ", ".join(f"{expression} AS {sql.name(name)}" for name, expression in typed.items())
    connection.do(
        f"CREATE VIEW numbered AS SELECT row_number() OVER () AS {ROW}, {RECORD} FROM raw AS {RECORD}"
    )
    connection.do(
        f"CREATE VIEW typed AS SELECT {ROW}, {RECORD}, {listed} FROM (SELECT {ROW}, {RECORD}, unnest({RECORD}) FROM numbered)"
    )
    broken = ", ".join(
        f"CASE WHEN {_condition(rule, columns)} THEN {sql.literal(rule.name)} END" for rule in rules
    )
    broken = f"list_filter([{broken}], lambda rule: rule IS NOT NULL)" if rules else "[]::VARCHAR[]"
    connection.do("CREATE TEMP TABLE released (row VARCHAR, rules VARCHAR[])")
    if contract.released:
        values = (f"({sql.literal(row)}, {_texts(rules)})" for row, rules in contract.released.items())
        connection.do(f"INSERT INTO released VALUES {', '.join(values)}")
    found = f"SELECT * FROM (SELECT {ROW}, {RECORD}, {broken} AS {BROKEN} FROM typed) WHERE len({BROKEN}) > 0"
    identified = f"SELECT {ROW}, {BROKEN}, sha256(to_json({RECORD})::VARCHAR) AS {ID} FROM ({found})"
    admitted = f"len(list_filter({BROKEN}, lambda rule: NOT list_contains(released.rules, rule))) = 0"
    connection.do(
        f"CREATE TEMP TABLE judged AS SELECT {ROW}, {BROKEN}, {ID}, released.row IS NOT NULL AND {admitted} AS released"
        f" FROM ({identified}) AS found LEFT JOIN released ON released.row = found.{ID}"
    )


def _texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(sql.literal, texts))}]"


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

"""Contracts, their tests on earlier versions, and rows in quarantine, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stagebook.audits import Audit, Severity
from stagebook.contracts.contract import FOLDER, Contract
from stagebook.runs.backtest import Tested
from stagebook.runs.quarantine import Prospect
from stagebook.views import formatting
from stagebook.views.audit_lines import audit_lines, failing_rows_of, in_short
from stagebook.views.formatting import plain, plural
from stagebook.views.tables import table_of

_STYLES = {Severity.FAIL: "red", Severity.QUARANTINE: "yellow", Severity.WARN: "yellow", Severity.LOG: "dim"}


def contracts(rows: Sequence[tuple[str, Contract | None, Audit | None]]) -> RenderableType:
    """Each output, with its contract and what that came to last; below it what contracts say and nothing checks."""
    table = table_of("output", "contract", "checks", "last result")
    for dataset, contract, audit in rows:
        if contract is None:
            table.add_row(Text(dataset), Text("none", style="dim"), "", "")
        else:
            pipeline, stage, output = dataset.split(".", 2)
            own = f"{FOLDER}/{pipeline}.{stage.partition('@')[0]}.{output}.yaml"
            shown = "its own" if contract.path == own else contract.path
            table.add_row(Text(dataset), shown, str(len(contract.rules)), _outcome(audit))
    found = {contract.path: contract.not_checked for _, contract, _ in rows if contract is not None}
    lines = (plain(f"{path}: not checked: {text}") for path, texts in found.items() for text in texts)
    return Group(table, *(Text(line, style="dim") for line in lines))


def _outcome(audit: Audit | None) -> Text:
    if audit is None:
        return Text("never audited", style="dim")
    worst = audit.worst()
    if worst is None:
        return Text(f"✓ all hold, {plural(audit.rows, 'row')}", style="green")
    sign = "✗" if worst is Severity.FAIL else "!"
    short = in_short({"": audit}) or "only what is logged does not hold"
    return Text(f"{sign} {short}", style=_STYLES[worst])


def tested(found: Sequence[Tested], now: float) -> RenderableType:
    """What a contract comes to for each version, the latest first, and below it what fired in the latest of these."""
    table = table_of("version of run", "stage", "made", "rows", "result")
    for one in found:
        version = one.version
        made = formatting.when(version.at, now)
        if one.audit is None:
            table.add_row(version.run, version.stage, made, "", Text(plain(one.problem), style="dim"))
        else:
            table.add_row(version.run, version.stage, made, f"{one.audit.rows:,}", _outcome(one.audit))
    left_out = [Text(f"not checked: {plain(text)}", style="dim") for text in _not_checked(found)]
    fired = next((one for one in found if one.audit is not None and one.audit.worst() is not None), None)
    if fired is None or fired.audit is None:
        return Group(table, *left_out)
    head = Text(f"\nin the version of {fired.version.run}, {fired.version.stage}:")
    lines = [Text(f"  {line}") for line in audit_lines({"": fired.audit})]
    rows = [Text(f"  {plain(line)}", style="dim") for line in failing_rows_of(fired.audit)]
    return Group(table, *left_out, head, *lines, *rows)


def _not_checked(found: Sequence[Tested]) -> tuple[str, ...]:
    return next((one.audit.not_checked for one in found if one.audit is not None), ())


def in_quarantine(found: Iterable[Prospect]) -> Table:
    """Outputs of which rows are in quarantine, and what becomes of these."""
    table = table_of("output", "rows", "pass now", "since the run", "checks")
    for one in found:
        rows = one.rows
        table.add_row(
            Text(f"{rows.pipeline}.{rows.name}"),
            f"{rows.rows:,}",
            Text(plain(one.problem), style="dim") if one.passing is None else f"{one.passing:,}",
            rows.run,
            Text(plain(", ".join(rows.rules))),
        )
    return table


def prospect(one: Prospect) -> Text:
    """What a run makes of rows in quarantine, in a line."""
    what = f"{one.rows.name}: of {plural(one.rows.rows, 'row')} in quarantine"
    if one.passing is None:
        return Text(plain(f"! {what}, nobody can say yet how many pass: {one.problem}"), style="yellow")
    return Text(f"! {what} {one.passing:,} now {'passes' if one.passing == 1 else 'pass'}", style="yellow")


def rows(found: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of a table, with their columns."""
    names = list(dict.fromkeys(name for row in found for name in row))
    table = table_of(*(plain(name) for name in names))
    for row in found:
        table.add_row(*(Text(plain(_cell(row.get(name)))) for name in names))
    return table


def _cell(value: Any) -> str:
    """A value of a row; numbers as they are, since many stand for years or are keys."""
    return formatting.value(str(value) if isinstance(value, int) else value, 40)

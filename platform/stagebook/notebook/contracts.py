"""A DataFrame held against the contract of a dataset, by hand: `%contract` and `stagebook.audit`."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.contracts.audit import audit as audit_source
from stagebook.contracts.calling import caller
from stagebook.contracts.probe import Surroundings, neighbours_at
from stagebook.errors import UsageError
from stagebook.planning.plan import PlannedOutput
from stagebook.project import Project
from stagebook.runs.datasets import Datasets, plans_of
from stagebook.tables.source import NoTable, source_of
from stagebook.views.formatting import plain, plural
from stagebook.workspace.paths import STATE_FOLDER

_SIGNS = {Severity.LOG: "·", Severity.WARN: "!", Severity.QUARANTINE: "!", Severity.FAIL: "✗"}
_COLORS = {"✓": "green", "·": "gray", "!": "darkorange", "✗": "crimson"}


class AuditReport:
    """What the contract of a dataset came to for some data; a notebook shows it as a table.

    Attributes:
        audit: the figures, with a `CheckResult` for each check.
        passed: whether nothing fails, so that the stage would publish the data. Rows may go into quarantine.
    """

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.passed = not audit.broken(Severity.FAIL)

    def __repr__(self) -> str:
        return "\n".join([self._head(), *self._lines()])

    def _head(self) -> str:
        found = self.audit
        broken = sum(check.outcome is not Outcome.PASSED for check in found.checks)
        what = (
            f"{broken} of {plural(len(found.checks), 'check')} do not hold" if broken else "all checks hold"
        )
        return plain(
            f"{found.dataset} {found.version}: {plural(found.rows, 'row')}, {what}  ({found.contract})"
        )

    def _lines(self) -> Iterator[str]:
        for check in self.audit.checks:
            sign = _sign(check)
            yield plain(f"{sign} {check.text}" + (f": {check.message}" if check.message else ""))
            yield from (plain(f"    {_row(row)}") for row in check.sample if sign != "✓")

    def _repr_html_(self) -> str:
        rows = []
        for check in self.audit.checks:
            sign = _sign(check)
            samples = "".join(f"<br><small>{_text(_row(row))}</small>" for row in check.sample if sign != "✓")
            severity = "" if sign == "✓" else str(check.severity)
            rows.append(
                f'<tr><td style="color:{_COLORS[sign]}">{sign}</td><td style="text-align:left">{_text(check.text)}</td>'
                f'<td>{severity}</td><td style="text-align:left">{_text(check.message)}{samples}</td></tr>'
            )
        head = "<tr><th></th><th>check</th><th>severity</th><th>found</th></tr>"
        return f"<p>{_text(self._head())}</p><table>{head}{''.join(rows)}</table>"


def audit(data: Any, dataset: str, *, project: str | Path | None = None) -> AuditReport:
    """Hold data against the contract of a dataset, as a run would before it publishes them. Nothing is kept.

    Args:
        data: a DataFrame of pandas or polars, a table of pyarrow, or the path of a file or folder.
        dataset: `PIPELINE.STAGE.OUTPUT`, or `STAGE.OUTPUT` where no other pipeline has that.
        project: a folder of the project; by default the one around the working directory.

    Raises:
        UsageError: the dataset has no contract, or the data are no table.
        PipelineInvalid: the contract, or the pipeline, has mistakes.
    """
    with Project.open(project) as opened:
        output = _output(opened, dataset)
        contract = output.contract
        if contract is None:
            hint = f"stagebook contract draft {dataset.replace('.', ' ', 1)} --write"
            raise UsageError(f"{dataset} has no contract", hint=hint if dataset.count(".") == 2 else "")
        state = opened.root / STATE_FOLDER
        state.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=state) as folder:
            try:
                source = source_of(_file(data, Path(folder)), contract.table)
                around = Surroundings(
                    spill=Path(folder),
                    neighbours=neighbours_at(opened.root, output.related),
                    call=caller(opened.root),
                )
                return AuditReport(audit_source(contract, source, around))
            except NoTable as error:
                raise UsageError(f"the data cannot be audited: {error}") from error


def _output(project: Project, dataset: str) -> PlannedOutput:
    pipeline = dataset.partition(".")[0] if dataset.count(".") == 2 else ""
    plans, broken = plans_of(project.preparer, [pipeline] if pipeline else project.catalog.names())
    found = Datasets(plans, project.preparer)
    if broken and not any(dataset in one.names for one in found.all):
        raise next(iter(broken.values()))
    return found.instances(dataset)[0].planned


def _file(data: Any, folder: Path) -> Path:
    """The data as a file: where they are, or written as Parquet."""
    if isinstance(data, str | Path):
        return Path(data).absolute()
    path = folder / "data.parquet"
    try:
        if hasattr(data, "write_parquet"):  # polars
            data.write_parquet(path)
        else:
            frame = data.to_pandas() if hasattr(data, "to_pandas") else data  # pyarrow has it
            frame.to_parquet(path)
    except Exception as error:
        raise UsageError(f"the data cannot be audited: {type(error).__name__}: {error}"[:500]) from error
    return path


def _sign(check: CheckResult) -> str:
    return "✓" if check.outcome is Outcome.PASSED else _SIGNS[check.severity]


def _row(row: Any) -> str:
    return "  ".join(f"{name}={value}" for name, value in row.items())


def _text(text: str) -> str:
    return html.escape(plain(text))

"""The rows that contracts kept out of what is published, by dataset: which they are, which of them would be published now,
and those that a person releases."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from stagebook.artifact import Artifact
from stagebook.audits import Severity
from stagebook.contracts.audit import audit
from stagebook.contracts.contract import Contract
from stagebook.contracts.probe import Surroundings, masked, neighbours_at
from stagebook.contracts.quarantine import BROKEN, ID, ROW, RUN, SOURCE, passing
from stagebook.contracts.released import Release, by_row, read_releases
from stagebook.errors import UsageError, did_you_mean
from stagebook.execution.attempt import QUARANTINE_FOLDER
from stagebook.planning.plan import Decision, Plan, PlannedOutput
from stagebook.runs.history import History
from stagebook.runs.stored import connected, fetched
from stagebook.system.files import write_whole
from stagebook.system.store import Store
from stagebook.tables import sql
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, source_of
from stagebook.workspace.contracts import release_path
from stagebook.workspace.paths import STATE_FOLDER

MOST = 10_000  # rows that one release admits: more of them are a matter of the rule
_LOCK = "released.lock"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Rows of the output of a stage instance that are in quarantine. `path` is their Parquet file, relative to the
    project; `rules` the names of the rules that they break; `digest` that of the contract; `written` what the stage wrote."""

    pipeline: str
    stage: str
    output: str
    run: str
    rows: int
    path: str
    rules: tuple[str, ...]
    personal: tuple[str, ...]
    digest: str
    written: Artifact

    @property
    def name(self) -> str:
        """`stage.output`, with the instance."""
        return f"{self.stage}.{self.output}"

    @property
    def dataset(self) -> str:
        """`pipeline.stage.output`, without the instance."""
        return f"{self.pipeline}.{self.stage.partition('@')[0]}.{self.output}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What becomes of rows in quarantine. `passing`: so many would be published now; `None` where only a run can tell,
    `problem` says why."""

    rows: Quarantined
    passing: int | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        rows = self.rows
        return {
            "dataset": f"{rows.pipeline}.{rows.name}",
            "rows": rows.rows,
            "run": rows.run,
            "path": rows.path,
            "rules": list(rows.rules),
            "passing": self.passing,
            "problem": self.problem,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Rows in quarantine: those with these numbers, as `rows_of` gives them; or those that break these rules and no others;
    or all."""

    rows: tuple[int, ...] = ()
    rules: tuple[str, ...] = ()


def quarantined(history: History, pipeline: str) -> list[Quarantined]:
    """What is in quarantine of the results that the stages of a pipeline came to last."""
    if not history.has_journal:
        return []
    return [
        Quarantined(
            pipeline=pipeline,
            stage=stage,
            output=output,
            run=result.run,
            rows=audit.rejected,
            path=f"{result.folder}/{QUARANTINE_FOLDER}/{output}.parquet",
            rules=tuple(check.rule for check in audit.broken(Severity.QUARANTINE)),
            personal=audit.personal,
            digest=audit.digest,
            written=result.whole[output],
        )
        for stage, result in sorted(history.journal.results.latest(pipeline).items())
        for output, audit in result.audits.items()
        if audit.rejected and output in result.whole
    ]


def find(found: list[Quarantined], name: str) -> Quarantined:
    """The one that a person means by `stage.output`, or by the stage. Raises `UsageError`."""
    fitting = [one for one in found if name in {one.name, one.stage}]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(one.name for one in fitting)
        raise UsageError(f"'{name}' has several datasets in quarantine", hint=f"name one of {names}")
    hint = (
        did_you_mean(name, [one.name for one in found]) or "`stagebook quarantine list` shows what there is"
    )
    raise UsageError(f"nothing of '{name}' is in quarantine", hint=hint)


def rows_of(one: Quarantined, root: Path, limit: int) -> Iterator[Mapping[str, Any]]:
    """Its first rows, with the number that each had in what the stage wrote and the rules that it breaks. Personal values
    are masked. Raises `UsageError`."""
    with _rejected(one, root) as connection:
        found = connection.named_rows(f"SELECT * FROM rejected ORDER BY {ROW} LIMIT {limit}")  # noqa: S608 - a number
    for row in found:
        shown = masked(row, one.personal)
        broken = shown.pop(BROKEN, ())
        for name in (ID, SOURCE, RUN):
            shown.pop(name, None)
        yield {"row": shown.pop(ROW, None), "breaks": ", ".join(broken), **shown}


def prospects(plan: Plan, history: History, store: Store, root: Path) -> list[Prospect]:
    """What becomes of the rows in quarantine with the contracts as they are now. Where a stage runs, only that tells."""
    stages = {stage.id: stage for stage in plan.stages}
    if not any(
        stage.decision is Decision.AUDIT or any(output.contract for output in stage.outputs.values())
        for stage in plan.stages
    ):
        return []  # the results need not be read
    found = []
    for one in quarantined(history, plan.pipeline):
        stage = stages.get(one.stage)
        if stage is None or one.output not in stage.outputs:
            continue
        output = stage.outputs[one.output]
        if stage.decision is Decision.RUN:
            found.append(Prospect(rows=one, problem="the stage runs"))
        elif output.contract is not None and output.contract.digest == one.digest:
            found.append(Prospect(rows=one, passing=0))
        else:
            found.append(_prospect(one, output, store, root))
    return found


def _prospect(one: Quarantined, output: PlannedOutput, store: Store, root: Path) -> Prospect:
    contract = output.contract
    if contract is None:
        return Prospect(rows=one, passing=one.rows)
    try:
        with (
            fetched(one.written, store, root, contract.table) as source,
            tempfile.TemporaryDirectory(dir=root / STATE_FOLDER) as spill,
        ):
            around = Surroundings(spill=Path(spill), neighbours=neighbours_at(root, output.related))
            found = audit(contract, source, around)
            count = passing(contract, found, source, source_of(root / one.path), around)
            return Prospect(rows=one, passing=count)
    except (NoTable, QueryFailed) as error:
        return Prospect(rows=one, problem=str(error))


def release(
    one: Quarantined,
    contract: Contract,
    root: Path,
    choice: Choice,
    *,
    because: str,
    by: str = "",
) -> int:
    """Admit rows in quarantine, though they break rules; how many were not admitted before.

    Args:
        one: where the rows are.
        contract: that of the dataset; the values of its key are noted where they are not personal.
        root: the project's.
        choice: which rows.
        because: why.
        by: who.

    Raises:
        UsageError: there is no such row or rule, they are too many, or no reason is given.
    """
    if not because.strip():
        raise UsageError(
            "say why the rows are good all the same", hint='--because "the airport confirmed it"'
        )
    for rule in choice.rules:
        if rule not in one.rules:
            raise UsageError(f"no row breaks '{rule}'", hint=did_you_mean(rule, one.rules))
    key = [name for name in contract.key if name not in one.personal]
    chosen = _chosen(one, root, choice, key)
    if len(chosen) > MOST:
        hint = "change the rule instead, or give it the severity warn"
        raise UsageError(f"{len(chosen):,} rows are more than the {MOST:,} that can be released", hint=hint)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    new = [
        Release(
            row=str(row[ID]),
            breaks=tuple(row[BROKEN]),
            because=because.strip(),
            by=by,
            at=at,
            key={name: _plain(row[name]) for name in key if name in row},
        )
        for row in chosen
    ]
    path = root / release_path(one.dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(root / STATE_FOLDER / _LOCK):
        text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
        known = by_row(read_releases(text, str(path))[0])
        lines = dict.fromkeys(
            item.line() for item in new if not set(item.breaks) <= {*known.get(item.row, ())}
        )
        if lines:
            whole = text + ("\n" if text and not text.endswith("\n") else "") + "".join(lines)
            write_whole(path, whole.encode(errors="surrogateescape"))
    return len(lines)


def _chosen(one: Quarantined, root: Path, choice: Choice, key: Sequence[str]) -> list[dict[str, Any]]:
    where = "true"
    if choice.rows:
        where = f"{ROW} IN ({', '.join(map(str, choice.rows))})"
    elif choice.rules:
        names = ", ".join(map(sql.literal, choice.rules))
        where = f"len(list_filter({BROKEN}, lambda rule: NOT list_contains([{names}], rule))) = 0"
    with _rejected(one, root) as connection:
        columns = connection.columns("rejected")
        wanted = sql.names([ROW, BROKEN, ID, *(name for name in key if name in columns)])
        query = f"SELECT {wanted} FROM rejected WHERE {where} ORDER BY {ROW} LIMIT {MOST + 1}"  # noqa: S608 - quoted
        found = connection.named_rows(query)
    absent = set(choice.rows) - {row[ROW] for row in found}
    if absent:
        hint = f"`stagebook quarantine show {one.pipeline} {one.name}` shows their numbers"
        raise UsageError(f"the row {min(absent)} is not in quarantine", hint=hint)
    return found


@contextmanager
def _rejected(one: Quarantined, root: Path) -> Iterator[Connection]:
    """A connection to the rows in quarantine, the table `rejected`. Raises `UsageError`."""
    try:
        with connected({"rejected": source_of(root / one.path)}, root) as connection:
            yield connection
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"'{one.path}' cannot be read: {error}") from error


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)

"""The rows that contracts kept out of what is published, by dataset."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.audits import Severity
from stagebook.contracts.probe import MASK
from stagebook.contracts.quarantine import BROKEN, ROW
from stagebook.errors import UsageError, did_you_mean
from stagebook.execution.attempt import QUARANTINE_FOLDER
from stagebook.runs.history import History
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, source_of
from stagebook.workspace.paths import STATE_FOLDER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Rows of the output of a stage instance that are in quarantine. `path` is their Parquet file, relative to the
    project; `rules` the names of the rules that they break."""

    stage: str
    output: str
    run: str
    rows: int
    path: str
    rules: tuple[str, ...]
    personal: tuple[str, ...]

    @property
    def name(self) -> str:
        """`stage.output`, with the instance."""
        return f"{self.stage}.{self.output}"


def quarantined(history: History, pipeline: str) -> list[Quarantined]:
    """What is in quarantine of the results that the stages of a pipeline came to last."""
    if not history.has_journal:
        return []
    return [
        Quarantined(
            stage=stage,
            output=output,
            run=result.run,
            rows=audit.rejected,
            path=f"{result.folder}/{QUARANTINE_FOLDER}/{output}.parquet",
            rules=tuple(check.rule for check in audit.broken(Severity.QUARANTINE)),
            personal=audit.personal,
        )
        for stage, result in sorted(history.journal.results.latest(pipeline).items())
        for output, audit in result.audits.items()
        if audit.rejected
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
    try:
        with (
            tempfile.TemporaryDirectory(dir=root / STATE_FOLDER) as spill,
            Connection({"rejected": source_of(root / one.path)}, spill=Path(spill)) as connection,
        ):
            found = connection.named_rows(f"SELECT * FROM rejected ORDER BY {ROW} LIMIT {limit}")  # noqa: S608 - a number
    except (NoTable, QueryFailed) as error:
        raise UsageError(f"'{one.path}' cannot be read: {error}") from error
    for row in found:
        shown = {
            name: MASK if name in one.personal and value is not None else value for name, value in row.items()
        }
        broken = shown.pop(BROKEN, ())
        yield {"row": shown.pop(ROW, None), "breaks": ", ".join(broken), **shown}

"""The outputs of an attempt, held against their contracts before anything is published."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.audits import Audit, CheckResult, Severity
from stagebook.contracts.audit import audit
from stagebook.contracts.calling import caller
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import Surroundings, neighbours_at
from stagebook.contracts.quarantine import Split, Target, needs_split, split
from stagebook.contracts.released import with_released
from stagebook.events import Cause
from stagebook.execution.attempt import QUARANTINE_FOLDER, Attempt, OutputContract
from stagebook.execution.worker.audited import Audited
from stagebook.execution.worker.column_marks import NoMark, mark_of
from stagebook.execution.worker.delta_tables import TableFailed, keep_changes, prepare_tables
from stagebook.system.files import describe_path
from stagebook.system.logins import Redaction
from stagebook.system.store import Store
from stagebook.tables.duck import QueryFailed
from stagebook.tables.source import NoTable, source_of

_SPILL = "spill"


class _NotAudited(Exception):
    """An output cannot be read, or its rows cannot be told apart; the text says why."""


def audit_outputs(attempt: Attempt, redacted: Redaction) -> Audited:
    """Audit all outputs that have a contract, and make new versions of Delta tables ready; secrets are `redacted` in what
    is told of them. Where none fails, rows that are to be quarantined are taken out of the staged files. What the stage
    wrote of those, and for tables, is kept in the store. Raises `OSError`."""
    found: dict[str, Audit] = {}
    written: dict[str, Artifact] = keep_changes(attempt)
    try:
        # Before rows are taken out: those that are kept in quarantine have been read as well.
        bookmark = mark_of(attempt)
        audited = {name: _Output(attempt, name, given) for name, given in attempt.contracts.items()}
        for name, output in audited.items():
            found[name] = Audit.from_json(redacted.data(output.audit().to_json()))
        for name, done in found.items():
            if broken := done.broken(Severity.FAIL):
                message = _told(attempt, name, done, broken)
                return Audited(audits=found, cause=Cause.CONTRACT, message=message)
        for name, output in audited.items():
            if needs_split(output.contract, found[name]):
                written.setdefault(name, output.keep_whole())
                parts = output.split(found[name])
                found[name] = dataclasses.replace(
                    found[name], rejected=parts.rejected, released=parts.released
                )
    except _NotAudited as error:
        return Audited(audits=found, cause=Cause.CONTRACT, message=str(error))
    except NoMark as error:
        return Audited(audits=found, cause=Cause.BOOKMARK, message=redacted.text(str(error)))
    try:
        tables = prepare_tables(attempt, written)
    except TableFailed as error:
        return Audited(audits=found, cause=Cause.TABLE, message=redacted.text(str(error)))
    return Audited(audits=found, written=written, tables=tables, bookmark=bookmark)


class _Output:
    """One output, as it is staged."""

    def __init__(self, attempt: Attempt, name: str, given: OutputContract) -> None:
        self._attempt = attempt
        self._name = name
        self._root = Path(attempt.root)
        self.contract = with_released(load_contract(given.text, given.path).contract, given.released)
        self._contents = given.contents
        self._staged = self._root / attempt.outputs[name].staged
        with self._told():
            self._source = source_of(self._staged, self.contract.table)
            # Those of this very attempt are where it has just written them.
            own = {slot.path: slot.staged for slot in attempt.outputs.values()}
            self._neighbours = neighbours_at(self._root, given.related, own)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (NoTable, QueryFailed) as error:
            what = f"the output '{self._name}' ({self._attempt.outputs[self._name].path}) cannot be audited"
            raise _NotAudited(f"{self.contract.path}: {what}: {error}") from error

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[Surroundings]:
        spill = Path(self._attempt.folder) / _SPILL
        spill.mkdir(exist_ok=True)
        try:
            with self._told():
                yield Surroundings(spill=spill, neighbours=self._neighbours, call=caller(self._root))
        finally:
            shutil.rmtree(spill, ignore_errors=True)

    def audit(self) -> Audit:
        """Hold it against its contract."""
        with self._surroundings() as around:
            found = audit(self.contract, self._source, around)
        return dataclasses.replace(found, related=dict(self._contents))

    def keep_whole(self) -> Artifact:
        """What the stage wrote, kept in the store if there is one."""
        path = self._attempt.outputs[self._name].path
        if not self._attempt.store:
            return describe_path(self._staged, path)
        return Store(Path(self._attempt.store)).keep(self._staged, path, most=self._attempt.store_most)

    def split(self, done: Audit) -> Split:
        """Leave the good rows in the staged file, and put the others into quarantine."""
        good = self._staged.with_name(f".{self._staged.name}.good")
        target = Target(
            good=good,
            rejected=Path(self._attempt.folder) / QUARANTINE_FOLDER / f"{self._name}.parquet",
            dataset=f"{self._attempt.pipeline}.{self._attempt.stage}.{self._name}",
            run=self._attempt.run,
        )
        target.rejected.parent.mkdir(exist_ok=True)
        with self._surroundings() as around:
            parts = split(self.contract, done, self._source, target, around)
        if self._staged.is_dir():
            shutil.rmtree(self._staged)
        os.replace(good, self._staged)
        return parts


def _told(attempt: Attempt, name: str, found: Audit, broken: list[CheckResult]) -> str:
    first = broken[0]
    more = f"; and {len(broken) - 1} more" if len(broken) > 1 else ""
    place = f"{found.contract}:{first.line}" if first.line else found.contract
    return f"{place}: {attempt.outputs[name].path}: {first.text}: {first.message}{more}"

"""The datasets of a project by name, and the versions of each: of Delta tables those of their log, of other tables those that
results tell of, as far as the store has them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.contracts.contract import Contract
from stagebook.errors import UsageError, did_you_mean
from stagebook.pipeline.model import DeltaOptions
from stagebook.planning.plan import Plan
from stagebook.runs.datasets import Version, connected, opened
from stagebook.runs.history import History
from stagebook.system import delta_log
from stagebook.system.files import load_cache, save_cache
from stagebook.system.store import Store
from stagebook.tables import delta
from stagebook.tables.delta import DeltaFailed
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import Format, NoTable, Source, source_of
from stagebook.workspace.paths import STATE_FOLDER

_CACHE = "cache/rows.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A table that a stage instance writes. `path` is relative to the project; `delta` says what becomes of a Delta table,
    and `contract` what must hold of the dataset."""

    pipeline: str
    stage: str
    output: str
    path: str
    delta: DeltaOptions | None = None
    contract: Contract | None = None

    @property
    def name(self) -> str:
        """`pipeline.stage.output`, the stage with its instance."""
        return f"{self.pipeline}.{self.stage}.{self.output}"

    @property
    def whole(self) -> str:
        """The name of the dataset of all instances together."""
        return f"{self.pipeline}.{self.stage.partition('@')[0]}.{self.output}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart, as the contract or the pipeline file says."""
        return (self.contract.key if self.contract else ()) or (self.delta.key if self.delta else ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataVersion:
    """A version of a dataset.

    Args:
        number: of a Delta table, the version in its log; else that of the result in the journal.
        run: the run that made it; empty for another writer.
        at: when, in seconds since the epoch.
        rows: how many there are, where that was noted.
        artifact: what the store may have of it; `None` where another writer made it.
        operation: how it came to be.
        is_present: whether it is the one that lies in its place.
    """

    number: int
    run: str
    at: float
    rows: int | None = None
    artifact: Artifact | None = None
    operation: str = ""
    is_present: bool = False


class Datasets:
    """The datasets of some plans. `digest`: the content of a path of the project now, as `Artifact.content`."""

    def __init__(
        self,
        plans: Iterable[Plan],
        history: History,
        store: Store,
        root: Path,
        digest: Callable[[str], str | None],
    ) -> None:
        self.root = root
        self._history = history
        self._store = store
        self._digest = digest
        self.all = [
            Dataset(
                pipeline=plan.pipeline,
                stage=stage.id,
                output=name,
                path=output.path,
                delta=output.delta,
                contract=output.contract,
            )
            for plan in plans
            for stage in plan.stages
            for name, output in stage.outputs.items()
            if output.kind != "external"
        ]

    def named(self) -> dict[str, list[Dataset]]:
        """The datasets by name; those of several instances of a stage also together, without the instance."""
        found: dict[str, list[Dataset]] = {}
        for dataset in self.all:
            for name in {dataset.name, dataset.whole}:
                found.setdefault(name, []).append(dataset)
        return found

    def find(self, text: str) -> Dataset:
        """The dataset that a person means by `pipeline.stage.output`, or by a part of that at its end. Raises
        `UsageError`."""
        fitting = [
            one for one in self.all if text in {one.name, one.name.partition(".")[2], one.path, one.whole}
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = ", ".join(one.name for one in fitting[:5])
            raise UsageError(f"'{text}' may be several datasets", hint=f"name one of them: {names}")
        hint = did_you_mean(text, [one.name for one in self.all]) or "stagebook data list"
        raise UsageError(f"there is no dataset '{text}'", hint=hint)

    # -- versions -------------------------------------------------------------------------------

    def versions(self, dataset: Dataset) -> list[DataVersion]:
        """The versions of a dataset, the latest first."""
        if dataset.delta is not None:
            table = self.root / dataset.path
            known = delta_log.versions(table)
            return [_of_log(table, dataset.path, number, is_present=number == known[0]) for number in known]
        return self._of_results(dataset)

    def _of_results(self, dataset: Dataset) -> list[DataVersion]:
        if not self._history.has_journal:
            return []
        here = self._digest(dataset.path)
        results = self._history.journal.results.where(
            "pipeline = ? AND stage = ?", (dataset.pipeline, dataset.stage)
        )
        found: dict[str, DataVersion] = {}
        for result in reversed(results):  # a content has the number that it had first
            artifact = result.outputs.get(dataset.output)
            content = artifact.content if artifact is not None else None
            if artifact is None or content is None or content in found:
                continue
            audit = result.audits.get(dataset.output)
            found[content] = DataVersion(
                number=result.number,
                run=result.run,
                at=result.at,
                rows=audit.rows - audit.rejected if audit is not None else None,
                artifact=artifact,
                operation="ACCEPT" if result.because else "WRITE",
                is_present=content == here,
            )
        return list(reversed(found.values()))

    def version(self, dataset: Dataset, text: str) -> DataVersion:
        """The version that a person means by its number, or by the beginning of the id of its run; the present one where
        `text` is empty. Raises `UsageError`."""
        known = self.versions(dataset)
        for one in known:
            if (not text and one.is_present) or text == str(one.number):
                return one
        for one in known:
            if text and not text.isdecimal() and one.run.startswith(text):
                return one
        numbers = ", ".join(str(one.number) for one in known[:10]) or "none yet"
        what = f"no version '{text}'" if text else "no version that a run made"
        raise UsageError(f"{dataset.name} has {what}", hint=f"there are: {numbers}")

    # -- contents -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self, dataset: Dataset, version: DataVersion | None = None) -> Iterator[Source]:
        """A version as a table; what lies in its place by default. Raises `NoTable`."""
        place = self.root / dataset.path
        table = dataset.contract.table if dataset.contract is not None else ""
        if version is None or (version.is_present and dataset.delta is None):
            yield source_of(place, table)
        elif dataset.delta is not None and self._has_files(place, version.number):
            yield Source(place, Format.DELTA, version=version.number)
        elif version.artifact is None:
            raise NoTable(f"the data files of version {version.number} were removed")
        else:
            kept = Version(run=version.run, stage=dataset.stage, at=version.at, artifact=version.artifact)
            with opened(kept, self._store, self.root, table) as source:
                yield source

    @staticmethod
    def _has_files(table: Path, number: int) -> bool:
        try:
            return all((table / name).is_file() for name in delta.state(table, number).files)
        except DeltaFailed:
            return False

    def rows(self, dataset: Dataset, version: DataVersion | None = None) -> int | None:
        """How many rows a version has, counted where nobody noted it; `None` where nobody can say."""
        if version is not None and version.rows is not None:
            return version.rows
        artifact = version.artifact if version is not None else None
        content = artifact.content if artifact is not None else self._digest(dataset.path)
        cache = self.root / STATE_FOLDER / _CACHE
        known = dict(load_cache(cache))
        if content in known:
            return int(known[content])
        try:
            with self.opened(dataset, version) as source, self.connected({"t": source}) as connection:
                known[str(content)] = count = int(connection.rows("SELECT count(*) FROM t")[0][0])
        except (NoTable, QueryFailed):
            return None
        if content is not None:
            save_cache(cache, known)
        return count

    @contextlib.contextmanager
    def connected(self, tables: dict[str, Source]) -> Iterator[Connection]:
        """A connection that has these tables. Raises `NoTable`."""
        with connected(tables, self.root) as connection:
            yield connection


def _of_log(table: Path, path: str, number: int, *, is_present: bool) -> DataVersion:
    try:
        told = delta_log.info(table, number)
    except delta_log.LogDamaged:
        return DataVersion(number=number, run="", at=0.0, operation="damaged", is_present=is_present)
    note = told.get(delta_log.NOTE)
    note = note if isinstance(note, dict) else {}
    content, rows, at = note.get("content"), note.get("rows"), told.get("timestamp")
    artifact = None
    if isinstance(content, str):
        artifact = Artifact(
            path=path, sha256=content.removesuffix("/"), kept=True, folder=True, version=number
        )
    return DataVersion(
        number=number,
        run=str(note.get("run", "")),
        at=at / 1000 if isinstance(at, int | float) else 0.0,
        rows=rows if isinstance(rows, int) else None,
        artifact=artifact,
        operation=str(told.get("operation", "")),
        is_present=is_present,
    )

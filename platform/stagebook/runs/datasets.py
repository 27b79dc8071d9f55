"""The datasets of a project by name, and the versions of each: those that were published, which are of Delta tables those of
their log, and of other tables those that results tell of, as far as the store has them; and what stages wrote, before rows
were kept out of that."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.contracts.contract import Contract
from stagebook.errors import PipelineInvalid, UsageError, did_you_mean
from stagebook.pipeline.model import DeltaOptions
from stagebook.planning.plan import Plan, PlannedOutput
from stagebook.planning.result import Result
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.runs.stored import connected, fetched
from stagebook.system import delta_log
from stagebook.system.files import load_cache, save_cache
from stagebook.tables import delta
from stagebook.tables.delta import DeltaFailed
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import Format, NoTable, Source, source_of
from stagebook.workspace.paths import STATE_FOLDER

_CACHE = "cache/rows.json"
_RUN = 8  # digits that a run's id begins with: fewer are the number of a version


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A table that a stage instance writes: the output that is called `output`, as it is `planned`."""

    pipeline: str
    stage: str
    output: str
    planned: PlannedOutput

    @property
    def path(self) -> str:
        """Where it is, relative to the project."""
        return self.planned.path

    @property
    def delta(self) -> DeltaOptions | None:
        """What becomes of a Delta table."""
        return self.planned.delta

    @property
    def contract(self) -> Contract | None:
        """What must hold of it."""
        return self.planned.contract

    @property
    def base(self) -> str:
        """Its stage, without the instance."""
        return self.stage.partition("@")[0]

    @property
    def name(self) -> str:
        """`pipeline.stage.output`, the stage with its instance."""
        return f"{self.pipeline}.{self.stage}.{self.output}"

    @property
    def whole(self) -> str:
        """The name of the dataset of all instances together."""
        return f"{self.pipeline}.{self.base}.{self.output}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart, as the contract or the pipeline file says."""
        return (self.contract.key if self.contract else ()) or (self.delta.key if self.delta else ())

    @property
    def names(self) -> set[str]:
        """What a person may call it. A stage alone stands for its outputs."""
        full = {self.name, self.whole, f"{self.pipeline}.{self.stage}", f"{self.pipeline}.{self.base}"}
        return {*full, *(name.partition(".")[2] for name in full), self.path}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a dataset.

    Args:
        stage: the instance that made it.
        number: of a Delta table, the version in its log; else that of the result in the journal.
        run: the run that made it; empty for another writer.
        at: when, in seconds since the epoch.
        rows: how many there are, where that was noted.
        artifact: what the store may have of it; `None` where another writer made it.
        operation: how it came to be.
        is_present: whether it is the one that lies in its place.
        is_written: whether it is what the stage wrote, also the rows that were not published, rather than what was
            published. Of a Delta table that is a change.
    """

    stage: str
    number: int
    run: str
    at: float
    rows: int | None = None
    artifact: Artifact | None = None
    operation: str = ""
    is_present: bool = False
    is_written: bool = False


def plans_of(preparer: Preparer, names: Iterable[str]) -> tuple[list[Plan], dict[str, PipelineInvalid]]:
    """The plans of the pipelines that can be planned; and of the others, why they cannot."""
    plans, broken = [], {}
    for name in names:
        try:
            plans.append(preparer.prepare(RunRequest(pipeline=name)).plan)
        except PipelineInvalid as error:
            broken[name] = error
    return plans, broken


class Datasets:
    """The datasets of some plans that the `preparer` made. `shown`: the folder of a version that readers of an environment
    see, and what is in it, by path; that counts as present then, and not what the latest run left."""

    def __init__(
        self,
        plans: Iterable[Plan],
        preparer: Preparer,
        shown: tuple[Path, Mapping[str, Artifact]] | None = None,
    ) -> None:
        self.root = preparer.catalog.root
        self._shown = shown
        self._history = preparer.history
        self._store = preparer.dependencies.store
        self._digest = preparer.dependencies.digest  # the content of a path now, as `Artifact.content`
        self.all = [
            Dataset(pipeline=plan.pipeline, stage=stage.id, output=name, planned=output)
            for plan in plans
            for stage in plan.stages
            for name, output in stage.outputs.items()
            if output.kind != "external"
        ]

    # -- names ----------------------------------------------------------------------------------

    def named(self) -> dict[str, list[Dataset]]:
        """The datasets by name; those of several instances of a stage also together, without the instance."""
        found: dict[str, list[Dataset]] = {}
        for dataset in self.all:
            for name in {dataset.name, dataset.whole}:
                found.setdefault(name, []).append(dataset)
        return found

    def find(self, text: str) -> Dataset:
        """The dataset of one instance that a person means by `pipeline.stage.output`, by a part of that, or by its path.
        Raises `UsageError`."""
        found = self._fitting(text)
        if len(found) > 1:
            raise _ambiguous(text, [one.name for one in found])
        return found[0]

    def instances(self, text: str) -> list[Dataset]:
        """The dataset that a person means, as `find`: that of each instance. Raises `UsageError`."""
        wholes = list(dict.fromkeys(one.whole for one in self._fitting(text)))
        if len(wholes) > 1:
            raise _ambiguous(text, wholes)
        return [one for one in self.all if one.whole == wholes[0]]

    def _fitting(self, text: str) -> list[Dataset]:
        found = [one for one in self.all if text in one.names]
        if not found:
            known = [name for one in self.all for name in (one.name, one.name.partition(".")[2])]
            raise UsageError(
                f"there is no dataset '{text}'", hint=did_you_mean(text, known) or "stagebook data list"
            )
        return found

    # -- versions -------------------------------------------------------------------------------

    def versions(self, dataset: Dataset) -> list[Version]:
        """The versions of a dataset that were published, the latest first."""
        if dataset.delta is not None:
            known = delta_log.versions(self.root / dataset.path)
            return [_of_log(self.root, dataset, number, is_present=number == known[0]) for number in known]
        here = self._content(dataset)
        found: dict[str, Version] = {}
        for result in reversed(self._results(dataset)):  # a content has the number that it had first
            artifact = result.outputs.get(dataset.output)
            content = artifact.content if artifact is not None else None
            if artifact is None or content is None or content in found:
                continue
            audit = result.audits.get(dataset.output)
            found[content] = Version(
                stage=result.stage,
                number=result.number,
                run=result.run,
                at=result.at,
                rows=audit.rows - audit.rejected if audit is not None else None,
                artifact=artifact,
                operation="ACCEPT" if result.because else "WRITE",
                is_present=content == here,
            )
        return list(reversed(found.values()))

    def written(self, dataset: Dataset) -> list[Version]:
        """What the stage of a dataset wrote, the latest first: each content once for each of its instances, also for those
        that are no more."""
        found: dict[tuple[str, str], Version] = {}
        for result in self._results(dataset, of_all=True):
            artifact = result.whole.get(dataset.output)
            if artifact is not None and artifact.content is not None:
                one = Version(
                    stage=result.stage,
                    number=result.number,
                    run=result.run,
                    at=result.at,
                    artifact=artifact,
                    is_written=True,
                )
                found.setdefault((result.stage, artifact.content), one)
        return list(found.values())

    def _results(self, dataset: Dataset, *, of_all: bool = False) -> Sequence[Result]:
        """Those of its instance, or of all instances of its stage, the latest first."""
        if not self._history.has_journal:
            return []
        results = self._history.journal.results
        if not of_all:
            return results.where("pipeline = ? AND stage = ?", (dataset.pipeline, dataset.stage))
        like = dataset.base.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "@%"
        return results.where(
            "pipeline = ? AND (stage = ? OR stage LIKE ? ESCAPE '\\')", (dataset.pipeline, dataset.base, like)
        )

    def version(self, dataset: Dataset, text: str) -> Version:
        """The version that a person means, as `find_version`; the present one where `text` is empty. Raises `UsageError`."""
        known = self.versions(dataset)
        if not text and (present := next((one for one in known if one.is_present), None)) is not None:
            return present
        return find_version(dataset.name, known, text)

    def place(self, dataset: Dataset) -> Path:
        """Where the present version of a dataset lies."""
        if self._shown is not None and dataset.path in self._shown[1]:
            return self._shown[0] / dataset.path
        return self.root / dataset.path

    def _content(self, dataset: Dataset) -> str | None:
        if self._shown is not None and dataset.path in self._shown[1]:
            return self._shown[1][dataset.path].content
        return self._digest(dataset.path)

    # -- contents -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self, dataset: Dataset, version: Version | None = None) -> Iterator[Source]:
        """A version as a table; what lies in its place by default. Raises `NoTable`."""
        place = self.place(dataset)
        table = dataset.contract.table if dataset.contract is not None else ""
        if version is None or (version.is_present and dataset.delta is None):
            yield source_of(place, table)
        elif self._is_in_log(dataset, version):
            yield Source(place, Format.DELTA, version=version.number)
        elif version.artifact is None:
            raise NoTable(f"the data files of version {version.number} were removed")
        else:
            with fetched(version.artifact, self._store, self.root, table) as source:
                yield source

    def _is_in_log(self, dataset: Dataset, version: Version) -> bool:
        """Whether it is a version of a Delta table that has its data files."""
        table = self.root / dataset.path
        if dataset.delta is None or version.is_written:
            return False
        try:
            return all((table / name).is_file() for name in delta.state(table, version.number).files)
        except DeltaFailed:
            return False

    def rows(self, dataset: Dataset, version: Version | None = None) -> int | None:
        """How many rows a version has, counted where nobody noted it; `None` where nobody can say."""
        if version is not None and version.rows is not None:
            return version.rows
        artifact = version.artifact if version is not None else None
        content = artifact.content if artifact is not None else self._content(dataset)
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


def find_version(dataset: str, known: Sequence[Version], text: str) -> Version:
    """The one of the `known` versions that a person means by its number, or by the beginning of the id of its run. Raises
    `UsageError`."""
    is_number = text.isdecimal() and len(text) < _RUN
    for one in known:
        if text and (text == str(one.number) if is_number else one.run.startswith(text)):
            return one
    if known and known[0].is_written:
        hint = f"runs that made one: {', '.join(dict.fromkeys(one.run for one in known))}"[:300]
    else:
        hint = f"there are: {', '.join(str(one.number) for one in known[:10]) or 'none yet'}"
    what = f"no version '{text}'" if text else "no version that a run made"
    raise UsageError(f"{dataset} has {what}", hint=hint)


def _ambiguous(text: str, names: Sequence[str]) -> UsageError:
    return UsageError(f"'{text}' may be several datasets", hint=f"name one of them: {', '.join(names[:5])}")


def _of_log(root: Path, dataset: Dataset, number: int, *, is_present: bool) -> Version:
    empty = Version(
        stage=dataset.stage, number=number, run="", at=0.0, operation="damaged", is_present=is_present
    )
    try:
        told = delta_log.info(root / dataset.path, number)
    except delta_log.LogDamaged:
        return empty
    note = told.get(delta_log.NOTE)
    note = note if isinstance(note, dict) else {}
    content, rows, at = note.get("content"), note.get("rows"), told.get("timestamp")
    artifact = None
    if isinstance(content, str):
        artifact = Artifact(
            path=dataset.path, sha256=content.removesuffix("/"), kept=True, folder=True, version=number
        )
    return dataclasses.replace(
        empty,
        run=str(note.get("run", "")),
        at=at / 1000 if isinstance(at, int | float) else 0.0,
        rows=rows if isinstance(rows, int) else None,
        artifact=artifact,
        operation=str(told.get("operation", "")),
    )

"""The datasets of a project: outputs by the name `pipeline.stage.output`, and the versions of them that were made."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.errors import UsageError, did_you_mean
from stagebook.planning.plan import Plan
from stagebook.planning.result import Result
from stagebook.runs.history import History
from stagebook.system.blobs import BlobDamaged
from stagebook.system.store import Store
from stagebook.tables.duck import Connection
from stagebook.tables.source import NoTable, Source, source_of
from stagebook.workspace.paths import STATE_FOLDER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetName:
    """`pipeline.stage.output`."""

    pipeline: str
    stage: str
    output: str

    def __str__(self) -> str:
        return f"{self.pipeline}.{self.stage}.{self.output}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a stage wrote once, also the rows that were not published. `stage` is the instance that made it, `at` seconds since the epoch."""

    run: str
    stage: str
    at: float
    artifact: Artifact


def dataset_name(text: str, plan: Plan) -> DatasetName:
    """The dataset that a person means by `stage.output`, or by a stage with one output. Raises `UsageError`."""
    stage, _, output = text.removeprefix(f"{plan.pipeline}.").partition(".")
    stages = {one.stage: one for one in plan.stages}
    if stage not in stages:
        raise UsageError(
            f"the pipeline {plan.pipeline} has no stage '{stage}'", hint=did_you_mean(stage, stages)
        )
    outputs = stages[stage].outputs
    if not output and len(outputs) == 1:
        output = next(iter(outputs))
    if output not in outputs:
        what = f"no output '{output}'" if output else f"{len(outputs)} outputs"
        raise UsageError(f"the stage {stage} has {what}", hint=did_you_mean(output, outputs))
    return DatasetName(pipeline=plan.pipeline, stage=stage, output=output)


def paths_of(name: DatasetName, plan: Plan) -> list[str]:
    """Where a dataset is: a path for each instance of its stage."""
    return [
        stage.outputs[name.output].path
        for stage in plan.stages
        if stage.stage == name.stage and name.output in stage.outputs
    ]


def versions_of(name: DatasetName, history: History) -> list[Version]:
    """The versions of a dataset that results tell of, the latest first; each content once for each instance."""
    if not history.has_journal:
        return []
    like = name.stage.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "@%"
    found: Sequence[Result] = history.journal.results.where(
        "pipeline = ? AND (stage = ? OR stage LIKE ? ESCAPE '\\')", (name.pipeline, name.stage, like)
    )
    versions: dict[tuple[str, str], Version] = {}
    for result in found:
        artifact = result.whole.get(name.output)
        if artifact is not None and artifact.content is not None:
            made = Version(run=result.run, stage=result.stage, at=result.at, artifact=artifact)
            versions.setdefault((result.stage, artifact.content), made)
    return list(versions.values())


@contextlib.contextmanager
def connected(tables: Mapping[str, Source], root: Path) -> Iterator[Connection]:
    """A connection that has these tables; what does not fit into memory goes into the project's state. Raises `NoTable`."""
    state = root / STATE_FOLDER
    state.mkdir(mode=0o700, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=state) as spill,
        Connection(tables, spill=Path(spill)) as connection,
    ):
        yield connection


@contextlib.contextmanager
def opened(version: Version, store: Store, root: Path, table: str = "") -> Iterator[Source]:
    """A version as a table, out of the store. Raises `NoTable`."""
    artifact = version.artifact
    if not store.holds(artifact):
        raise NoTable("it is not in the store any more")
    with tempfile.TemporaryDirectory(dir=root / STATE_FOLDER) as folder:
        target = Path(folder) / artifact.path.rpartition("/")[2]
        try:
            store.fetch(artifact, target)
        except BlobDamaged as error:
            raise NoTable("it is damaged in the store") from error
        yield source_of(target, table)

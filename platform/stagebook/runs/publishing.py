"""What a run came to as a new version of its environment: all of it at once, or nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stagebook.audits import Audit, Severity
from stagebook.errors import UsageError
from stagebook.events import Event, RunEnded, RunStarted, Status, VersionPublished
from stagebook.execution.attempt import NOTEBOOK_FILE
from stagebook.journal.history import StageRecord
from stagebook.journal.journal import Journal
from stagebook.origin import Origin
from stagebook.planning.result import Result
from stagebook.published.manifest import Manifest, PublishedDataset, PublishedPipeline, PublishedStage
from stagebook.published.versions import EXECUTED, Versions, filler, path_of
from stagebook.runs.environments import EnvironmentTable
from stagebook.system.files import make_private
from stagebook.system.store import Store
from stagebook.workspace.environments import Environment

if TYPE_CHECKING:
    from stagebook.runs.run import RunReport

_DAY = 86_400.0  # seconds
_WORDS = {None: "passed", Severity.LOG: "passed", Severity.WARN: "warned", Severity.QUARANTINE: "quarantined"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Publishes runs of an environment.

    Attributes:
        root: the folder that the runs ran in.
        release: what they executed.
        follows: whether that is the working tree, and not a release that was deployed.
        elsewhere: where other environments have their states, by name.
        table: the environments of the project.
    """

    environment: Environment
    versions: Versions
    root: Path
    journal: Callable[[], Journal]
    store: Store
    clock: Callable[[], float]
    release: str
    follows: bool
    elsewhere: Mapping[str, Path]
    table: EnvironmentTable

    @property
    def told(self) -> dict[str, str]:
        """What the start of a run says of where it runs."""
        return {
            "environment": self.environment.name,
            "release": self.release,
            "experiment": self.environment.experiment,
        }

    def publish(
        self,
        reports: Sequence[RunReport],
        *,
        kind: str = "run",
        by: str = "",
        because: str = "",
        approved_by: str = "",
    ) -> Manifest | None:
        """Show what these runs came to, if it is anything new; the manifest of the new version. The other arguments are
        as in `Manifest`.

        Raises:
            UsageError: it cannot be published; readers see what they saw before.
        """
        for report in reports:
            self._adopt(report)
        with self.versions.held():
            before = self.versions.current()
            pipelines = dict(before.pipelines) if before is not None else {}
            executed: dict[str, Path] = {}
            for report in reports:
                name = report.plan.pipeline
                pipelines[name] = self._pipeline(report, pipelines.get(name), executed)
            made = Manifest(
                environment=self.environment.name,
                version=0,
                at=self.clock(),
                kind=kind,
                by=by,
                because=because,
                approved_by=approved_by,
                release="" if self.follows else self.release,
                pipelines=pipelines,
            )
            if before is not None and made.same_as(before) and made.release == before.release:
                return None
            if self.environment.publish == "stage":
                return self.versions.show_in_place(made, self.root)
            if before is not None:
                executed = _earlier_notebooks(pipelines, self.versions.place(before.version)) | executed
            made = self.versions.add(made, filler(self.store, lambda item: self.root / item.path), executed)
            self.versions.point_to(made.version)
            self.versions.prune(before=self.clock() - self.environment.keep_days * _DAY)
        return made

    def _pipeline(
        self, report: RunReport, before: PublishedPipeline | None, executed: dict[str, Path]
    ) -> PublishedPipeline:
        plan, latest = report.plan, self.journal().results.latest(report.plan.pipeline)
        stages: dict[str, PublishedStage] = {}
        datasets: dict[str, PublishedDataset] = {}
        for planned in plan.stages:
            record = report.history.stages.get(planned.id)
            if not planned.selected and before is not None and planned.id in before.stages:
                stages[planned.id] = before.stages[planned.id]
                datasets |= {
                    name: one
                    for name, one in before.datasets.items()
                    if name.rpartition(".")[0] == planned.id
                }
            elif record is not None and record.status in {Status.COMPLETED, Status.REUSED}:
                result = latest.get(planned.id)
                stages[planned.id] = self._stage(plan.pipeline, record, result, report.run, executed)
                datasets |= {
                    planned.dataset(name): PublishedDataset(
                        artifact=artifact,
                        run=record.of_run or report.run,
                        contract=_outcome(record.audits.get(name)),
                    )
                    for name, artifact in record.outputs.items()
                }
        if before is not None:
            datasets = _with_other_partitions(datasets, before.datasets)
        return PublishedPipeline(
            run=report.run,
            at=self.clock(),
            release=self.release,
            params=dict(plan.params),
            stages=stages,
            datasets=datasets,
        )

    def _stage(
        self, pipeline: str, record: StageRecord, result: Result | None, run: str, executed: dict[str, Path]
    ) -> PublishedStage:
        folder = record.folder or (result.folder if result is not None else "")
        source = self.root / folder / NOTEBOOK_FILE if folder else None
        notebook = (
            f"{EXECUTED}/{pipeline}/{record.id}.ipynb" if source is not None and source.is_file() else ""
        )
        if notebook and source is not None:
            executed[notebook] = source
        return PublishedStage(
            fingerprint=result.fingerprint if result is not None else "",
            run=record.of_run or run,
            attempt=record.attempt or (result.attempt if result is not None else 0),
            notebook=notebook,
        )

    def _adopt(self, report: RunReport) -> None:
        """Copy the executed notebooks of results that other environments came to: they may be removed there."""
        latest = self.journal().results.latest(report.plan.pipeline)
        for result in latest.values():
            state = self.elsewhere.get(result.source)
            target = self.root / result.folder / NOTEBOOK_FILE
            if state is None or not result.folder or target.is_file():
                continue
            source = state / Path(result.folder).relative_to(".stagebook") / NOTEBOOK_FILE
            with contextlib.suppress(OSError):  # it is gone: the result is as good without
                make_private(target.parent)
                shutil.copyfile(source, target)


def record(
    versions: Versions, journal: Journal, environment: Environment, origin: Origin, make_id: Callable[[], str]
) -> bool:
    """Tell the journal of an environment of the version that it shows, if that is not told there: the pointer is the truth,
    and who moved it may have been killed. Of a rollback that is a run of its own. Whether there was anything to tell.

    Raises:
        JournalUnreadable: it cannot be written.
        UsageError: the pointer is damaged.
    """
    current = versions.current()
    if current is None or journal.last_version >= current.version:
        return False
    before = None
    with contextlib.suppress(UsageError):  # it is gone, or there was none
        before = versions.find(current.before)
    events: list[Event] = []
    for name, one in current.pipelines.items():
        if before is not None and before.pipelines.get(name) == one and not current.shows:
            continue
        told = _told(current, one, environment)
        events += _as_a_run(told, name, origin, make_id()) if current.shows else [told]
    journal.append(events)
    return True


def _told(manifest: Manifest, one: PublishedPipeline, environment: Environment) -> VersionPublished:
    same = ("environment", "version", "at", "kind", "by", "because", "approved_by", "release", "shows")
    stages = {name: [stage.run, stage.attempt] for name, stage in one.stages.items()}
    return VersionPublished(
        run=one.run,
        stages=stages,
        alias=environment.alias,
        folder=f"{environment.path}/{path_of(manifest.version)}" if environment.publish == "run" else "",
        **{name: getattr(manifest, name) for name in same},
    )


def _as_a_run(told: VersionPublished, pipeline: str, origin: Origin, run: str) -> list[Event]:
    plan = {"pipeline": pipeline, "path": "", "params": {}, "stages": []}
    started = RunStarted(
        run=run,
        at=told.at,
        pipeline=pipeline,
        plan=plan,
        origin=origin,
        kind="rollback",
        quiet=True,
        environment=told.environment,
        release=told.release,
    )
    reason = f"shows version {told.shows}" + (f": {told.because}" if told.because else "")
    ended = RunEnded(run=run, at=told.at, status=Status.COMPLETED, reason=reason)
    return [started, dataclasses.replace(told, run=run), ended]


def _with_other_partitions(
    datasets: Mapping[str, PublishedDataset], before: Mapping[str, PublishedDataset]
) -> dict[str, PublishedDataset]:
    """These datasets, and of those that have partitions the ones that were shown before."""
    parted = {name.partition("[")[0] for name in datasets if "[" in name}
    others = {name: one for name, one in before.items() if "[" in name and name.partition("[")[0] in parted}
    return dict(sorted({**others, **datasets}.items()))


def _earlier_notebooks(pipelines: Mapping[str, PublishedPipeline], version: Path) -> dict[str, Path]:
    """The executed notebooks of an earlier version, by their paths in it."""
    names = (stage.notebook for one in pipelines.values() for stage in one.stages.values())
    return {name: version / name for name in names if name and (version / name).is_file()}


def _outcome(audit: Audit | None) -> str:
    return "" if audit is None else _WORDS.get(audit.worst(), "failed")

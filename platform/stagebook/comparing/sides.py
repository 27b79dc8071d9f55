"""The sides that a person may name: the working tree, a run, an environment, one of its versions, a release."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stagebook.artifact import Artifacts
from stagebook.audits import Audits
from stagebook.comparing.side import Side, SideDataset, SidePipeline, SideStage
from stagebook.errors import JournalUnreadable, RunNotFound, UsageError, did_you_mean
from stagebook.events import AttemptEnded, StageAccepted, StageReused, Status
from stagebook.execution.attempt import NOTEBOOK_FILE
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal, RunRecord
from stagebook.journal.result_table import ResultTable
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.result import Result
from stagebook.project import Project
from stagebook.published.manifest import PublishedPipeline
from stagebook.runs.datasets import Dataset, Datasets, plans_of
from stagebook.runs.shown import ShownTable, ShownVersion, shown_table
from stagebook.sharing.shared_store import SharedStore
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER

TREE = "."


class Sides:
    """Finds what texts name. `home` is the project in its working tree."""

    def __init__(self, home: Project) -> None:
        self._home = home
        plans, self.broken = plans_of(home.preparer, home.catalog.names())
        self._plans = {plan.pipeline: plan for plan in plans}
        self._known = {one.name: one for one in Datasets(plans, home.preparer).all}

    def find(self, text: str) -> Side:
        """The side that a text names: `.` or `dev`, `ENVIRONMENT`, `ENVIRONMENT@VERSION`, the beginning of the id of a run or
        of a release, `latest`.

        Raises:
            UsageError: it names nothing, or nothing was published there.
            RunNotFound: it is the beginning of several runs.
        """
        if text in {TREE, DEV, ""}:
            return self.tree()
        name, at, version = text.partition("@")
        known = self._home.environments.all()
        if name in known:
            if at and not version.isdecimal():
                raise UsageError(f"'{version}' is no version", hint=f"stagebook env show {name}")
            return self.published(name, int(version) if at else None)
        if (found := self._run(text)) is not None:
            return found
        for one in self._home.environments.releases.all():
            if len(text) >= 4 and one.id.startswith(text):
                return self._of_release(one.id)
        hint = (
            did_you_mean(text, [*known, DEV])
            or "name a run, an environment, ENVIRONMENT@VERSION, a release or dev"
        )
        raise UsageError(f"there is no run, environment or release '{text}'", hint=hint)

    # -- the working tree -----------------------------------------------------------------------

    def tree(self) -> Side:
        """The working tree: of stages that are up to date their results, of the others what they wait for."""
        pipelines = {name: self._planned(plan) for name, plan in self._plans.items()}
        return Side(label="the working tree", pipelines=pipelines)

    def _planned(self, plan: Plan) -> SidePipeline:
        stages: dict[str, SideStage] = {}
        datasets: dict[str, SideDataset] = {}
        for stage in plan.stages:
            if stage.decision is Decision.SKIP:
                continue
            judgement = stage.judgement
            result = judgement.result if judgement is not None and stage.decision is Decision.REUSE else None
            if result is None:
                stages[stage.id] = _pending(stage)
                continue
            stages[stage.id] = self._of_result(result, self._home.root / STATE_FOLDER)
            datasets |= self._datasets(plan.pipeline, stage.id, result.outputs, result.audits)
        return SidePipeline(params=dict(plan.params), stages=stages, datasets=datasets)

    # -- an environment -------------------------------------------------------------------------

    def published(self, name: str, version: int | None = None) -> Side:
        """What an environment shows, or showed. Raises `UsageError`."""
        shown = self.shown.find(self._home.environments.find(name), version)
        if shown is None:
            raise UsageError(
                f"nothing was published to {name} yet",
                hint=f"stagebook promote dev {name}, or deploy --to {name}",
            )
        return self.of_shown(shown)

    @functools.cached_property
    def shown(self) -> ShownTable:
        """What environments show, also those whose folders are elsewhere."""
        return shown_table(self._home.placement, self._home.settings, self._home.store)

    def of_shown(self, shown: ShownVersion) -> Side:
        """What an environment shows."""
        manifest = shown.manifest
        tables = self._tables(first=manifest.environment)
        pipelines = {
            name: self._of_published(name, one, shown, tables) for name, one in manifest.pipelines.items()
        }
        label = f"{manifest.environment}, version {manifest.version}"
        return Side(label=label, release=manifest.release, pipelines=pipelines)

    def _of_published(
        self, name: str, one: PublishedPipeline, shown: ShownVersion, tables: Mapping[str, ResultTable]
    ) -> SidePipeline:
        stages = {}
        audits: dict[str, Audits] = {}
        shared = self.shown.shared if shown.told is not None else None
        for stage, published in one.stages.items():
            result = _by_fingerprint(published.fingerprint, tables.values(), shared)
            made = (
                self._of_result(result, None)
                if result is not None
                else SideStage(fingerprint=published.fingerprint)
            )
            notebook = shown.notebook(published, shared, self._home.store)
            stages[stage] = dataclasses.replace(made, notebook=notebook)
            audits[stage] = result.audits if result is not None else {}
        datasets: dict[str, SideDataset] = {}
        folder = shown.folder
        for full, dataset in one.datasets.items():
            stage, _, output = full.rpartition(".")
            found = self._datasets(name, stage, {output: dataset.artifact}, audits.get(stage, {}))
            place = (
                folder / dataset.artifact.path
                if folder is not None and not dataset.artifact.external
                else None
            )
            datasets |= {key: dataclasses.replace(item, place=place) for key, item in found.items()}
        return SidePipeline(params=one.params, stages=stages, datasets=datasets)

    # -- a run ----------------------------------------------------------------------------------

    def run(self, run: RunRecord, journal: Journal, state: Path) -> Side:
        """A run that is in a journal. `state`: the folder that this one is in."""
        events = list(journal.events.of(run.id))
        history = RunHistory(event for _, event in events)
        numbers: dict[str, int] = {}
        for seq, event in events:
            if isinstance(event, StageReused):
                numbers[event.stage] = event.number or seq
            elif isinstance(event, StageAccepted) or (
                isinstance(event, AttemptEnded) and event.cause is None
            ):
                numbers[event.stage] = seq
        listed = ",".join(str(number) for number in numbers.values())
        results = {one.number: one for one in journal.results.where(f"number IN ({listed})", ())}
        stages: dict[str, SideStage] = {}
        datasets: dict[str, SideDataset] = {}
        for stage, record in history.stages.items():
            result = results.get(numbers.get(stage, -1))
            made = self._of_result(result, state) if result is not None else SideStage(scraps=record.scraps)
            is_done = record.status.is_good and record.status is not Status.SKIPPED
            if not is_done:
                made = SideStage(status=str(record.status), notebook=_notebook(state, record.folder))
            stages[stage] = made
            if is_done:
                datasets |= self._datasets(run.pipeline, stage, record.outputs, record.audits)
        started = history.started
        where = f" in {started.environment}" if started is not None and started.environment else ""
        one = SidePipeline(params=run.params, stages=stages, datasets=datasets)
        release = started.release if started is not None else ""
        return Side(label=f"the run {run.id}{where}", release=release, pipelines={run.pipeline: one})

    def _run(self, text: str) -> Side | None:
        """The run of that id, wherever it ran; `None` where there is none."""
        found = {
            run.id: (run, journal, state)
            for journal, state in self._journals()
            for run in (journal.runs.latest(limit=1) if text == "latest" else journal.runs.like(text))
        }
        if text in found:
            return self.run(*found[text])
        if len(found) > 1 and text != "latest":
            raise RunNotFound(f"'{text}' fits several runs", hint=f"such as {' and '.join([*found][:2])}")
        return self.run(*next(iter(found.values()))) if found else None

    def _of_release(self, release: str) -> Side:
        """What a release came to last. Raises `UsageError` where it never ran."""
        for name, environment in self._home.environments.all().items():
            versions = self._home.environments.versions(environment)
            for manifest in versions.all():
                if release in {one.release for one in manifest.pipelines.values()}:
                    return self.published(name, manifest.version)
        raise UsageError(
            f"the release {release[:10]} was not published anywhere",
            hint="compare its code: stagebook releases diff",
        )

    def _journals(self) -> Iterator[tuple[Journal, Path]]:
        """The journals of the project, that of the working tree first, each with the folder that it is in."""
        if self._home.history.has_journal:
            yield self._home.journal, self._home.root / STATE_FOLDER
        states = self._home.placement.states_elsewhere()
        for name, journal in self._home.placement.journals_elsewhere().items():
            yield journal, states[name]

    # -- parts ----------------------------------------------------------------------------------

    def _tables(self, first: str) -> dict[str, ResultTable]:
        """The results of all places of the project, those of one of them first."""
        found = self._home.placement.results_elsewhere()
        if self._home.history.has_journal:
            found = {**found, DEV: self._home.journal.results}
        return dict(sorted(found.items(), key=lambda item: item[0] != first))

    def _of_result(self, result: Result, state: Path | None) -> SideStage:
        return SideStage(
            fingerprint=result.fingerprint,
            parts=result.parts,
            scraps=result.scraps,
            notebook=_notebook(state, result.folder)
            or _notebook(self._home.environments.states().get(result.source), result.folder),
        )

    def _datasets(
        self, pipeline: str, stage: str, outputs: Artifacts, audits: Audits
    ) -> dict[str, SideDataset]:
        found = {}
        for name, artifact in outputs.items():
            known: Dataset | None = self._known.get(f"{pipeline}.{stage}.{name.partition('[')[0]}")
            contract = known.contract if known is not None else None
            audit = audits.get(name.partition("[")[0])
            personal = {*(contract.personal if contract else ()), *(audit.personal if audit else ())}
            found[f"{stage}.{name}"] = SideDataset(
                artifact=artifact,
                key=known.key if known is not None else (),
                personal=tuple(sorted(personal)),
                table=contract.table if contract is not None else "",
            )
        return found


def _pending(stage: PlannedStage) -> SideStage:
    words = {Decision.RUN: "would run", Decision.WAIT: "waits", Decision.AUDIT: "audits again"}
    reason = f": {stage.reasons[0]}" if stage.reasons else ""
    fingerprint = stage.judgement.fingerprint if stage.judgement is not None else None
    return SideStage(
        parts=fingerprint.parts if fingerprint is not None else {},
        pending=f"{words.get(stage.decision, str(stage.decision))}{reason}",
    )


def _notebook(state: Path | None, folder: str) -> Path | None:
    """The executed notebook in the folder of an attempt, which lies in a state; `None` where it is gone."""
    if state is None or not folder:
        return None
    path = state / Path(folder).relative_to(STATE_FOLDER) / NOTEBOOK_FILE
    return path if path.is_file() else None


def _by_fingerprint(
    fingerprint: str, tables: Iterable[ResultTable], shared: SharedStore | None
) -> Result | None:
    for table in tables if fingerprint else ():
        with contextlib.suppress(JournalUnreadable):
            if found := table.where("fingerprint = ?", (fingerprint,)):
                return found[0]
    return next(shared.find(fingerprint), None) if shared is not None and fingerprint else None

"""The runs of a project that are in its journal, and their stages."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import RunNotFound, did_you_mean
from stagebook.events import AttemptEnded, Status
from stagebook.journal.history import RunHistory, StageRecord
from stagebook.journal.journal import Journal, RunRecord
from stagebook.planning.result import Results, scrap_values
from stagebook.runs.asides import put_back
from stagebook.runs.lease import liveness_of
from stagebook.workspace.paths import STATE_FOLDER


class History:
    """The runs of the project at `root`. Nothing is read before it is asked for.

    Args:
        root: the project.
        clock: seconds since the epoch.
        interrupted: is told the ids of runs that were marked as interrupted.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.time,
        interrupted: Callable[[list[str]], None] = lambda _runs: None,
    ) -> None:
        self.root = root
        self._clock = clock
        self._interrupted = interrupted
        self._journal: Journal | None = None

    def close(self) -> None:
        """Close the journal; it is opened again when it is asked for."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use; runs whose process vanished are closed then."""
        if self._journal is None:
            self._journal = Journal(self.root / STATE_FOLDER / "journal.db")
            self.close_abandoned()
        return self._journal

    @property
    def has_journal(self) -> bool:
        """Whether anything was recorded yet."""
        return (self.root / STATE_FOLDER / "journal.db").exists()

    def runs(self, pipeline: str | None = None, limit: int = 20, *, points: bool = True) -> list[RunRecord]:
        """The latest runs, the newest first; without `points` no points of sweeps are among them."""
        if not self.has_journal:
            return []
        return self.journal.runs.latest(pipeline=pipeline, limit=limit, points=points)

    def experiment(self, pipeline: str) -> str | None:
        """The id of the MLflow experiment of a pipeline, by its latest run that MLflow has."""
        places = (self.journal.outbox.tracked(run.id) for run in self.runs(pipeline))
        return next((place[0] for place in places if place is not None), None)

    def close_abandoned(self) -> list[str]:
        """Mark runs whose process vanished as interrupted; their ids."""
        if not self.journal.is_writable:
            return []
        found = self.journal.close_abandoned(liveness_of, self._clock())
        put_back(self.root, self.journal)
        if found:
            self._interrupted(found)
        return found

    def find(self, run: str | None = None) -> RunRecord:
        """A run by its id or the beginning of it; the latest one if none is named.

        Raises:
            RunNotFound: there is none, or the beginning fits several.
        """
        if run in {None, "latest"}:
            known = self.runs(limit=1)
            if not known:
                raise RunNotFound("nothing was run yet", hint="start with: stagebook run")
            return known[0]
        found: list[RunRecord] = []
        if self.has_journal:
            exact = self.journal.runs.find(str(run))
            found = [exact] if exact is not None else self.journal.runs.like(str(run))
        if len(found) == 1:
            return found[0]
        if found:
            msg = f"'{run}' fits several runs"
            raise RunNotFound(msg, hint=f"such as {found[0].id} and {found[1].id}")
        raise RunNotFound(f"there is no run '{run}'", hint="stagebook runs lists them")

    def find_unfinished(self) -> RunRecord:
        """The latest run, if it did not come to a good end.

        Raises:
            RunNotFound: nothing was run yet, or the latest run completed.
        """
        run = self.journal.runs.latest_begun() if self.has_journal else None
        if run is None:
            raise RunNotFound("nothing was run yet", hint="start with: stagebook run")
        if run.status is Status.COMPLETED:
            msg = f"the latest run, {run.id} of {run.pipeline}, completed: nothing is left of it"
            raise RunNotFound(msg, hint="name another one; stagebook runs lists them")
        return run

    def of(self, run: RunRecord) -> RunHistory:
        """What happened in a run, stage by stage."""
        return RunHistory(event for _, event in self.journal.events.of(run.id))

    def stage(self, run: RunRecord, stage: str) -> StageRecord:
        """One stage of a run. Raises `RunNotFound`."""
        stages = self.of(run).stages
        if stage not in stages:
            raise RunNotFound(f"the run {run.id} has no stage '{stage}'", hint=did_you_mean(stage, stages))
        return stages[stage]

    def with_times(self, stage: StageRecord) -> StageRecord:
        """The record of a stage; of a reused one with the times, the usual one too, and the memory of the attempt that made its
        result."""
        if not stage.number or stage.started is not None:
            return stage
        made = self.journal.events.find(stage.number)
        if not isinstance(made, AttemptEnded):
            return stage  # accepted: nothing ran
        begun = self.journal.events.start_of(stage.number)
        return dataclasses.replace(
            stage,
            started=None if begun is None else begun.at,
            expected=None if begun is None else begun.expected,
            ended=made.at,
            cpu=made.cpu,
            memory=made.memory,
        )

    def latest_stages(self, pipeline: str) -> dict[str, tuple[RunRecord, StageRecord]]:
        """For each stage of a pipeline, the last run that did anything about it."""
        latest: dict[str, tuple[RunRecord, StageRecord]] = {}
        if not self.has_journal:
            return latest
        by_run: dict[str, list[str]] = {}
        for stage, run_id in self.journal.events.last_runs(pipeline).items():
            by_run.setdefault(run_id, []).append(stage)
        for run_id, names in by_run.items():
            if (run := self.journal.runs.find(run_id)) is not None:
                stages = self.of(run).stages
                latest |= {name: (run, stages[name]) for name in names if name in stages}
        for run in self.journal.runs.going_on(pipeline):
            stages = self.of(run).stages
            latest |= {name: (run, it) for name, it in stages.items() if it.status is not Status.SKIPPED}
        return latest


class EarlierScraps:
    """The scraps of earlier runs of a pipeline, read when they are first asked for."""

    def __init__(self, history: History, results: Results, pipeline: str) -> None:
        self._history = history
        self._results = results
        self._pipeline = pipeline
        self._latest: dict[str, tuple[RunRecord, StageRecord]] | None = None

    def __call__(self, stage: str) -> Mapping[str, Any] | None:
        """Those of a stage instance; None if it never completed."""
        result = self._results.latest(self._pipeline, stage)
        if result is not None:
            return result.values
        if self._latest is None:
            self._latest = self._history.latest_stages(self._pipeline)
        known = self._latest.get(stage)
        if known is None or known[1].status not in {Status.COMPLETED, Status.REUSED}:
            return None
        return scrap_values(known[1].scraps)

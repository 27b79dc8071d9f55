"""Runs in MLflow: an experiment for a pipeline, a run for a run, a child run for an attempt.

`Tracker.take` is told one event after the other, in their order, and may be told some again after a crash: what it
does then changes nothing. An event is delivered in parts; a part that MLflow refuses costs no other.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook import events
from stagebook.events import Event, Status
from stagebook.journal.journal import Journal, attempt_key
from stagebook.published.models import note_models
from stagebook.system.mlflow_hook import STARTED_BY
from stagebook.tracking import mlflow
from stagebook.tracking.attempt_record import AttemptRecord, finite, metrics_of, status_of
from stagebook.tracking.dataset_record import DatasetRecord
from stagebook.tracking.mlflow import Mlflow
from stagebook.tracking.notes import tell_note
from stagebook.tracking.outcomes import Gone, Refused, StoreReplaced
from stagebook.tracking.telling import Telling
from stagebook.tracking.values import mapping, text
from stagebook.workspace.paths import home_of

TRIES = 3  # of one event; what fails then, though all else is well, is passed over


def warm_up(uri: str) -> None:
    """Open a store that is there, ahead of its use."""
    mlflow.open_store(uri)


class Tracker:
    """Tells MLflow what happened. `root` is the project root; artifacts are read below it."""

    def __init__(self, journal: Journal, uri: str, root: Path) -> None:
        self._journal = journal
        self._outbox = journal.outbox
        self._home = home_of(root)
        self._mlflow = Mlflow(uri, self._home)
        self._record = AttemptRecord(root)
        self._datasets = DatasetRecord(journal, self._mlflow)
        self._params: dict[str, Mapping[str, Any]] = {}  # of attempts, by key
        self._failing: tuple[Event, int] | None = None
        self._made_again: set[str] = set()
        self._since = time.time()  # an event from before may have been told in part by another process
        self._again = True

    def take(self, event: Event) -> None:
        """Tell MLflow of one event. Raises `Refused` where it is not taken, `StoreReplaced`, and what MLflow raises
        where it cannot be reached; then the event is to be told again.

        A run in which, by its plan, nothing is to be done is not worth a line there: it gets one with
        its first attempt, should there be one after all.
        """
        if self._mlflow.is_replaced():
            raise StoreReplaced
        tries = self._failing[1] if self._failing and self._failing[0] == event else 0
        self._mlflow.is_lenient = tries + 1 >= TRIES
        self._failing = event, tries + 1
        try:
            self._tell(event, again=not event.at > self._since)
        except Gone as error:
            if event.run not in self._made_again:
                self._make_again(event)
            elif self._mlflow.is_lenient and self._mlflow.is_well():
                raise Refused(str(error)) from error
            else:
                raise
        self._failing = None

    def _tell(self, event: Event, *, again: bool) -> None:
        self._again = again
        self._datasets.take(event)
        match event:
            case events.RunStarted():
                if not event.quiet:
                    self._run_started(event)
            case events.AttemptStarted():
                self._attempt_started(event)
            case events.StageReused() | events.StageAccepted():
                self._stage_taken(event)
            case events.AttemptEnded() | events.StageMeasured():
                self._of_attempt(event)
            case events.StageEnded():
                self._stage_ended(event)
            case events.VersionPublished():
                _tell_version(self._mlflow, self._journal, self._home / event.folder, event)
            case events.NoteAdded():
                tell_note(self._mlflow, self._journal, event)
            case events.RunEnded():
                self._run_ended(event)
                self._datasets.forget(event.run)

    def _make_again(self, until: Event) -> None:
        """Make a run again that is not there any more, with all that was told of it."""
        self._made_again.add(until.run)
        self._mlflow.forget()
        self._outbox.forget(until.run)
        for _, event in self._journal.events.of(until.run):
            if event == until:
                break
            with contextlib.suppress(Refused):
                self._tell(event, again=True)
        self._tell(until, again=True)

    # -- runs -----------------------------------------------------------------------------------

    def _run_started(self, event: events.RunStarted) -> None:
        experiment = self._mlflow.experiment(text(event.pipeline + event.experiment, 500))
        origin, plan = event.origin, mapping(event.plan)
        tags = {
            "stagebook.key": event.run,
            "stagebook.run_id": event.run,
            "stagebook.kind": event.kind,
            "stagebook.status": str(Status.RUNNING),
            "stagebook.pipeline": event.pipeline,
            "stagebook.command": origin.command,
            mlflow.SOURCE: plan.get("path", event.pipeline),
            mlflow.USER: origin.user,
            mlflow.NOTE: plan.get("description", ""),
            **mlflow.PROJECT,
        }
        parent = self._outbox.tracked(event.parent) if event.parent else None
        if parent is not None:
            tags[mlflow.PARENT] = parent[1]
            tags["stagebook.sweep"] = event.parent
        for name, value in (
            ("resumes", event.resumes),
            ("environment", event.environment),
            ("release", event.release),
            ("schedule", event.schedule),
            ("interval", mapping(event.interval).get("name", "")),
        ):
            if value:
                tags[f"stagebook.{name}"] = value
        if origin.commit:
            tags[mlflow.COMMIT] = origin.commit
            tags["stagebook.changed"] = str(origin.changed).lower()
        run = self._mlflow.run(self._open(event.run, experiment, event.run, event.at, tags))
        with Telling(self._outbox, event) as telling:
            with telling.part("parameters"):
                telling.log(run, params=mapping(plan.get("params")))
            with telling.part("plan.json"):
                run.document(plan, "plan.json")

    def _run_ended(self, event: events.RunEnded) -> None:
        found = self._outbox.tracked(event.run)
        if found is None:
            return
        experiment, run = found
        tags = {"stagebook.status": str(event.status)}
        if event.reason:
            tags["stagebook.reason"] = event.reason
        with Telling(self._outbox, event) as telling:
            if event.status is Status.INTERRUPTED:
                with telling.part("stages that were interrupted"):
                    self._interrupted(telling, event, experiment, run)
            self._datasets.tell(telling, event)
            with telling.part("runs that notebooks started"):
                self._adopt(event.run)
            with telling.part("status"):
                telling.log(self._mlflow.run(run), tags=tags)
            with telling.part("end"):
                self._mlflow.close(run, event.status, event.at)
        self._params.clear()

    def _interrupted(self, telling: Telling, event: events.RunEnded, experiment: str, run: str) -> None:
        for child, tags in self._mlflow.children(experiment, run):
            params = self._params_of(event.run, tags.get("stagebook.key", ""))
            said = {"stagebook.reason": event.reason, "stagebook.status": str(Status.INTERRUPTED)}
            telling.log(self._mlflow.run(child), params=params, tags=said)
            self._mlflow.close(child, Status.INTERRUPTED, event.at)

    def _adopt(self, run: str) -> None:
        """The runs that notebooks started get the run of their attempt as parent, if they have none."""
        for child, tags in self._mlflow.started_by(STARTED_BY, f"{run}/"):
            parent = self._outbox.tracked(tags.get(STARTED_BY, ""))
            if parent is not None and mlflow.PARENT not in tags:
                self._mlflow.run(child).log(tags={mlflow.PARENT: parent[1]})

    # -- attempts -------------------------------------------------------------------------------

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        parent = self._outbox.tracked(event.run)
        if parent is None:
            self._catch_up(event.run)
            parent = self._outbox.tracked(event.run)
        if parent is None:
            return
        name = event.stage if event.attempt == 1 else f"{event.stage} (attempt {event.attempt})"
        tags = _child_tags(event.run, parent[1], event.stage, event.attempt)
        key = attempt_key(event.run, event.stage, event.attempt)
        self._open(key, parent[0], name, event.at, tags)
        # They are logged at the end: what the notebook itself says of a parameter comes first.
        self._params[key] = mapping(event.params)

    def _params_of(self, run: str, key: str) -> Mapping[str, Any]:
        if key not in self._params:
            for _, event in self._journal.events.of(run):
                if isinstance(event, events.AttemptStarted):
                    self._params[attempt_key(run, event.stage, event.attempt)] = mapping(event.params)
        return self._params.get(key, {})

    def _catch_up(self, run: str) -> None:
        """Tell of a run that was to do nothing, and does something after all."""
        for _, event in self._journal.events.of(run):
            if isinstance(event, events.RunStarted):
                self._run_started(event)
            elif isinstance(event, events.StageReused):
                self._stage_taken(event)

    def _stage_taken(self, event: events.StageReused | events.StageAccepted) -> None:
        """A stage that did not run has figures all the same, so that runs can be compared."""
        parent = self._outbox.tracked(event.run)
        if parent is None:
            return
        if isinstance(event, events.StageReused):
            said = f"reused from {event.of_run}"
        else:
            said = f"accepted: {event.because}"
        metrics = metrics_of(finite(event.scraps), event.at, f"{event.stage.replace('@', '.')}.")
        with Telling(self._outbox, event) as telling, telling.part("values"):
            telling.log(self._mlflow.run(parent[1]), metrics=metrics, tags={f"stage.{event.stage}": said})

    def _of_attempt(self, event: events.AttemptEnded | events.StageMeasured) -> None:
        key = attempt_key(event.run, event.stage, event.attempt)
        parent, child = self._outbox.tracked(event.run), self._outbox.tracked(key)
        if parent is None or child is None:
            return
        runs = {"child": self._mlflow.run(child[1]), "parent": self._mlflow.run(parent[1])}
        with Telling(self._outbox, event) as telling:
            if isinstance(event, events.StageMeasured):
                self._record.tell_figures(telling, event, **runs)
                self._datasets.tell(telling, event)
                return
            params = self._params_of(event.run, key)
            self._record.tell(telling, event, params, **runs)
            self._datasets.tell(telling, event)
            # Last, and whatever the notebook's own calls left: the status is the one of the journal.
            with telling.part("end"):
                self._mlflow.close(child[1], status_of(event), event.at)

    def _stage_ended(self, event: events.StageEnded) -> None:
        """A stage without any attempt gets a run too, so that MLflow shows the same stages."""
        parent = self._outbox.tracked(event.run)
        if parent is None or event.status not in {Status.BLOCKED, Status.CANCELLED}:
            return
        if self._outbox.tracked(attempt_key(event.run, event.stage, 1)) is not None:
            return
        tags = _child_tags(event.run, parent[1], event.stage, 0)
        tags |= {"stagebook.reason": event.reason, "stagebook.status": str(event.status)}
        key = attempt_key(event.run, event.stage, 0)
        run = self._open(key, parent[0], event.stage, event.at, tags)
        self._mlflow.close(run, event.status, event.at)

    def _open(self, key: str, experiment: str, name: str, at: float, tags: Mapping[str, Any]) -> str:
        """Create the MLflow run of a key, or find the one that a crash left without a note."""
        known = self._outbox.tracked(key)
        if known is not None:
            return known[1]
        run = self._mlflow.find(experiment, key) if self._again else None
        if run is None:
            run = self._mlflow.create(experiment, name, at, tags)
        self._outbox.track(key, experiment, run)
        return run


def _tell_version(store: Mlflow, journal: Journal, folder: Path, event: events.VersionPublished) -> None:
    """The run of a version says so. The models that its stages registered are noted in the `folder` of the version, and get
    the alias of the environment."""
    found = journal.outbox.tracked(event.run)
    keys = {attempt_key(str(run), stage, int(number)) for stage, (run, number) in event.stages.items()}
    with Telling(journal.outbox, event) as telling:
        if found is not None:
            with telling.part("version"):
                tags = {"stagebook.version": str(event.version), "stagebook.published_by": event.by}
                telling.log(store.run(found[1]), tags=tags)
        models: dict[str, int] = {}
        with telling.part("models"):
            models = store.models.of(keys)
            if event.folder:
                note_models(folder, journal.runs.pipeline_of(event.run) or "", models)
        if event.alias and models:
            with telling.part(f"alias {event.alias}"):
                store.models.give_alias(event.alias, models)


def _child_tags(run: str, parent: str, stage: str, attempt: int) -> dict[str, Any]:
    return {
        "stagebook.key": attempt_key(run, stage, attempt),
        "stagebook.run_id": run,
        "stagebook.kind": "stage",
        "stagebook.stage": stage,
        "stagebook.attempt": str(attempt),
        "stagebook.status": str(Status.RUNNING),
        mlflow.PARENT: parent,
    }

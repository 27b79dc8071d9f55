"""Runs in MLflow: an experiment for a pipeline, a run for a run, a child run for an attempt.

The only door to mlflow. `Tracker.take` is told one event after the other, in their order, and
may be told the last one again after a crash: what it does then changes nothing.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, SourceType
from mlflow.exceptions import MlflowException
from mlflow.utils import mlflow_tags

from stagebook import events
from stagebook.artifact import Artifact
from stagebook.events import Cause, Event, Status
from stagebook.journal.history import figures
from stagebook.journal.journal import Journal, attempt_key
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.tracking.chart import profiles
from stagebook.tracking.html import write_html

MAX_PARAM = 6000  # characters; MLflow cuts longer ones
MAX_TAG = 5000
MAX_ARTIFACT = 1_000_000  # bytes; larger outputs are logged as datasets alone
BATCH = 100  # datasets a call

_STATUS = {
    Status.COMPLETED: "FINISHED",
    Status.REUSED: "FINISHED",
    Status.SKIPPED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.BLOCKED: "KILLED",
    Status.CANCELLED: "KILLED",
    Status.INTERRUPTED: "KILLED",
}
# Has MLflow's pages open on the table of runs, not on traces of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_UNFIT = re.compile(r"[^\w./ -]")


class Tracker:
    """Tells MLflow what happened. `root` is the project root; artifacts are read below it."""

    def __init__(self, journal: Journal, uri: str, root: Path) -> None:
        self._journal = journal
        self._root = root
        self._client = MlflowClient(tracking_uri=uri)
        self._store = Store(root / ".stagebook" / "store")
        self._experiments: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Tell MLflow of one event. Raises what MLflow raises where it cannot be reached.

        A run in which, by its plan, nothing is to be done is not worth a line there: it gets one with
        its first attempt, should there be one after all.
        """
        match event:
            case events.RunStarted():
                if not event.quiet:
                    self._run_started(event)
            case events.AttemptStarted():
                self._attempt_started(event)
            case events.StageReused() | events.StageAccepted():
                self._stage_taken(event)
            case events.AttemptEnded():
                self._attempt_ended(event)
            case events.StageEnded():
                self._stage_ended(event)
            case events.RunEnded():
                self._run_ended(event)

    # -- runs -----------------------------------------------------------------------------------

    def _run_started(self, event: events.RunStarted) -> None:
        experiment = self._experiment(event.pipeline)
        origin = event.origin
        tags = {
            "stagebook.key": event.run,
            "stagebook.run_id": event.run,
            "stagebook.kind": event.kind,
            "stagebook.status": str(Status.RUNNING),
            "stagebook.pipeline": event.pipeline,
            "stagebook.command": str(origin.get("command", "")),
            mlflow_tags.MLFLOW_SOURCE_NAME: str(event.plan.get("path", event.pipeline)),
            mlflow_tags.MLFLOW_SOURCE_TYPE: SourceType.to_string(SourceType.PROJECT),
            mlflow_tags.MLFLOW_USER: str(origin.get("user", "")),
            mlflow_tags.MLFLOW_RUN_NOTE: str(event.plan.get("description", "")),
        }
        parent = self._journal.outbox.tracked(event.parent) if event.parent else None
        if parent is not None:
            tags[mlflow_tags.MLFLOW_PARENT_RUN_ID] = parent[1]
            tags["stagebook.sweep"] = event.parent
        if event.resumes:
            tags["stagebook.resumes"] = event.resumes
        if origin.get("commit"):
            tags[mlflow_tags.MLFLOW_GIT_COMMIT] = str(origin["commit"])
            tags["stagebook.changed"] = str(bool(origin.get("changed"))).lower()
        run = self._open(event.run, experiment, event.run, event.at, tags)
        self._log_params(run, event.plan.get("params", {}))
        self._client.log_dict(run, dict(event.plan), "plan.json")

    def _run_ended(self, event: events.RunEnded) -> None:
        found = self._journal.outbox.tracked(event.run)
        if found is None:
            return
        experiment, run = found
        if event.status is Status.INTERRUPTED:
            query = f"tags.`{mlflow_tags.MLFLOW_PARENT_RUN_ID}` = '{run}' and attributes.status = 'RUNNING'"
            for child in self._client.search_runs([experiment], query):
                self._client.set_tag(child.info.run_id, "stagebook.reason", event.reason)
                self._close(child.info.run_id, Status.INTERRUPTED, event.at)
        if event.reason:
            self._client.set_tag(run, "stagebook.reason", event.reason[:MAX_TAG])
        self._close(run, event.status, event.at)

    # -- attempts -------------------------------------------------------------------------------

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        parent = self._journal.outbox.tracked(event.run)
        if parent is None:
            self._catch_up(event.run)
            parent = self._journal.outbox.tracked(event.run)
        if parent is None:
            return
        name = event.stage if event.attempt == 1 else f"{event.stage} (attempt {event.attempt})"
        tags = _child_tags(event.run, parent[1], event.stage, event.attempt)
        key = attempt_key(event.run, event.stage, event.attempt)
        run = self._open(key, parent[0], name, event.at, tags)
        self._log_params(run, event.params)

    def _catch_up(self, run: str) -> None:
        """Tell of a run that was to do nothing, and does something after all."""
        for _, event in self._journal.events.of(run):
            if isinstance(event, events.RunStarted):
                self._run_started(event)
            elif isinstance(event, events.StageReused):
                self._stage_taken(event)

    def _stage_taken(self, event: events.StageReused | events.StageAccepted) -> None:
        """A stage that did not run has figures all the same, so that runs can be compared."""
        parent = self._journal.outbox.tracked(event.run)
        if parent is None:
            return
        if isinstance(event, events.StageReused):
            said = f"reused from {event.of_run}"
        else:
            said = f"accepted: {event.because}"
        prefix = event.stage.replace("@", ".")
        metrics = _metrics(_finite(event.scraps), event.at, f"{prefix}.")
        self._client.log_batch(parent[1], metrics, tags=_tags({f"stage.{event.stage}": said}))

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        parent = self._journal.outbox.tracked(event.run)
        child = self._journal.outbox.tracked(attempt_key(event.run, event.stage, event.attempt))
        if parent is None or child is None:
            return
        used = {"seconds": event.seconds, "cpu_seconds": event.cpu, "peak_memory_mb": event.memory / 1e6}
        metrics = {**used, **_finite(event.scraps)}
        tags = {f"scrap.{name}": text for name, text in _texts(event.scraps).items()}
        if event.cause is not None:
            tags |= {"stagebook.cause": str(event.cause), "stagebook.message": event.message}
            if event.cell is not None:
                tags["stagebook.cell"] = f"{event.cell} of {event.cells}"
        self._client.log_batch(child[1], _metrics(metrics, event.at), tags=_tags(tags))
        if event.cause is None:
            prefix = event.stage.replace("@", ".")
            self._client.log_batch(parent[1], _metrics(metrics, event.at, f"{prefix}."))
        datasets = _datasets(event)
        for start in range(0, len(datasets), BATCH):
            self._client.log_inputs(child[1], datasets[start : start + BATCH])
        self._log_artifacts(child[1], event)
        # Last, and whatever the notebook's own calls left: the status is the one of the journal.
        status = Status.COMPLETED if event.cause is None else Status.FAILED
        self._close(child[1], Status.CANCELLED if event.cause is Cause.CANCELLED else status, event.at)

    def _stage_ended(self, event: events.StageEnded) -> None:
        """A stage without any attempt gets a run too, so that MLflow shows the same stages."""
        parent = self._journal.outbox.tracked(event.run)
        if parent is None or event.status not in {Status.BLOCKED, Status.CANCELLED}:
            return
        if self._journal.outbox.tracked(attempt_key(event.run, event.stage, 1)) is not None:
            return
        tags = _child_tags(event.run, parent[1], event.stage, 0)
        key = attempt_key(event.run, event.stage, 0)
        run = self._open(key, parent[0], event.stage, event.at, tags | {"stagebook.reason": event.reason})
        self._close(run, event.status, event.at)

    def _log_artifacts(self, run: str, event: events.AttemptEnded) -> None:
        folder = self._root / ".stagebook" / "runs" / event.run / event.stage / str(event.attempt)
        notebook = folder / "notebook.ipynb"
        if notebook.is_file():
            page = folder / "notebook.html"
            try:
                write_html(notebook, page)
            except Exception as error:  # noqa: BLE001 - the page is a courtesy, the notebook is there
                page.write_text(f"<!doctype html><p>The page could not be made: {type(error).__name__}.")
            self._client.log_artifact(run, str(notebook))
            self._client.log_artifact(run, str(page))
            self._client.log_batch(run, _cell_metrics(notebook, round(event.at * 1000)))
        for file in sorted(folder.glob("notebook_files/*")):
            if file.stat().st_size < MAX_ARTIFACT:
                self._client.log_artifact(run, str(file), "notebook_files")
        if (folder / "log.txt").is_file():
            self._client.log_artifact(run, str(folder / "log.txt"))
        if (folder / "scraps").is_dir():
            self._client.log_artifacts(run, str(folder / "scraps"), "scraps")
        if event.cause is None:
            for item in event.outputs.values():
                if item.size is not None and item.size < MAX_ARTIFACT and not item.folder:
                    self._log_output(run, item)

    def _log_output(self, run: str, item: Artifact) -> None:
        """Log an output as it was made: what is in its place by now may be of a later run."""
        path = self._root / item.path
        with tempfile.TemporaryDirectory() as folder:
            if not path.is_file() or describe_path(path, "").sha256 != item.sha256:
                path = Path(folder) / path.name
                try:
                    self._store.fetch(item, path)
                except BlobDamaged:
                    return
            self._client.log_artifact(run, str(path), "outputs")

    # -- calls ----------------------------------------------------------------------------------

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                self._experiments[name] = self._client.create_experiment(name, tags=_EXPERIMENT_TAGS)
            else:
                if found.lifecycle_stage == "deleted":
                    self._client.restore_experiment(found.experiment_id)
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _open(self, key: str, experiment: str, name: str, at: float, tags: Mapping[str, str]) -> str:
        """Create the MLflow run of a key, or find the one that a crash left without a note."""
        known = self._journal.outbox.tracked(key)
        if known is not None:
            return known[1]
        query = f"tags.`stagebook.key` = '{key}'"
        found = self._client.search_runs([experiment], query, max_results=1)
        if found:
            run: str = found[0].info.run_id
        else:
            run = self._client.create_run(
                experiment, start_time=round(at * 1000), tags=dict(tags), run_name=name
            ).info.run_id
        self._journal.outbox.track(key, experiment, run)
        return run

    def _close(self, run: str, status: Status, at: float) -> None:
        self._client.set_tag(run, "stagebook.status", str(status))
        self._client.set_terminated(run, _STATUS[status], end_time=round(at * 1000))

    def _log_params(self, run: str, params: Mapping[str, Any]) -> None:
        texts = {name: _text(value) for name, value in params.items()}
        self._client.log_batch(
            run, params=[Param(_fit(name), text[:MAX_PARAM]) for name, text in texts.items()]
        )
        if any(len(text) > MAX_PARAM for text in texts.values()):
            self._client.log_dict(run, dict(params), "params.json")


def is_permanent(error: Exception) -> bool:
    """Whether MLflow refuses a thing for good, so that asking again is of no use."""
    refused = {
        "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE",
    }  # fmt: skip
    return isinstance(error, MlflowException) and error.error_code in refused


def _child_tags(run: str, parent: str, stage: str, attempt: int) -> dict[str, str]:
    return {
        "stagebook.key": attempt_key(run, stage, attempt),
        "stagebook.run_id": run,
        "stagebook.kind": "stage",
        "stagebook.stage": stage,
        "stagebook.attempt": str(attempt),
        "stagebook.status": str(Status.RUNNING),
        mlflow_tags.MLFLOW_PARENT_RUN_ID: parent,
    }


def _datasets(event: events.AttemptEnded) -> list[DatasetInput]:
    entries = [(name, item, "input") for name, items in event.inputs.items() for item in items]
    entries += [(name, item, "output") for name, item in event.outputs.items()]
    return [
        DatasetInput(
            Dataset(
                name=f"{name}: {item.path}"[:500],
                digest=(item.sha256 or "external")[:36],
                source_type="local",
                source=json.dumps({"uri": item.path}),
                schema=None,
                profile=json.dumps({"bytes": item.size}),
            ),
            [InputTag("mlflow.data.context", role)],
        )
        for name, item, role in entries
    ]


def _metrics(values: Mapping[str, float], at: float, prefix: str = "") -> list[Metric]:
    """Metrics with these names and values; `at` is in seconds."""
    return [Metric(_fit(f"{prefix}{key}"), value, round(at * 1000), 0) for key, value in values.items()]


def _tags(texts: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(_fit(key), value[:MAX_TAG]) for key, value in texts.items()]


def _cell_metrics(notebook: Path, at: int) -> list[Metric]:
    """Time, CPU time and memory of each code cell, as a series over the cells."""
    return [
        Metric(key, value, at, step)
        for step, cell in enumerate(profiles(notebook), start=1)
        for key, value in (
            ("cell.seconds", cell.seconds),
            ("cell.cpu_seconds", cell.cpu),
            ("cell.peak_memory_mb", cell.memory / 1e6),
        )
    ]


def _finite(scraps: Mapping[str, Any]) -> dict[str, float]:
    """The scraps that are numbers. What is not finite is no metric: MLflow would store 1.8e308."""
    return {name: float(value) for name, value in figures(scraps).items() if math.isfinite(value)}


def _texts(scraps: Mapping[str, Any]) -> dict[str, str]:
    known = _finite(scraps)
    return {
        name: _text(scrap["value"])
        for name, scrap in scraps.items()
        if "value" in scrap and name not in known
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _fit(key: str) -> str:
    """A key that MLflow takes: letters, digits, `_ - . /` and space, 250 characters."""
    return _UNFIT.sub("-", key)[:250]

"""Runs in MLflow: an experiment for a pipeline, a run for a run, a child run for an attempt.

`Tracker.take` is told one event after the other, in their order, and may be told some again after a crash: what it
does then changes nothing. An event is delivered in parts; a part that MLflow refuses costs no other.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook import events
from stagebook.artifact import Artifact
from stagebook.events import Cause, Event, Status
from stagebook.journal.history import figures
from stagebook.journal.journal import MLFLOW, Journal, attempt_key
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import describe_path
from stagebook.system.mlflow_hook import STARTED_BY
from stagebook.system.store import Store
from stagebook.tracking import mlflow
from stagebook.tracking.chart import profiles
from stagebook.tracking.html import write_html
from stagebook.tracking.mlflow import Mlflow, metric
from stagebook.tracking.outcomes import Gone, Refused, StoreReplaced
from stagebook.tracking.values import MAX_PARAM, as_json, mapping, named, number, text

MAX_ARTIFACT = 1_000_000  # bytes; larger outputs are logged as datasets alone
TRIES = 3  # of one event; what fails then, though all else is well, is passed over


class Tracker:
    """Tells MLflow what happened. `root` is the project root; artifacts are read below it."""

    def __init__(self, journal: Journal, uri: str, root: Path) -> None:
        self._journal = journal
        self._outbox = journal.outbox
        self._root = root
        self._mlflow = Mlflow(uri, root)
        self._store = Store(root / ".stagebook" / "store")
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
        try:
            try:
                self._tell(event, again=not event.at > self._since)
            except Gone as error:
                if event.run in self._made_again:
                    if self._mlflow.is_lenient and self._mlflow.is_well():
                        raise Refused(str(error)) from error
                    raise
                self._make_again(event)
        except Refused:
            raise
        except Exception:
            self._failing = event, tries + 1
            raise
        self._failing = None

    def _tell(self, event: Event, *, again: bool) -> None:
        self._again = again
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

    def _make_again(self, until: Event) -> None:
        """Make a run again that is not there any more, with all that was told of it."""
        self._made_again.add(until.run)
        self._mlflow.forget()
        self._outbox.forget(until.run)
        for _, event in self._journal.events.of(until.run):
            with contextlib.suppress(Refused) if event != until else contextlib.nullcontext():
                self._tell(event, again=True)
            if event == until:
                return

    # -- runs -----------------------------------------------------------------------------------

    def _run_started(self, event: events.RunStarted) -> None:
        experiment = self._mlflow.experiment(text(event.pipeline, 500))
        origin, plan = mapping(event.origin), mapping(event.plan)
        tags = {
            "stagebook.key": event.run,
            "stagebook.run_id": event.run,
            "stagebook.kind": event.kind,
            "stagebook.status": str(Status.RUNNING),
            "stagebook.pipeline": event.pipeline,
            "stagebook.command": origin.get("command", ""),
            mlflow.SOURCE: plan.get("path", event.pipeline),
            mlflow.USER: origin.get("user", ""),
            mlflow.NOTE: plan.get("description", ""),
            **mlflow.PROJECT,
        }
        parent = self._outbox.tracked(event.parent) if event.parent else None
        if parent is not None:
            tags[mlflow.PARENT] = parent[1]
            tags["stagebook.sweep"] = event.parent
        if event.resumes:
            tags["stagebook.resumes"] = event.resumes
        if origin.get("commit"):
            tags[mlflow.COMMIT] = origin["commit"]
            tags["stagebook.changed"] = str(bool(origin.get("changed"))).lower()
        run = self._open(event.run, experiment, event.run, event.at, tags)
        with self._parts(event) as part:
            with part("parameters"):
                self._log(event, run, params=mapping(plan.get("params")))
            with part("plan.json"):
                self._mlflow.document(run, plan, "plan.json")

    def _run_ended(self, event: events.RunEnded) -> None:
        found = self._outbox.tracked(event.run)
        if found is None:
            return
        experiment, run = found
        with self._parts(event) as part:
            if event.status is Status.INTERRUPTED:
                with part("stages that were interrupted"):
                    self._interrupted(event, experiment, run)
            with part("runs that notebooks started"):
                self._adopt(event.run)
            tags = {"stagebook.status": str(event.status)}
            with part("status"):
                self._log(event, run, tags={**tags, **_told("stagebook.reason", event.reason)})
            with part("end"):
                self._mlflow.close(run, event.status, event.at)
        self._params.clear()

    def _interrupted(self, event: events.RunEnded, experiment: str, run: str) -> None:
        for child, tags in self._mlflow.children(experiment, run):
            params = self._params_of(event.run, tags.get("stagebook.key", ""))
            said = {"stagebook.reason": event.reason, "stagebook.status": str(Status.INTERRUPTED)}
            self._log(event, child, params=params, tags=said)
            self._mlflow.close(child, Status.INTERRUPTED, event.at)

    def _adopt(self, run: str) -> None:
        """The runs that notebooks started get the run of their attempt as parent, if they have none."""
        for child, tags in self._mlflow.started_by(STARTED_BY, f"{run}/"):
            parent = self._outbox.tracked(tags.get(STARTED_BY, ""))
            if parent is not None and mlflow.PARENT not in tags:
                self._mlflow.log(child, tags={mlflow.PARENT: parent[1]})

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
        metrics = _metrics(_finite(event.scraps), event.at, f"{event.stage.replace('@', '.')}.")
        self._log(event, parent[1], metrics=metrics, tags={f"stage.{event.stage}": said})

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        key = attempt_key(event.run, event.stage, event.attempt)
        parent, child = self._outbox.tracked(event.run), self._outbox.tracked(key)
        if parent is None or child is None:
            return
        used = {"seconds": event.seconds, "cpu_seconds": event.cpu, "peak_memory_mb": _megabytes(event.memory)}
        figures_ = {**_finite(event.scraps), **{name: number(value) for name, value in used.items()}}
        metrics = {name: value for name, value in figures_.items() if value is not None}
        status = Status.COMPLETED if event.cause is None else Status.FAILED
        status = Status.CANCELLED if event.cause is Cause.CANCELLED else status
        tags: dict[str, Any] = {f"scrap.{name}": value for name, value in _texts(event.scraps).items()}
        tags["stagebook.status"] = str(status)
        if event.cause is not None:
            tags |= {"stagebook.cause": str(event.cause), "stagebook.message": event.message}
            if event.cell is not None:
                tags["stagebook.cell"] = f"{event.cell} of {event.cells}"
        folder = self._root / ".stagebook" / "runs" / event.run / event.stage / str(event.attempt)
        with self._parts(event) as part:
            with part("values"):
                cells = _cell_metrics(folder / "notebook.ipynb", event.at)
                params = self._params_of(event.run, key)
                self._log(event, child[1], metrics=[*_metrics(metrics, event.at), *cells], params=params, tags=tags)
                self._document_long(child[1], params)
            if event.cause is None:
                with part("values, for the run"):
                    prefix = f"{event.stage.replace('@', '.')}."
                    self._log(event, parent[1], metrics=_metrics(metrics, event.at, prefix))
            with part("inputs and outputs"):
                self._log_datasets(event, child[1])
            for name, path, place in self._artifacts(event, folder):
                with part(name):
                    self._mlflow.artifact(child[1], path, place)
            for name, item in self._outputs(event):
                with part(f"output '{name}'"):
                    self._log_output(child[1], item)
            # Last, and whatever the notebook's own calls left: the status is the one of the journal.
            with part("end"):
                self._mlflow.close(child[1], status, event.at)

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

    # -- artifacts ------------------------------------------------------------------------------

    def _artifacts(self, event: events.AttemptEnded, folder: Path) -> Iterator[tuple[str, Path, str | None]]:
        """What an attempt left: a name for a person, the path, and the folder that it goes to."""
        notebook = folder / "notebook.ipynb"
        if notebook.is_file():
            page = folder / "notebook.html"
            try:
                write_html(notebook, page)
            except Exception as error:  # noqa: BLE001 - the page is a courtesy, the notebook is there
                with contextlib.suppress(OSError):
                    page.write_text(f"<!doctype html><p>The page could not be made: {type(error).__name__}.")
            yield "notebook.ipynb", notebook, None
            if page.is_file():
                yield "notebook.html", page, None
        for file in sorted(folder.glob("notebook_files/*")):
            if file.is_file() and file.stat().st_size < MAX_ARTIFACT:
                yield f"notebook_files/{file.name}", file, "notebook_files"
        if (folder / "log.txt").is_file():
            yield "log.txt", folder / "log.txt", None
        if (folder / "scraps").is_dir():
            yield "scraps", folder / "scraps", "scraps"

    def _outputs(self, event: events.AttemptEnded) -> Iterator[tuple[str, Artifact]]:
        for name, item in event.outputs.items() if event.cause is None else ():
            if item.size is not None and item.size < MAX_ARTIFACT and not item.folder:
                yield name, item

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
            self._mlflow.artifact(run, path, "outputs")

    def _log_datasets(self, event: events.AttemptEnded, run: str) -> None:
        entries = [("input", name, item) for name, items in event.inputs.items() for item in items]
        entries += [("output", name, item) for name, item in event.outputs.items()]
        for refused in self._mlflow.inputs(
            run, [(role, name, item.path, item.sha256 or "external", item.size) for role, name, item in entries]
        ):
            self._pass_over(event, refused)

    def _document_long(self, run: str, params: Mapping[str, Any]) -> None:
        if any(len(text(value, MAX_PARAM + 1)) > MAX_PARAM for value in params.values()):
            self._mlflow.document(run, params, "params.json")

    # -- calls ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _parts(self, event: Event) -> Iterator[Any]:
        """The parts of an event: each is tried. What MLflow refuses is noted; another error is raised at the end."""
        failed: list[Exception] = []

        @contextlib.contextmanager
        def part(name: str) -> Iterator[None]:
            try:
                yield
            except Refused as error:
                self._pass_over(event, f"{name}: {error}")
            except Exception as error:  # noqa: BLE001 - raised at the end
                failed.append(error)

        yield part
        if failed:
            # A run that is gone explains the others.
            raise next((error for error in failed if isinstance(error, Gone)), failed[0])

    def _log(self, event: Event, run: str, **values: Any) -> None:
        for refused in self._mlflow.log(run, **values):
            self._pass_over(event, refused)

    def _pass_over(self, event: Event, what: str) -> None:
        stage = getattr(event, "stage", "")
        self._outbox.pass_over(MLFLOW, event.run, f"{stage}: {what}" if stage else what)

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


def _metrics(values: Mapping[str, float], at: float, prefix: str = "") -> list[Any]:
    """Metrics with these names and values; `at` is in seconds."""
    return [metric(key, value, at) for key, value in named(values, prefix).items()]


def _cell_metrics(notebook: Path, at: float) -> list[Any]:
    """Time, CPU time and memory of each code cell, as a series over the cells."""
    try:
        cells = profiles(notebook)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):  # no notebook, or an odd one
        return []
    return [
        metric(key, value, at, step)
        for step, cell in enumerate(cells, start=1)
        for key, value in (
            ("cell.seconds", cell.seconds),
            ("cell.cpu_seconds", cell.cpu),
            ("cell.peak_memory_mb", cell.memory / 1e6),
        )
    ]


def _finite(scraps: Any) -> dict[str, float]:
    """The scraps that are numbers. What is not finite, or too large, is no metric."""
    found = {name: number(value) for name, value in figures(_described(scraps)).items()}
    return {name: value for name, value in found.items() if value is not None}


def _texts(scraps: Any) -> dict[str, Any]:
    known, described = _finite(scraps), _described(scraps)
    texts = {name: scrap["value"] for name, scrap in described.items() if "value" in scrap and name not in known}
    return {name: as_json(value) for name, value in texts.items()}


def _described(scraps: Any) -> dict[str, Mapping[str, Any]]:
    return {name: scrap for name, scrap in mapping(scraps).items() if isinstance(scrap, Mapping)}


def _megabytes(value: Any) -> float | None:
    found = number(value)
    return None if found is None else found / 1e6


def _told(key: str, said: Any) -> dict[str, Any]:
    return {key: said} if said else {}

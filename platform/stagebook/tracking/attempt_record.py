"""What MLflow is told of an attempt that ended: values, artifacts."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.events import AttemptEnded, Cause, StageMeasured, Status
from stagebook.journal.history import figures
from stagebook.scraps import values_of
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.tracking.audit_values import audit_metrics, audit_tags
from stagebook.tracking.chart import profiles
from stagebook.tracking.html import write_html
from stagebook.tracking.mlflow import RunContents, metric
from stagebook.tracking.telling import Telling
from stagebook.tracking.values import MAX_PARAM, as_json, named, number, text

MAX_ARTIFACT = 1_000_000  # bytes; larger outputs are logged as datasets alone


def status_of(event: AttemptEnded) -> Status:
    """The status of an attempt, as the journal has it."""
    if event.cause is None:
        return Status.COMPLETED
    return Status.CANCELLED if event.cause is Cause.CANCELLED else Status.FAILED


class AttemptRecord:
    """Tells of the attempts of the project at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._store = Store(root / ".stagebook" / "store")

    def tell(
        self,
        telling: Telling,
        event: AttemptEnded,
        params: Mapping[str, Any],
        *,
        child: RunContents,
        parent: RunContents,
    ) -> None:
        """Tell of one: in its own run, `child`, and in that of the run, `parent`."""
        folder = self._root / ".stagebook" / "runs" / event.run / event.stage / str(event.attempt)
        used = {
            "seconds": number(event.seconds),
            "cpu_seconds": number(event.cpu),
            "peak_memory_mb": _megabytes(event.memory),
        }
        known = {name: value for name, value in used.items() if value is not None}
        values = {**known, **audit_metrics(event.audits), **finite(event.scraps)}
        with telling.part("values"):
            cells = _cell_metrics(folder / "notebook.ipynb", event.at)
            metrics = [*metrics_of(values, event.at), *cells]
            telling.log(child, metrics=metrics, params=params, tags=_tags(event))
            if any(len(text(value, MAX_PARAM + 1)) > MAX_PARAM for value in params.values()):
                child.document(params, "params.json")
        if event.cause is None:
            with telling.part("values, for the run"):
                prefix = f"{event.stage.replace('@', '.')}."
                telling.log(parent, metrics=metrics_of(values, event.at, prefix))
        for name, audit in event.audits.items():
            with telling.part(f"contract of '{name}'"):
                child.document(audit.to_json(), f"contracts/{name}.json")
        for name, path, place in _artifacts(folder):
            with telling.part(name):
                child.artifact(path, place)
        for name, item in event.outputs.items() if event.cause is None else ():
            if item.size is not None and item.size < MAX_ARTIFACT and not item.folder:
                with telling.part(f"output '{name}'"):
                    self._log_output(child, item)

    def tell_figures(
        self, telling: Telling, event: StageMeasured, *, child: RunContents, parent: RunContents
    ) -> None:
        """Tell how many rows the outputs of an attempt have, in the same runs as `tell`."""
        rows = {f"output.{name}.rows": table.rows for name, table in event.figures.items()}
        if rows:
            prefix = f"{event.stage.replace('@', '.')}."
            with telling.part("figures"):
                telling.log(child, metrics=metrics_of(rows, event.at))
            with telling.part("figures, for the run"):
                telling.log(parent, metrics=metrics_of(rows, event.at, prefix))

    def _log_output(self, run: RunContents, item: Artifact) -> None:
        """Log an output as it was made: what is in its place by now may be of a later run."""
        path = self._root / item.path
        with tempfile.TemporaryDirectory() as folder:
            if not path.is_file() or describe_path(path, "").sha256 != item.sha256:
                path = Path(folder) / path.name
                try:
                    self._store.fetch(item, path)
                except BlobDamaged:
                    return
            run.artifact(path, "outputs")


def _artifacts(folder: Path) -> Iterator[tuple[str, Path, str | None]]:
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


def _tags(event: AttemptEnded) -> dict[str, Any]:
    tags: dict[str, Any] = {f"scrap.{name}": value for name, value in _texts(event.scraps).items()}
    tags |= audit_tags(event.audits)
    tags["stagebook.status"] = str(status_of(event))
    if event.cause is not None:
        tags |= {"stagebook.cause": str(event.cause), "stagebook.message": event.message}
        if event.cell is not None:
            tags["stagebook.cell"] = f"{event.cell} of {event.cells}"
    return tags


def metrics_of(values: Mapping[str, float], at: float, prefix: str = "") -> list[Any]:
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


def finite(scraps: Any) -> dict[str, float]:
    """The scraps that are numbers. What is not finite, or too large, is no metric."""
    found = {name: number(value) for name, value in figures(scraps).items()}
    return {name: value for name, value in found.items() if value is not None}


def _texts(scraps: Any) -> dict[str, str]:
    known = finite(scraps)
    return {name: as_json(value) for name, value in values_of(scraps).items() if name not in known}


def _megabytes(value: Any) -> float | None:
    found = number(value)
    return None if found is None else found / 1e6

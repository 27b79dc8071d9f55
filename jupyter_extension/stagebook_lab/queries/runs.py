"""What a run left: its stages, events, logs and executed notebooks."""

from __future__ import annotations

import codecs
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import JournalUnreadable, PipelineInvalid, RunNotFound, StagebookError
from stagebook.events import Event, RunStarted, StageExpanded
from stagebook.execution.attempt import LOG_FILE, NOTEBOOK_FILE
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.runs.grid import metrics_of
from stagebook.runs.incidents import incidents_of
from stagebook.workspace.paths import STATE_FOLDER, PathRefused, inside
from stagebook_lab import wire
from stagebook_lab.notes import notes_of
from stagebook_lab.present import run_info, stage_info
from stagebook_lab.queries.notebook import for_lab
from stagebook_lab.queries.results import Results, attempts_of

MAX_RUNS = 1_000  # in a list of runs; points of sweeps do not count
POINTS = 100  # of each sweep in a list of runs
MAX_POINTS = 1_000  # of all sweeps in a list of runs
MAX_EVENTS = 1_000  # in one reply
MAX_LOG = 1 << 20  # bytes in one reply
MAX_NOTEBOOK = 200 << 20  # bytes
MAX_ATTEMPTS = 1_000  # that are remembered


def runs_reply(
    project: Project, pipeline: str | None, limit: int, results: Results | None = None
) -> wire.RunsReply:
    """The latest runs of a pipeline, or of all, the newest first. Points of sweeps do not count toward the `limit`; the
    latest ones stand before their sweep. `results` remembers what runs came to that have ended."""
    limit = min(limit, MAX_RUNS)
    found = project.history.runs(pipeline, limit + 1, points=False)
    shown = found[:limit]
    sweeps = [run.id for run in shown if run.is_series]
    runs: list[RunRecord] = []
    left = MAX_POINTS
    for run in shown:
        if run.is_series and left > 0:
            points = project.journal.runs.points_of(run.id, min(POINTS, left))
            left -= len(points)
            runs += reversed(points)
        runs.append(run)
    more = len(found) > limit
    return wire.RunsReply(
        runs=tuple(run_info(run) for run in runs),
        results=(results or Results()).of(project, runs),
        more=more,
        older=project.journal.runs.count_by_parent([""], pipeline)[""] - limit if more else 0,
        most=MAX_RUNS,
        points=project.journal.runs.count_by_parent(sweeps) if sweeps else {},
    )


def run_reply(project: Project, run: RunRecord) -> wire.RunReply:
    """A run with its stages."""
    events = project.journal.events.of(run.id)
    history = RunHistory(event for _, event in events)
    stages = tuple(stage_info(run.id, run.pipeline, stage) for stage in history.stages.values())
    points = project.journal.runs.points_of(run.id) if run.is_series else []
    return wire.RunReply(
        run=run_info(run),
        stages=stages,
        seq=events[-1][0] if events else 0,
        upstream=upstream_of(event for _, event in events),
        attempts=attempts_of(event for _, event in events),
        metrics=metrics_of(history),
        points=tuple(run_info(point) for point in points),
        notes=notes_of(project, run.id),
        incidents=tuple(_incidents(project, run.id)),
    )


def _incidents(project: Project, run: str) -> Iterator[wire.IncidentInfo]:
    """The incidents that a run has to do with. Of a damaged journal there are none: `doctor` tells."""
    try:
        known = incidents_of(project.journal, project.settings, project.placement.name)
    except (JournalUnreadable, PipelineInvalid):
        return
    for one in known:
        if run in {one.run, one.last_run, one.closed_run}:
            yield wire.IncidentInfo(
                id=one.id,
                kind=str(one.kind),
                subject=one.subject,
                message=one.message,
                opened=one.opened,
                closed=one.closed,
                runs=one.runs,
                seen_by=tuple(dict.fromkeys(said.by for said in one.acks)),
            )


def upstream_of(events: Iterable[Event]) -> dict[str, tuple[str, ...]]:
    """The stages before each stage, by the plan and by the expansions of `foreach` that followed."""
    found: dict[str, tuple[str, ...]] = {}
    for event in events:
        items: Iterable[Mapping[str, Any]] = ()
        if isinstance(event, RunStarted):
            items = event.plan.get("stages", ())
        elif isinstance(event, StageExpanded):
            items = (*event.stages, *event.changed)
            for name in event.gone:
                found.pop(name, None)
        found |= {item["id"]: tuple(item.get("upstream", ())) for item in items}
    return found


def events_reply(project: Project, run: RunRecord, after: int) -> wire.EventsReply:
    """The events of a run after a number."""
    found = project.journal.events.of(run.id, after=after, limit=MAX_EVENTS + 1)
    items = tuple(wire.EventItem(seq=seq, event=event.to_json()) for seq, event in found[:MAX_EVENTS])
    return wire.EventsReply(events=items, more=len(found) > MAX_EVENTS)


class Attempts:
    """Where attempts are. What was found once is not looked for again, so that what follows an attempt does not read
    the events of its run each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[Path, str, str, int], str] = {}

    def find(self, project: Project, run: RunRecord, stage: str, attempt: int | None) -> tuple[int, str]:
        """The number and the folder of an attempt of a stage; by default of its latest one.

        Raises:
            RunNotFound: the run has no such stage, or it did not start.
        """
        known = self._found.get((project.root, run.id, stage, attempt or 0))
        if attempt is not None and known is not None:
            return attempt, known
        record = project.history.stage(run, stage)
        if not record.folder:
            raise RunNotFound(f"the stage '{record.id}' did not start")
        folder, number = record.folder, attempt or record.attempt
        if number != record.attempt:
            folder = f"{Path(folder).parent.as_posix()}/{number}"
        with self._lock:
            while len(self._found) >= MAX_ATTEMPTS:
                del self._found[next(iter(self._found))]
            self._found[project.root, run.id, stage, number] = folder
        return number, folder


def log_reply(
    project: Project,
    run: RunRecord,
    stage: str,
    attempt: int | None,
    after: int,
    attempts: Attempts | None = None,
) -> wire.LogReply:
    """A piece of what a stage printed, from the byte `after` on; empty where there is nothing yet. `attempt`
    is `None` for the latest one."""
    number, folder = (attempts or Attempts()).find(project, run, stage, attempt)
    path = _file_in(project, folder, LOG_FILE)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(after)
            data = file.read(MAX_LOG)
            more = bool(file.read(1))
    except FileNotFoundError:
        data, more, size = b"", False, 0
    # The bytes of a character that is not complete are left for the next piece.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    waiting = len(decoder.getstate()[0])
    return wire.LogReply(
        attempt=number,
        text=text,
        next=after + len(data) - waiting,
        size=max(size, after + len(data)),
        more=more,
    )


def notebook_reply(
    project: Project,
    run: RunRecord,
    stage: str,
    attempt: int | None,
    *,
    seen: float | None = None,
    attempts: Attempts | None = None,
) -> wire.NotebookReply:
    """The executed notebook of an attempt, with every cell marked as untrusted. `attempt` is `None` for the latest
    one; `seen` is when the version was saved that the caller has: where that is still the latest, no content is sent.

    Raises:
        RunNotFound: there is none.
        StagebookError: it is too large, or no notebook.
    """
    number, folder = (attempts or Attempts()).find(project, run, stage, attempt)
    path = _file_in(project, folder, NOTEBOOK_FILE)
    try:
        found = path.stat()
        if found.st_mtime == seen:
            return wire.NotebookReply(attempt=number, content=None, modified=found.st_mtime)
        if found.st_size > MAX_NOTEBOOK:
            raise StagebookError(f"the executed notebook is larger than {MAX_NOTEBOOK >> 20} MB: {path}")
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        msg = f"there is no executed notebook of attempt {number} of '{stage}' in the run {run.id}"
        raise RunNotFound(msg) from error
    except (ValueError, RecursionError) as error:
        raise StagebookError(f"the executed notebook cannot be read: {path}") from error
    return wire.NotebookReply(attempt=number, content=for_lab(content), modified=found.st_mtime)


def _file_in(project: Project, folder: str, name: str) -> Path:
    """A file of an attempt. Raises `RunNotFound` where the journal names a place outside `runs/`."""
    nowhere = RunNotFound(f"there is no attempt in '{folder}'")
    try:
        path = project.root / inside(project.root, f"{folder}/{name}")
    except PathRefused as error:
        raise nowhere from error
    if not path.is_relative_to(project.root / STATE_FOLDER / "runs") or path.is_symlink():
        raise nowhere
    return path

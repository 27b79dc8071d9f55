"""The files that a plan rests on. When another program changes one of them, a run may do something else."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from stagebook.contracts.contract import FOLDER as CONTRACTS
from stagebook.contracts.released import FOLDER as RELEASED
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.plan import Plan
from stagebook.project import Project
from stagebook.system.file_cache import RACY, Stat, stat_of
from stagebook.system.files import walk
from stagebook.system.settings_file import FILE
from stagebook.workspace.catalog import PIPELINES
from stagebook.workspace.patterns import folder_of, is_pattern

LOOK = 0.9  # seconds between two looks at the files, at least
SHARE = 400  # a look is followed by a pause of so many times the time that it took: 0.25 % of a core
LONGEST = 10.0  # seconds of such a pause
MOST = 20_000  # files that are looked at; a folder with more is looked at as far as that

Mark = Mapping[str, Stat] | Stat | None  # of a folder: that of each file in it; `None`: there is nothing


@dataclasses.dataclass(frozen=True, slots=True)
class PlanFiles:
    """The files and folders that a plan rests on, as paths in the project. Those in `made` are written by its stages: they change
    while it runs. `looked`: when the plan began to look at them, in nanoseconds since the epoch."""

    read: frozenset[str]
    made: frozenset[str]
    looked: int


def files_of(project: Project, plan: Plan, looked: int) -> PlanFiles:
    """The notebooks, modules, inputs and outputs that a plan rests on. `looked`: the time before it was planned."""
    read: set[str] = set()
    made: set[str] = set()
    read.update(stage.path for stage in plan.stages)
    for notebook, kernel, folder in {(it.notebook, it.runs_in, it.folder) for it in plan.stages}:
        read.add(notebook)
        with contextlib.suppress(NotebookUnreadable):
            read.update(project.dependencies.code_paths(notebook, kernel, folder))
    for stage in plan.stages:
        made.update(output.path for output in stage.outputs.values() if output.kind != "external")
        read.update(path for item in stage.inputs.values() if not item.connections for path in item.paths)
    return PlanFiles(frozenset(read - made), frozenset(made), looked)


class LatestPlans:
    """The files of the latest plan of each pipeline. Plans are made in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, PlanFiles] = {}

    def note(self, pipeline: str, files: PlanFiles) -> None:
        """Take the files of a plan in the place of those of the plan before it."""
        with self._lock:
            self._of[pipeline] = files

    def all(self) -> list[PlanFiles]:
        """The files of all pipelines that were planned."""
        with self._lock:
            return list(self._of.values())


class Definitions:
    """Tells by the times and sizes of files whether a run may do something else. For the thread that watches."""

    def __init__(self, project: Project, plans: LatestPlans) -> None:
        self._project = project
        self._plans = plans
        self._began = time.time_ns()  # whoever watched before has to ask anew
        self._changes = 0
        self._marks: dict[str, Mark] = {}
        self._digest = ""  # of the settings and the pipeline files
        self._named: tuple[Path, ...] = ()  # the files that they name
        self._next = 0.0
        self._seen = ""

    def look(self, *, is_live: bool) -> str:
        """A digest that changes with the settings, the pipeline files and what plans rest on. While a run is `is_live` what
        stages write is left out."""
        if time.monotonic() < self._next:
            return self._seen
        digest = _definitions(self._project)
        if digest != self._digest:
            self._digest, self._named = digest, _named(self._project)
        began = time.thread_time()
        for plan in self._plans.all():
            self._compare(plan.read, plan.looked)
            if not is_live:
                self._compare(plan.made, plan.looked)
        marks = [time_and_size(path) for path in self._named]
        known = f"{self._began} {self._changes} {digest} {marks}"
        self._seen = hashlib.sha256(known.encode()).hexdigest()[:16]
        pause = min(LONGEST, (time.thread_time() - began) * SHARE)
        self._next = time.monotonic() + max(LOOK, pause)
        return self._seen

    def _compare(self, paths: Iterable[str], looked: int) -> None:
        """Count what changed since it was looked at last, or, what was not looked at before, since it was planned."""
        for path in paths:
            mark = _mark(self._project.root / path)
            if path in self._marks:
                self._changes += mark != self._marks[path]
            else:
                self._changes += _latest(mark) > looked - RACY
            self._marks[path] = mark


def _mark(path: Path) -> Mark:
    try:
        if not path.is_dir():
            return stat_of(path)
        files = zip(range(MOST), walk(path), strict=False)
        return {name: stat_of(file) for _, (name, file, _) in files}
    except OSError:
        return None


def _latest(mark: Mark) -> int:
    """The time of the latest change; that of a file that was moved to its place is when that was done."""
    if mark is None:
        return 0
    stats = mark.values() if isinstance(mark, Mapping) else (mark,)
    return max((stat[2] for stat in stats), default=0)


def time_and_size(path: Path) -> tuple[int, int] | None:
    """When a file was changed, in nanoseconds since the epoch, and its size; `None` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _definitions(project: Project) -> str:
    """A digest of the times and sizes of the settings, the pipeline files, the contracts and what they release."""
    found = hashlib.sha256(repr(time_and_size(project.root / FILE)).encode())
    for folder in (PIPELINES, CONTRACTS, RELEASED):
        with contextlib.suppress(OSError):
            for entry in sorted(os.scandir(project.root / folder), key=lambda entry: entry.name):
                found.update(f"{entry.name}\0{time_and_size(Path(entry.path))}\0".encode())
    return found.hexdigest()


def _named(project: Project) -> tuple[Path, ...]:
    """The notebooks and inputs that pipelines name, but for those whose names depend on parameters: a plan that fails because
    one of them is missing rests on no files yet. Of a pattern it is the folder: another file may fit it."""
    found: set[str] = set()
    for key in project.catalog.names():
        with contextlib.suppress(PipelineInvalid):
            for stage in project.catalog.load(key).pipeline.stages.values():
                refs = (ref.text.source for item in stage.inputs.values() for ref in item.refs)
                found.update(str(text) for text in (stage.notebook, *refs) if text)
    named = (folder_of(path) if is_pattern(path) else path for path in sorted(found) if "${" not in path)
    return tuple(project.root / path for path in dict.fromkeys(named))

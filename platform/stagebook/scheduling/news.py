"""What is new for schedules that wait for it: versions of datasets, and files behind a connection.

What is there is told by a mark, a text of JSON. A schedule keeps the one that it saw last; what is not in it is news.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from stagebook.connections.asking import ask_what
from stagebook.errors import ConnectionUnusable
from stagebook.journal.journal import Journal
from stagebook.project import Project
from stagebook.scheduling.places import Scheduled
from stagebook.workspace.environments import DEV

FILES_EVERY = 60.0  # seconds between two looks at a connection, which take a process each


class News:
    """Looks at what schedules wait for in one project.

    Args:
        root: the project.
        clock: seconds, which only grow.
    """

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self.root = root
        self._clock = clock
        self._seen: dict[str, tuple[object, dict[str, str]]] = {}  # by environment
        self._files: dict[str, tuple[float, str]] = {}  # by pattern

    def mark(self, one: Scheduled, journal: Journal) -> str:
        """What is there of what a schedule waits for; empty where nobody could look. Raises `StagebookError`."""
        if one.schedule.files:
            return self._of_files(one.schedule.files)
        known = self._datasets(one.environment, journal)
        found = {}
        for dataset in one.schedule.on:
            own = {name: content for name, content in known.items() if _is(name, dataset)}
            if own:
                found[dataset] = _digest(own)
        return json.dumps(found, sort_keys=True)

    def _of_files(self, pattern: str) -> str:
        at, text = self._files.get(pattern, (-FILES_EVERY, ""))
        if self._clock() - at >= FILES_EVERY:
            name, _, path = pattern.partition(":")
            try:
                found = ask_what(self.root, name, [path])[path]
                text = json.dumps({file: mark for file, mark in found}, sort_keys=True)  # noqa: C416 - pairs are lists
            except ConnectionUnusable:
                text = ""  # it is asked again; what came meanwhile is new then
            self._files[pattern] = (self._clock(), text)
        return text

    def _datasets(self, environment: str, journal: Journal) -> dict[str, str]:
        """The contents of all datasets of an environment, by `pipeline.stage.output`."""
        stamp: object
        versions = None
        if environment != DEV:
            project = Project(self.root)
            declared = project.environments.find(environment)
            if declared.publish == "run":
                versions = project.environments.versions(declared)
        current = versions.current() if versions is not None else None
        stamp = journal.events.last_number() if versions is None else current and current.version
        known = self._seen.get(environment)
        if known is None or known[0] != stamp:
            if versions is None:
                found = _of_results(journal)
            else:
                datasets = current.datasets if current is not None else {}
                found = {name: str(one.artifact.content) for name, one in datasets.items()}
            self._seen[environment] = known = (stamp, found)
        return known[1]


def is_news(before: str, after: str) -> bool:
    """Whether something is there that a mark does not know: what is gone is no news."""
    if not after:
        return False
    old: Mapping[str, str] = json.loads(before or "{}")
    return any(old.get(name) != value for name, value in json.loads(after).items())


def together(before: str, after: str) -> str:
    """The mark of what was ever seen: a file that is moved away and comes back unchanged is no news."""
    return json.dumps({**json.loads(before or "{}"), **json.loads(after or "{}")}, sort_keys=True)


def _of_results(journal: Journal) -> dict[str, str]:
    found = {}
    for pipeline in {run.pipeline for run in journal.runs.latest_of_each(1)}:
        for stage, result in journal.results.latest(pipeline).items():
            for output, artifact in result.outputs.items():
                found[f"{pipeline}.{stage}.{output}"] = str(artifact.content)
    return found


def _is(name: str, dataset: str) -> bool:
    """Whether a dataset is meant: a stage stands for all of its instances."""
    head, _, output = name.rpartition(".")
    pipeline, _, stage = head.partition(".")
    return dataset in {name, f"{pipeline}.{stage.partition('@')[0]}.{output}"}


def _digest(contents: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]

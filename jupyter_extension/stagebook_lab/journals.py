"""The journals of the environments of a project."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from stagebook.journal.journal import Journal
from stagebook.project import Project
from stagebook.runs.lease import liveness_of
from stagebook.workspace.environments import DEV


@contextlib.contextmanager
def journal_of(project: Project, environment: str) -> Iterator[Journal | None]:
    """The journal of an environment, `dev` for that of the working tree; `None` where nothing was recorded yet. Runs whose
    process vanished are closed. Raises `UsageError` where there is no such environment."""
    if environment == DEV:
        yield project.journal if project.history.has_journal else None
        return
    project.environments.find(environment)
    path = project.environments.state(environment) / "journal.db"
    if not path.is_file():
        yield None
        return
    with contextlib.closing(Journal(path)) as journal:
        if journal.is_writable:
            journal.close_abandoned(liveness_of, time.time())
        yield journal


def environments_of(project: Project) -> list[str]:
    """The names of all environments, `dev` first. Raises `PipelineInvalid` for mistakes in the settings."""
    return [DEV, *(name for name in project.environments.all() if name != DEV)]

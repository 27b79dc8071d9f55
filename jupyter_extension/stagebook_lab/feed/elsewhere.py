"""The journals of the environments of a project: whether something was written to one."""

from __future__ import annotations

from collections.abc import Mapping

from stagebook.project import Project
from stagebook_lab.feed.files import time_and_size


def marks(project: Project) -> Mapping[str, str]:
    """A mark of the journal of each environment that has one, by name; it changes with what is written there."""
    found = {}
    for name, state in project.environments.states().items():
        files = [time_and_size(state / file) for file in ("journal.db", "journal.db-wal")]
        # Who reads a journal makes an empty file beside it, and removes it.
        written = [f"{file[0]:x}.{file[1]:x}" for file in files if file is not None and file[1] > 0]
        if written:
            found[name] = " ".join(written)
    return found

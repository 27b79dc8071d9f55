"""Finding and opening the projects below the server's root."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from stagebook.errors import ProjectNotFound
from stagebook.project import Project
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import PathRefused, inside
from stagebook_lab.wire import ProjectInfo, ProjectsReply

DEPTH = 2  # folders below the root in which projects are looked for
MAX_PROJECTS = 50
_NEVER = {"node_modules", "__pycache__"}


def projects_reply(root: Path) -> ProjectsReply:
    """The projects in the server's root and up to `DEPTH` folders below it, none inside another."""
    folders = list(itertools.islice(_folders(root, DEPTH), MAX_PROJECTS + 1))
    found = (
        ProjectInfo(path="" if folder == root else folder.relative_to(root).as_posix(), name=folder.name)
        for folder in folders[:MAX_PROJECTS]
    )
    return ProjectsReply(projects=tuple(found), more=len(folders) > MAX_PROJECTS)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if _is_project(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        below = folder / name
        if not name.startswith(".") and name not in _NEVER and below.is_dir() and not below.is_symlink():
            yield from _folders(below, depth - 1)


def _is_project(folder: Path) -> bool:
    try:
        return Project.open(folder, DEV).root == folder
    except ProjectNotFound:
        return False


def open_project(root: Path, path: str) -> Project:
    """The project in a folder that is relative to the server's root; an empty path is the root.

    Raises:
        ProjectNotFound: there is none, or it is not inside the server's root.
    """
    folder = (root / (inside_root(root, path) if path else ".")).resolve()
    project = Project.open(folder, DEV)
    if not project.root.is_relative_to(root):
        msg = f"the project {project.root} is not inside the folder that JupyterLab was started in"
        raise ProjectNotFound(msg, hint=f"start JupyterLab in {project.root}")
    return project


def inside_root(root: Path, path: str) -> str:
    """A path that a request names, relative to the server's root. Raises `ProjectNotFound`."""
    try:
        return inside(root, path)
    except PathRefused as error:
        raise ProjectNotFound(str(error), hint="name a folder below the one of JupyterLab") from error

"""The working folder of a stage: where its cells run, and from where relative paths in them are seen."""

from __future__ import annotations

import posixpath

PROJECT = "project"  # the root of the project
NOTEBOOK = "notebook"  # the folder that the notebook is in
ROOT = "."  # the root, as a path relative to itself


def folder_of(workdir: str, notebook: str) -> str:
    """The working folder of a stage, relative to the project, with `/`; `.` is the root.

    Args:
        workdir: the value of the key: `project`, `notebook` or the path of a folder.
        notebook: the path of the notebook in the project.
    """
    if workdir == PROJECT:
        return ROOT
    if workdir == NOTEBOOK:
        return posixpath.normpath(posixpath.dirname(notebook) or ROOT)
    return posixpath.normpath(workdir)


def seen_from(folder: str, text: str) -> str:
    """The path that a relative path in a cell means, relative to the project, where cells run in `folder`. One that
    leads out of the project begins with `..`."""
    return posixpath.normpath(posixpath.join(folder, text))


def leads_out(path: str) -> bool:
    """Whether a path that is relative to the project and normalised leads out of it."""
    return path == ".." or path.startswith(("../", "/"))


def written_from(folder: str, path: str) -> str:
    """What cells that run in `folder` write for a path of the project."""
    return posixpath.relpath(path, folder)


def shown(folder: str) -> str:
    """A working folder for a person."""
    return "the project folder" if folder == ROOT else f"{folder}/"

"""The working folders of stages: folders of the project that are there."""

from __future__ import annotations

from collections.abc import Iterator

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Pipeline, Stage
from stagebook.pipeline.workdir import NOTEBOOK, PROJECT
from stagebook.workspace.paths import PathRefused, home_of
from stagebook.workspace.workspace import Workspace

_HOW = "write project, notebook (the folder that the notebook is in), or a folder of the project"


def workdir_problems(pipeline: Pipeline, project: Workspace) -> Iterator[Problem]:
    """What is wrong with the working folders of the stages of a pipeline; one of `defaults` is told of once."""
    told: set[Location] = set()
    for stage in pipeline.stages.values():
        place: Location = ("stages", stage.name, "workdir")
        if place not in pipeline.positions:
            place = ("defaults", "workdir")
        if place in told or (mistake := _mistake(stage, project)) is None:
            continue
        told.add(place)
        yield pipeline.problem(place, *mistake)


def _mistake(stage: Stage, project: Workspace) -> tuple[str, str] | None:
    text = stage.workdir
    if text in {PROJECT, NOTEBOOK}:
        return None
    if "${" in text:
        return f"'workdir' takes no expressions: '{text}'", _HOW
    try:
        path = project.inside(text)
    except PathRefused as error:
        return f"workdir: {error}", error.hint
    if project.is_file(path):
        return f"the working folder '{path}' is a file", _HOW
    # A release has no empty folders: those of the project count in its environments, too.
    if not project.is_folder(path) and not (home_of(project.root) / path).is_dir():
        return f"there is no folder '{path}' for the cells to run in", f"make it: mkdir -p {path}; or {_HOW}"
    return None

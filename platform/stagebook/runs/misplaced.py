"""Paths in the code of a notebook that lead astray from its working folder, and not from another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stagebook.code.constants import looks_like_path
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.workdir import NOTEBOOK, PROJECT, folder_of, leads_out, seen_from, shown, written_from
from stagebook.planning.plan import PlannedStage
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import PathRefused


def misplaced(
    stages: Iterable[PlannedStage], dependencies: ProjectDependencies
) -> Iterator[tuple[str, str, str]]:
    """The paths of stages that name nothing from the folder in which the cells run, and something from that of the
    notebook or of the project: the stage's name, what is to be said, and what to do. One notebook is told of once."""
    seen: set[tuple[str, str]] = set()
    for stage in stages:
        if (stage.notebook, stage.folder) not in seen:
            seen.add((stage.notebook, stage.folder))
            for where, text in _texts(stage, dependencies):
                if found := _meant(stage, text, dependencies):
                    workdir, path = found
                    what = f"is not there in {shown(stage.folder)}, where its cells run"
                    if leads_out(seen_from(stage.folder, text)):
                        what = "leads out of the project root"
                    way = written_from(stage.folder, path)
                    hint = f"with 'workdir: {workdir}' it is {path}; or write {way}"
                    yield stage.stage, f"{where} of '{stage.notebook}' names {text}, which {what}", hint


def fitting_workdir(stage: PlannedStage, dependencies: ProjectDependencies) -> str:
    """The working folder from which the paths in the code of a stage are right: that of its notebook, if some are right
    from there alone and none from the project alone; else the project."""
    there = {folder: folder_of(folder, stage.notebook) for folder in (PROJECT, NOTEBOOK)}
    texts = [text for _, text in _texts(stage, dependencies)]
    meant = {found[0] for text in texts if (found := _meant(stage, text, dependencies))}
    here = any(
        _is_there(seen_from(there[PROJECT], text), dependencies)
        and not _is_there(seen_from(there[NOTEBOOK], text), dependencies)
        for text in texts
    )
    return NOTEBOOK if NOTEBOOK in meant and not here else PROJECT


def _meant(stage: PlannedStage, text: str, dependencies: ProjectDependencies) -> tuple[str, str] | None:
    """The working folder, as the key has it, from which a text names something, and the path of that in the project;
    `None` where the text is right, or right from nowhere."""
    path = seen_from(stage.folder, text)
    if dependencies.workspace.exists(path):
        return None
    for workdir in (NOTEBOOK, PROJECT):
        other = seen_from(folder_of(workdir, stage.notebook), text)
        if other == path or leads_out(other):
            continue
        # One that climbs out of the project may be of a file that is still to be written.
        if leads_out(path) or is_file(other, dependencies):
            return workdir, other
    return None


def _is_there(path: str, dependencies: ProjectDependencies) -> bool:
    return not leads_out(path) and dependencies.workspace.exists(path)


def _texts(stage: PlannedStage, dependencies: ProjectDependencies) -> Iterator[tuple[str, str]]:
    """The relative paths in the code of a stage, and in the defaults of parameters that are not passed."""
    try:
        code = dependencies.code(stage.notebook, stage.runs_in, stage.folder)
        facts = dependencies.workspace.facts(stage.notebook)
    except NotebookUnreadable:
        return
    passed = stage.variables_passed
    for name, param in (facts.parameters or {}).items():
        if name not in passed and isinstance(param.default, str) and looks_like_path(param.default):
            yield f"the default of '{name}'", param.default
    yield from ((f"cell {number}", text) for text, number in sorted(code.path_cells.items()))


def is_file(path: str, dependencies: ProjectDependencies) -> bool:
    """Whether a path names a file of the project."""
    workspace = dependencies.workspace
    try:
        return workspace.is_file(workspace.inside_for_input(path))
    except PathRefused:
        return False

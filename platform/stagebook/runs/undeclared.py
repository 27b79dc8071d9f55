"""What stages were seen to read and write, held against what they declare; and paths that their code names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stagebook.code.constants import looks_like_path
from stagebook.observed import Observed
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.connections import read_through
from stagebook.planning.plan import PlannedStage
from stagebook.planning.undeclared import compare, messages, variables_of
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import PathRefused


def remarks(
    stages: Iterable[PlannedStage],
    observed: Mapping[str, Observed | None],
    dependencies: ProjectDependencies,
) -> list[tuple[str, str]]:
    """Pairs of a stage's name and what is to be said of it. Instances of one stage of which the same is
    to be said count once; `observed` is by stage instance."""
    stages = list(stages)
    found: dict[tuple[str, str], list[str]] = {}
    for stage in stages:
        for text in _of(stage, observed.get(stage.id), dependencies):
            rest = text.removeprefix(stage.id)
            found.setdefault((stage.stage, rest), []).append(stage.id)
    found |= _written_twice(stages, observed, dependencies)
    told = []
    for (name, rest), ids in found.items():
        who = ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"
        told.append((name, f"{who}{rest}"))
    return told


def _written_twice(
    stages: Sequence[PlannedStage],
    observed: Mapping[str, Observed | None],
    dependencies: ProjectDependencies,
) -> dict[tuple[str, str], list[str]]:
    """Undeclared files that more than one stage instance was seen to write, as `remarks` gathers what it finds."""
    writers: dict[str, list[PlannedStage]] = {}
    for stage in stages:
        for path in compare(stage, observed.get(stage.id)).undeclared_writes:
            if not dependencies.workspace.is_folder(path):
                writers.setdefault(path, []).append(stage)
    found: dict[tuple[str, str], list[str]] = {}
    for path, by in writers.items():
        if len(by) > 1:
            others = f" and {len(by) - 2} more" if len(by) > 2 else ""
            rest = f" writes {path}, which is not declared, and so does {by[1].id}{others}: each replaces the other's"
            found[by[0].stage, rest] = [by[0].id]
    return found


def _of(stage: PlannedStage, observed: Observed | None, dependencies: ProjectDependencies) -> list[str]:
    try:
        code = dependencies.code(stage.notebook, stage.runs_in)
    except NotebookUnreadable:
        return []
    paths = dependencies.code_paths(stage.notebook, stage.runs_in)
    paths += read_through(stage, dependencies.workspace)
    asked = [
        f"{stage.id} reads the environment variable {name}, which is not declared: changes of it go unnoticed"
        for name in variables_of(stage, code.variables)
    ]
    if observed is not None:
        return [*messages(compare(stage, observed, code=paths, names=code.names), stage), *asked]
    declared = {path for item in stage.inputs.values() for path in item.paths}
    declared |= {item.path for item in stage.outputs.values()} | {*paths, stage.notebook}
    return asked + [
        f"{stage.id} names {path}, which is not declared as an input: changes of it may go unnoticed"
        for path in sorted(code.path_literals)
        if path not in declared
        and not any(path.startswith(f"{folder}/") for folder in declared)
        and _is_file(path, dependencies)
    ]


def _is_file(path: str, dependencies: ProjectDependencies) -> bool:
    workspace = dependencies.workspace
    try:
        return workspace.is_file(workspace.inside_for_input(path))
    except PathRefused:
        return False


def misplaced(
    stages: Iterable[PlannedStage], dependencies: ProjectDependencies
) -> Iterator[tuple[str, str, str]]:
    """Paths that lead to a file from the folder of a notebook, but not from the project, in which it is executed: the
    stage's name, what is to be said, and what to do. One notebook is told of once."""
    seen: set[str] = set()
    for stage in stages:
        if stage.notebook not in seen:
            seen.add(stage.notebook)
            for where, text in _texts(stage, dependencies):
                meant = posixpath.normpath(posixpath.join(posixpath.dirname(stage.notebook), text))
                if meant != posixpath.normpath(text) and _leads_astray(text, meant, dependencies):
                    what = (
                        f"'{stage.notebook}' names {text} ({where}), which is not there in the project folder"
                    )
                    yield stage.stage, what, f"stages run in the project folder: write {meant}"


def _texts(stage: PlannedStage, dependencies: ProjectDependencies) -> Iterator[tuple[str, str]]:
    """The relative paths in the code of a stage, and in the defaults of parameters that are not passed."""
    try:
        code = dependencies.code(stage.notebook, stage.runs_in)
        facts = dependencies.workspace.facts(stage.notebook)
    except NotebookUnreadable:
        return
    passed = stage.variables_passed
    for name, param in (facts.parameters or {}).items():
        if name not in passed and isinstance(param.default, str) and looks_like_path(param.default):
            yield f"the default of '{name}'", param.default
    yield from ((f"cell {number}", text) for text, number in sorted(code.path_cells.items()))


def _leads_astray(text: str, meant: str, dependencies: ProjectDependencies) -> bool:
    """Whether a path names nothing from the project folder, and something from that of the notebook: a file, or for
    one that climbs out of the project, anything inside."""
    if posixpath.normpath(text).startswith("../"):
        return not meant.startswith("../") and not dependencies.workspace.exists(text)
    return not dependencies.workspace.exists(text) and _is_file(meant, dependencies)

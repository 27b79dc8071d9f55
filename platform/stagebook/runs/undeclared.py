"""What stages were seen to read and write, held against what they declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from stagebook.observed import Observed
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.workdir import seen_from
from stagebook.planning.connections import read_through
from stagebook.planning.plan import PlannedStage
from stagebook.planning.undeclared import compare, messages, variables_of
from stagebook.runs.misplaced import is_file
from stagebook.workspace.dependencies import ProjectDependencies


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
        code = dependencies.code(stage.notebook, stage.runs_in, stage.folder)
    except NotebookUnreadable:
        return []
    paths = dependencies.code_paths(stage.notebook, stage.runs_in, stage.folder)
    paths += read_through(stage, dependencies.workspace)
    asked = [
        f"{stage.id} reads the environment variable {name}, which is not declared: changes of it go unnoticed"
        for name in variables_of(stage, code.variables)
    ]
    if observed is not None:
        return [*messages(compare(stage, observed, code=paths, names=code.names), stage), *asked]
    declared = {path for item in stage.inputs.values() for path in item.paths}
    declared |= {item.path for item in stage.outputs.values()} | {*paths, stage.path}
    named = {seen_from(stage.folder, text) for text in code.path_literals}
    return asked + [
        f"{stage.id} names {path}, which is not declared as an input: changes of it may go unnoticed"
        for path in sorted(named)
        if path not in declared
        and not any(path.startswith(f"{folder}/") for folder in declared)
        and is_file(path, dependencies)
    ]

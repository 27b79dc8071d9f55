"""What stages were seen to read and write, held against what they declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.plan import PlannedStage
from stagebook.planning.undeclared import compare, messages
from stagebook.workspace.dependencies import ProjectDependencies


def remarks(
    stages: Iterable[PlannedStage],
    observed: Mapping[str, Mapping[str, Any] | None],
    dependencies: ProjectDependencies,
) -> list[tuple[str, str]]:
    """Pairs of a stage's name and what is to be said of it. Instances of one stage of which the same is
    to be said count once; `observed` is by stage instance."""
    found: dict[tuple[str, str], list[str]] = {}
    for stage in stages:
        for text in _of(stage, observed.get(stage.id), dependencies):
            rest = text.removeprefix(stage.id)
            found.setdefault((stage.stage, rest), []).append(stage.id)
    told = []
    for (name, rest), ids in found.items():
        who = ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"
        told.append((name, f"{who}{rest}"))
    return told


def _of(
    stage: PlannedStage, observed: Mapping[str, Any] | None, dependencies: ProjectDependencies
) -> list[str]:
    try:
        code = dependencies.code(stage.notebook, stage.runs_in)
    except NotebookUnreadable:
        return []
    paths = dependencies.code_paths(stage.notebook, stage.runs_in)
    if observed is not None:
        return messages(compare(stage, observed, code=paths, names=code.names), stage)
    declared = {path for item in stage.inputs.values() for path in item.paths}
    declared |= {item.path for item in stage.outputs.values()} | {*paths, stage.notebook}
    return [
        f"{stage.id} names {path}, which is not declared as an input: changes of it may go unnoticed"
        for path in sorted(code.path_literals)
        if path not in declared
        and not any(path.startswith(f"{folder}/") for folder in declared)
        and dependencies.is_file(path)
    ]

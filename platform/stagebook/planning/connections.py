"""The connections that stages name: that they are declared, and what a result depends on of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from stagebook.errors import PipelineInvalid, Problem, did_you_mean
from stagebook.pipeline.model import Pipeline
from stagebook.planning.plan import PlannedStage
from stagebook.workspace.workspace import Workspace


def check(pipeline: Pipeline, project: Workspace) -> list[Problem]:
    """The mistakes in what stages name, and in the files of connections if they do."""
    named = [
        (stage, at, name) for stage in pipeline.stages.values() for at, name in enumerate(stage.connections)
    ]
    if not named:
        return []
    try:
        declared = project.remotes.declared
    except PipelineInvalid as error:
        return list(error.problems)
    return [
        pipeline.problem(
            ("stages", stage.name, "connections", at),
            f"there is no connection '{name}'",
            did_you_mean(name, declared) or 'declare it in connections.toml: [NAME], url = "…"',
        )
        for stage, at, name in named
        if name not in declared
    ]


def definitions(stage: PlannedStage, project: Workspace) -> Mapping[str, str]:
    """What a result depends on of the connections of a stage: how they are declared, with the names of secrets."""
    return {
        one.name: json.dumps([one.kind, one.url, one.options], sort_keys=True, default=str)
        for one in project.remotes.named(stage.connections)
    }

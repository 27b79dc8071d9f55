"""The data of a project that no stage makes, as its pipelines name it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from stagebook.errors import StagebookError
from stagebook.pipeline.types import Value
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.planning.plan import PlannedStage
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.workspace import Workspace


def inputs_of(stage: PlannedStage | Instance) -> list[str]:
    """The inputs of a stage that no other stage of its pipeline makes, and that are files or folders of the project."""
    return [
        path
        for item in stage.inputs.values()
        for path, source in zip(item.paths, item.sources, strict=False)
        if not source and not any(path.startswith(f"{name}:") for name in item.connections)
    ]


def source_paths(
    catalog: Catalog, workspace: Workspace, params: Mapping[str, Value], env: Mapping[str, str]
) -> list[str]:
    """The inputs that no stage of any pipeline makes. Where a pipeline has one of the `params`, it counts in place of the
    default. What cannot be read is left out: planning tells of it."""
    found: dict[str, None] = {}
    made: set[str] = set()
    for name in catalog.names():
        with contextlib.suppress(StagebookError, OSError):
            pipeline = catalog.load(name).pipeline
            values = {one.name: params.get(one.name, one.default) for one in pipeline.params.values()}
            for instance in Expansion(pipeline, values, workspace, env).expand().values():
                found |= dict.fromkeys(inputs_of(instance))
                made |= {output.path for output in instance.outputs.values()}
    return [path for path in found if path not in made]

"""The connections that stages name: that they are declared, and what a result depends on of them."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping

from stagebook.connections.declared import FILE
from stagebook.errors import PipelineInvalid, Problem, did_you_mean
from stagebook.pipeline.model import Location, Pipeline
from stagebook.planning.plan import PlannedStage
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.workspace.workspace import Workspace


def check(pipeline: Pipeline, project: Workspace) -> list[Problem]:
    """The mistakes in what stages and schedules name, and in the files of connections if they do."""
    named: list[tuple[Location, str]] = [
        (("stages", stage.name, "connections", at), name)
        for stage in pipeline.stages.values()
        for at, name in enumerate(stage.connections)
    ]
    named += [
        (("schedules", one.name, "files"), one.files.partition(":")[0])
        for one in pipeline.schedules.values()
        if one.files
    ]
    if not named:
        return []
    try:
        declared = project.remotes.declared
    except PipelineInvalid as error:
        return list(error.problems)
    return [
        pipeline.problem(
            place,
            f"there is no connection '{name}'",
            did_you_mean(name, declared) or 'declare it in connections.toml: [NAME], url = "…"',
        )
        for place, name in named
        if name not in declared
    ]


def definitions(stage: PlannedStage, project: Workspace) -> Mapping[str, str]:
    """What a result depends on of the connections of a stage: how they are declared, with the names of secrets."""
    return {
        one.name: json.dumps([one.kind, one.url, one.options], sort_keys=True, default=str)
        for one in project.remotes.named(stage.connections)
    }


def read_through(stage: PlannedStage, project: Workspace) -> list[str]:
    """The files of the project that a stage reads by reading its inputs through connections, or what is new to a bookmark in
    a database; the files in which the connections are declared, too."""
    declared = project.remotes.named(stage.connections)
    found = [FILE, SETTINGS] if declared else []
    paths = [path for item in stage.inputs.values() for path in item.paths]
    for one in declared:
        if one.local is None:
            continue
        behind = [path.removeprefix(f"{one.name}:") for path in paths if path.startswith(f"{one.name}:")]
        if one.kind == "files":
            found += [posixpath.normpath(posixpath.join(one.local, path)) for path in behind]
        elif behind or (stage.bookmark is not None and not stage.bookmark.input):
            found.append(posixpath.normpath(one.local))
    return found

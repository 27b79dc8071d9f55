"""Mistakes that only the stages of a pipeline together show: rings, outputs in the way of what is there,
and outputs that nobody makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Pipeline
from stagebook.planning import graph
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.planning.plan import Decision, PlannedStage
from stagebook.planning.scopes import stages_named
from stagebook.workspace.paths import PathRefused, folders_around
from stagebook.workspace.workspace import Workspace

_ELSEWHERE = "choose another path, such as data/name.parquet"


def cycles(pipeline: Pipeline, instances: Mapping[str, Instance]) -> list[Problem]:
    """Stages that need each other in a ring."""
    edges: dict[str, dict[str, None]] = {name: {} for name in pipeline.stages}
    for instance in instances.values():
        needs = edges[instance.stage.name]
        needs.update((other.split("@")[0], None) for other in instance.upstream)
    found = []
    for ring in graph.cycles({name: tuple(needs) for name, needs in edges.items()}):
        names = " → ".join([*ring, ring[0]])
        message = f"a cycle: {names} (each needs the next)" if len(ring) > 1 else f"'{ring[0]}' needs itself"
        location = _place_of_need(pipeline, instances, ring[0], ring[1 % len(ring)])
        hint = "remove this, or what another of them needs" if len(ring) > 1 else "remove this"
        found.append(pipeline.problem(location, message, hint))
    return found


def _place_of_need(pipeline: Pipeline, instances: Mapping[str, Instance], name: str, need: str) -> Location:
    stage = pipeline.stages[name]
    for instance in instances.values():
        if instance.stage is stage:
            for (_, source), place in instance.input_places.items():
                if source.split("@")[0] == need:
                    return place
    for param, template in stage.params.items():
        if need in stages_named(template):
            return ("stages", name, "params", param)
    for key, condition in (("foreach", stage.foreach), ("when", stage.when)):
        if need in stages_named(condition):
            return ("stages", name, key)
    # What was wrong in the list is not in `after` any more, so this is the key and not an item of it.
    return ("stages", name, "after")


def overwritten(pipeline: Pipeline, expansion: Expansion, project: Workspace) -> list[Problem]:
    """Outputs that would take the place of what the pipeline itself is made of, or of what it reads."""
    sources = {pipeline.path: "the pipeline file itself"}
    for stage in pipeline.stages.values():
        try:
            sources.setdefault(project.inside(stage.notebook), "a notebook of the pipeline")
        except PathRefused:
            continue  # reported with the notebook
    sources |= dict.fromkeys(("stagebook.toml", "pyproject.toml"), "the settings of the project")
    found = _written_inside(pipeline, expansion, sources)
    for instance in expansion.instances.values():
        for item in instance.inputs.values():
            plain = (path for path, source in zip(item.paths, item.sources, strict=False) if not source)
            sources.update((path, f"an input of {instance.id}") for path in plain)
    for source, what in sources.items():
        for path in (source, *folders_around(source)):
            if path in expansion.writers:
                verb = "overwrite" if path == source else f"take the place of '{source}',"
                message = f"the output '{path}' would {verb} {what}"
                found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return list(found.values())


def _written_inside(pipeline: Pipeline, expansion: Expansion, files: Mapping[str, str]) -> dict[str, Problem]:
    found = {}
    for path in expansion.writers:
        if around := next((file for file in files if path.startswith(f"{file}/")), None):
            message = f"the output '{path}' would lie inside '{around}', {files[around]}"
            found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return found


def frozen_without_outputs(pipeline: Pipeline, stages: Sequence[PlannedStage]) -> list[Problem]:
    """Stages that never run, of which an output is neither there nor in the store."""
    hint = "run it once without 'frozen', or put the file there"
    return [
        pipeline.problem(
            ("stages", stage.stage, "frozen"), f"{stage.id} is {stage.judgement.reasons[0]}", hint
        )
        for stage in stages
        if stage.judgement is not None and stage.judgement.decision is Decision.SKIP
    ]

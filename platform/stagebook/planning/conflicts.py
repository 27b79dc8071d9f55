"""Mistakes that only the stages of a pipeline together show: rings, outputs in the way of what is there,
and outputs that nobody makes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Pipeline
from stagebook.planning import graph
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.planning.neighbours import Neighbours
from stagebook.planning.plan import Decision, PlannedStage
from stagebook.planning.scopes import stages_named
from stagebook.workspace.paths import folders_around

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


def overwritten(
    pipeline: Pipeline,
    expansion: Expansion,
    notebooks: Iterable[str],
    *,
    code: Mapping[str, Mapping[str, str]] | None = None,
    neighbours: Neighbours | None = None,
) -> list[Problem]:
    """Outputs that would take the place of what the pipeline itself is made of, its `notebooks` among that, or of what it reads; of code that is
    imported (`code`: path → who imports it → the stage of this pipeline, if it is one); or of what other pipelines
    have."""
    neighbours = neighbours or Neighbours()
    sources = _made_of(pipeline, notebooks, neighbours)
    found = _written_inside(pipeline, expansion, sources)
    found |= _inside_neighbours(pipeline, expansion, neighbours) | _shadowing(pipeline, expansion)
    for path, users in (code or {}).items():
        user = next((who for who, stage in users.items() if not _waits_for(expansion, stage, path)), None)
        if user is not None:
            sources.setdefault(path, f"{_CODE} {user} imports")
    for instance in expansion.instances.values():
        for item in instance.inputs.values():
            plain = (path for path, source in zip(item.paths, item.sources, strict=False) if not source)
            sources.update((path, f"{_INPUT} {instance.id}") for path in plain)
    for path, other in neighbours.outputs.items():
        if _meeting(expansion, path) - {other.notebook}:
            sources.setdefault(path, f"an output of {other.stage} in the pipeline {other.pipeline}")
    for source, what in sources.items():
        for path in (source, *folders_around(source)):
            if path in expansion.writers:
                verb = "overwrite" if path == source else f"take the place of '{source}',"
                message = f"the output '{path}' would {verb} {what}"
                more = _AS_INPUT if what.startswith(_CODE) else _as_part(expansion, path, source, what)
                found[path] = pipeline.problem(expansion.output_place(path), message, f"{_ELSEWHERE}{more}")
    return list(found.values())


# What Python, and the processes of a stage, import though no notebook does. The folder of a notebook and the project
# come before all others in the import path.
_IMPORTED = sys.stdlib_module_names | {
    "sitecustomize", "usercustomize", "stagebook", "ipykernel", "IPython", "traitlets", "tornado", "zmq", "jupyter_client",
    "jupyter_core", "comm", "debugpy", "psutil", "packaging", "dateutil", "papermill", "scrapbook", "nbformat", "nbclient",
}  # fmt: skip
_MODULE = re.compile(r"(\w+)(?:/__init__)?(?:\.pyc?|(?:\.[\w-]+)?\.(?:so|pyd))")


def _shadowing(pipeline: Pipeline, expansion: Expansion) -> dict[str, Problem]:
    """Outputs that the next process would import in place of a module of Python or of its kernel."""
    notebooks = (instance.stage.notebook for instance in expansion.instances.values())
    folders = {"", *(notebook.rpartition("/")[0] for notebook in notebooks)}
    found = {}
    for path in expansion.writers:
        for folder in folders:
            name = path.removeprefix(f"{folder}/") if folder else path
            module = _MODULE.fullmatch(name)
            if (name != path or not folder) and module and module[1] in _IMPORTED:
                message = f"the output '{path}' would be imported in place of '{module[1]}', by every stage"
                found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return found


_CODE = "code that"
_INPUT = "an input of"
_AS_INPUT = "; or refer to it in the inputs of what imports it"


def _as_part(expansion: Expansion, path: str, source: str, what: str) -> str:
    """How another stage refers to a file in a folder that is an output; empty where it is no input of another."""
    maker, name = expansion.writers[path], expansion.output_place(path)[-1]
    if path == source or not what.startswith(_INPUT) or what == f"{_INPUT} {maker}":
        return ""
    return f"; what {maker} makes in it is {maker}.{name}{source.removeprefix(path)}"


def _made_of(pipeline: Pipeline, notebooks: Iterable[str], neighbours: Neighbours) -> dict[str, str]:
    """The files that pipelines are made of, with what they are."""
    sources = {pipeline.path: "the pipeline file itself"}
    for notebook in notebooks:
        sources.setdefault(notebook, "a notebook of the pipeline")
    for path, other in neighbours.notebooks.items():
        sources.setdefault(path, f"a notebook of the pipeline {other.pipeline}")
    return sources


def shared(pipeline: Pipeline, expansion: Expansion, neighbours: Neighbours) -> list[Problem]:
    """Outputs that a stage of another pipeline with the same notebook writes, too: of two variants of a pipeline
    each replaces the other's."""
    found = {}
    for path in expansion.writers:
        other = neighbours.outputs.get(path)
        if other is not None:
            message = f"'{path}' is also written by {other.stage} in the pipeline {other.pipeline}: each run replaces it"
            found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return list(found.values())


def _waits_for(expansion: Expansion, stage: str, path: str) -> bool:
    """Whether all instances of a stage have a path among their inputs."""
    instances = [one for one in expansion.instances.values() if one.stage.name == stage]
    return bool(instances) and all(
        any(path in item.paths for item in instance.inputs.values()) for instance in instances
    )


def _meeting(expansion: Expansion, path: str) -> set[str]:
    """The notebooks of the instances that write a path, or a folder around it."""
    writers = (expansion.writers[it] for it in (path, *folders_around(path)) if it in expansion.writers)
    return {expansion.instances[name].stage.notebook for name in writers}


def _written_inside(pipeline: Pipeline, expansion: Expansion, files: Mapping[str, str]) -> dict[str, Problem]:
    found = {}
    for path in expansion.writers:
        if around := next((folder for folder in folders_around(path) if folder in files), None):
            message = f"the output '{path}' would lie inside '{around}', {files[around]}"
            found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return found


def _inside_neighbours(
    pipeline: Pipeline, expansion: Expansion, neighbours: Neighbours
) -> dict[str, Problem]:
    found = {}
    for path, writer in expansion.writers.items():
        for around in folders_around(path):
            other = neighbours.outputs.get(around)
            if other is not None and other.notebook != expansion.instances[writer].stage.notebook:
                what = f"which {other.stage} in the pipeline {other.pipeline} writes as a whole"
                message = f"'{path}' lies inside '{around}', {what}"
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

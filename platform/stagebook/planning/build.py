"""Building the plan: expansion, checks, order, selection. The one place that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stagebook.definition.pipeline import Location, Pipeline
from stagebook.definition.values import Type, Value
from stagebook.errors import PipelineInvalid, Problem
from stagebook.planning import expand, graph
from stagebook.planning.checks import NotebookChecks, Notebooks
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.select import Selection, select


class Project(expand.Files, Notebooks, Protocol):
    """What planning asks of the project on disk."""


def build_plan(  # noqa: PLR0913 - the parts that it is put together from
    pipeline: Pipeline,
    params: Mapping[str, Value],
    project: Project,
    *,
    selection: Selection | None = None,
    env: Mapping[str, str] | None = None,
    earlier: Callable[[str], Mapping[str, Value] | None] = lambda _stage: None,
    problems: Sequence[Problem] = (),
) -> Plan:
    """The plan of a run.

    Args:
        pipeline: what the file defines.
        params: a value for each parameter of the pipeline.
        project: the files on disk.
        selection: which stages; all by default.
        env: the environment variables that expressions may read.
        earlier: the scraps of a stage instance as an earlier run left them.
        problems: mistakes found before, to be reported with those found here.

    Raises:
        PipelineInvalid: with every mistake of the pipeline, its paths and its notebooks.
        UsageError: the selection matches nothing.
    """
    expansion = expand.Expansion(pipeline, params, project, env or {})
    instances = expansion.expand()
    found = [*problems, *expansion.problems, *_cycles(pipeline, instances)]
    checks = NotebookChecks(pipeline, project)
    facts = {stage.name: checks.facts(stage) for stage in pipeline.stages.values()}
    types: dict[str, dict[str, Type]] = {}
    for instance in instances.values():
        known = facts[instance.stage.name]
        types[instance.id] = checks.check_values(instance, known) if known else {}
    found += checks.problems
    found += _overwritten(pipeline, expansion)
    if found:
        raise PipelineInvalid(found)
    edges = {name: tuple(instance.upstream) for name, instance in instances.items()}
    ordered = graph.order(edges)
    chosen = select(selection, edges) if selection else set(edges)
    scraps, lacking = _earlier_scraps(pipeline, instances, chosen, earlier)
    missing = [*_missing(pipeline, instances, chosen, project), *lacking]
    if missing:
        raise PipelineInvalid(missing)
    stages = []
    for name in ordered:
        instance = instances[name]
        stage, known = instance.stage, facts[instance.stage.name]
        decision, reasons = _decide(instance, chosen)
        stages.append(
            PlannedStage(
                id=name,
                stage=stage.name,
                notebook=project.inside(stage.notebook),
                description=stage.description,
                point=instance.point,
                params=instance.params,
                deferred=instance.deferred,
                types=types[name],
                inputs=instance.inputs,
                outputs=instance.outputs,
                upstream=edges[name],
                decision=decision,
                reasons=reasons,
                retries=stage.retries,
                retry_delay=stage.retry_delay,
                timeout=stage.timeout,
                executor=stage.executor,
                kernel=stage.kernel,
                uses_mlflow=known is not None
                and any(module.split(".")[0] == "mlflow" for module in known.imports),
            )
        )
    return Plan(
        pipeline=pipeline.name,
        path=pipeline.path,
        description=pipeline.description,
        params=dict(params),
        stages=tuple(stages),
        scraps=scraps,
    )


def _decide(instance: expand.Instance, chosen: set[str]) -> tuple[Decision, tuple[str, ...]]:
    # The place where reuse will be decided: fingerprints turn RUN into REUSE.
    if instance.id not in chosen:
        return Decision.SKIP, ("not selected",)
    scraps = sorted(
        ".".join(reference)
        for template in instance.deferred.values()
        for reference in template.references
        if reference[0] == "stages"
    )
    if scraps:
        return Decision.WAIT, tuple(f"needs {scrap}" for scrap in scraps)
    return Decision.RUN, ("selected",)


def _cycles(pipeline: Pipeline, instances: Mapping[str, expand.Instance]) -> list[Problem]:
    edges: dict[str, dict[str, None]] = {name: {} for name in pipeline.stages}
    for instance in instances.values():
        needs = edges[instance.stage.name]
        needs.update((other.split("@")[0], None) for other in instance.upstream)
    found = []
    for ring in graph.cycles({name: tuple(needs) for name, needs in edges.items()}):
        names = " → ".join([*ring, ring[0]])
        location: Location = ("stages", ring[0])
        message = f"a cycle: {names} (each needs the next)" if len(ring) > 1 else f"'{ring[0]}' needs itself"
        found.append(pipeline.problem(location, message, "remove one of these inputs or 'after'"))
    return found


def _overwritten(pipeline: Pipeline, expansion: expand.Expansion) -> list[Problem]:
    sources = {stage.notebook: "a notebook" for stage in pipeline.stages.values()}
    sources[pipeline.path] = "the pipeline file"
    return [
        pipeline.problem(
            ("stages", expansion.writers[path].split("@")[0], "outputs"),
            f"the output '{path}' would overwrite {what} of the pipeline",
            "choose another path",
        )
        for path, what in sources.items()
        if path in expansion.writers
    ]


def _missing(
    pipeline: Pipeline, instances: Mapping[str, expand.Instance], chosen: set[str], project: Project
) -> list[Problem]:
    """What selected stages need of stages that are not selected and did not leave it behind."""
    problems = []
    for instance in instances.values():
        if instance.id not in chosen:
            continue
        for name, item in instance.inputs.items():
            for path, source in zip(item.paths, item.sources, strict=False):
                if source in chosen:
                    continue
                external = any(
                    o.kind == "external" and o.path == path for o in instances[source].outputs.values()
                )
                if not external and not project.exists(path):
                    problems.append(
                        pipeline.problem(
                            instance.input_places.get((name, source), ("stages", instance.stage.name)),
                            f"{instance.id} needs '{path}', which is not there",
                            f"select {source} as well, which makes it",
                        )
                    )
    return problems


def _earlier_scraps(
    pipeline: Pipeline,
    instances: Mapping[str, expand.Instance],
    chosen: set[str],
    earlier: Callable[[str], Mapping[str, Value] | None],
) -> tuple[dict[str, Mapping[str, Value]], list[Problem]]:
    """The scraps that selected stages need of stages that are not selected."""
    scraps: dict[str, Mapping[str, Value]] = {}
    problems = []
    for instance in instances.values():
        references = {ref for template in instance.deferred.values() for ref in template.references}
        if instance.id not in chosen:
            continue
        for other in instances.values():
            names = {ref[3] for ref in references if ref[0] == "stages" and ref[1] == other.stage.name}
            if not names or other.id in chosen or other.id in scraps:
                continue
            known = earlier(other.id)
            if known is not None and names <= set(known):
                scraps[other.id] = known
                continue
            problems.append(
                pipeline.problem(
                    ("stages", instance.stage.name, "params"),
                    f"{instance.id} needs scraps of '{other.id}', which is not selected and left none",
                    f"select {other.id} as well",
                )
            )
    return scraps, problems

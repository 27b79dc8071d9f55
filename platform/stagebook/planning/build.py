"""Building the plan: expansion, checks, order, selection. The one place that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stagebook.definition.notebook import NotebookFacts
from stagebook.definition.paths import PathRefused
from stagebook.definition.pipeline import Location, Pipeline
from stagebook.definition.values import Type, Value
from stagebook.errors import PipelineInvalid, Problem
from stagebook.planning import expand, graph
from stagebook.planning.checks import NotebookChecks, Notebooks
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.select import Selection, select

_ELSEWHERE = "choose another path, such as data/name.parquet"


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
    found += _overwritten(pipeline, expansion, project)
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
                foreach=stage.foreach if instance.pending else None,
                when=instance.when,
                trigger=stage.trigger,
                env=stage.env,
                cache=stage.cache,
                frozen=stage.frozen,
                strict=stage.strict,
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
        env=_mentioned(env or {}, stages),
        imports=_imports(stages, facts),
        warnings=tuple(checks.warnings),
    )


def _imports(stages: Sequence[PlannedStage], facts: Mapping[str, NotebookFacts | None]) -> frozenset[str]:
    known = [facts[name] for name in {stage.stage for stage in stages if stage.runs}]
    return frozenset().union(*(item.imports for item in known if item is not None))


def _mentioned(env: Mapping[str, str], stages: Sequence[PlannedStage]) -> dict[str, str]:
    references = {ref for stage in stages for item in stage.deferred.values() for ref in item.references}
    return {ref[1]: env[ref[1]] for ref in references if ref[0] == "env" and ref[1] in env}


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
        message = f"a cycle: {names} (each needs the next)" if len(ring) > 1 else f"'{ring[0]}' needs itself"
        location = _place_of_need(pipeline, instances, ring[0], ring[1 % len(ring)])
        hint = "remove this, or what another of them needs" if len(ring) > 1 else "remove this"
        found.append(pipeline.problem(location, message, hint))
    return found


def _place_of_need(
    pipeline: Pipeline, instances: Mapping[str, expand.Instance], name: str, need: str
) -> Location:
    """Where the file says that one stage needs another."""
    stage = pipeline.stages[name]
    for instance in instances.values():
        if instance.stage is stage:
            for (_, source), place in instance.input_places.items():
                if source.split("@")[0] == need:
                    return place
    for param, template in stage.params.items():
        if any(reference[:2] == ("stages", need) for reference in template.references):
            return ("stages", name, "params", param)
    # What was wrong in the list is not in `after` any more, so this is the key and not an item of it.
    return ("stages", name, "after")


def _overwritten(pipeline: Pipeline, expansion: expand.Expansion, project: Project) -> list[Problem]:
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
            if not item.sources:
                sources.update((path, f"an input of {instance.id}") for path in item.paths)
    for source, what in sources.items():
        parts = source.split("/")
        for length in range(1, len(parts) + 1):
            path = "/".join(parts[:length])
            if path in expansion.writers:
                verb = "overwrite" if path == source else f"take the place of '{source}',"
                message = f"the output '{path}' would {verb} {what}"
                found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return list(found.values())


def _written_inside(
    pipeline: Pipeline, expansion: expand.Expansion, files: Mapping[str, str]
) -> dict[str, Problem]:
    found = {}
    for path in expansion.writers:
        around = next((file for file in files if path.startswith(f"{file}/")), None)
        if around is not None:
            message = f"the output '{path}' would lie inside '{around}', {files[around]}"
            found[path] = pipeline.problem(expansion.output_place(path), message, _ELSEWHERE)
    return found


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

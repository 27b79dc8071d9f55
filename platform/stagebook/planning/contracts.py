"""Which contract holds for which output, and what is wrong with that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stagebook.contracts.contract import Contract, KeyRule, QueryRule
from stagebook.errors import Problem, did_you_mean
from stagebook.pipeline.model import Location, Pipeline, make_problem
from stagebook.planning import graph
from stagebook.planning.instances import Instance
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

Paths = Mapping[str, tuple[str, ...]]  # of datasets, by name


@dataclasses.dataclass(frozen=True, slots=True)
class Attached:
    """The contracts of a pipeline by output, as `stage.output`, and all mistakes in them."""

    contracts: Mapping[str, Contract]
    problems: tuple[Problem, ...]


def attach(pipeline: Pipeline, project: Workspace) -> Attached:
    """The contracts of all outputs of a pipeline."""
    found: dict[str, Contract] = {}
    problems: list[Problem] = []
    files = project.contracts.paths()
    for stage in pipeline.stages.values():
        for output in stage.outputs.values():
            location: Location = ("stages", stage.name, "outputs", output.name, "contract")
            dataset = f"{pipeline.name}.{stage.name}.{output.name}"
            path = files.get(dataset, "")
            if output.contract:
                try:
                    path = project.inside(output.contract)
                except PathRefused as error:
                    problems.append(pipeline.problem(location, f"contract: {error}", error.hint))
                    continue
                if not project.is_file(path):
                    hint = "paths are relative to the project root"
                    problems.append(pipeline.problem(location, f"there is no contract '{path}'", hint))
                    continue
            if not path:
                continue
            if output.kind == "external":
                message = f"'{output.name}' is external, so nothing can be audited before it is there"
                problems.append(Problem(path=path, message=message, hint="make it a file of the project"))
                continue
            if output.kind == "notebook":
                message = f"'{output.name}' is the executed notebook, which has no rows that a contract could be about"
                problems.append(Problem(path=path, message=message, hint="remove the contract"))
                continue
            loaded = project.contracts.load_for(dataset, path)
            problems += loaded.problems
            found[f"{stage.name}.{output.name}"] = loaded.contract
    problems += _without_output(pipeline, files)
    if found and not project.contracts.can_audit:
        first = min(contract.path for contract in found.values())
        hint = "pip install 'stagebook[data]'"
        problems.append(
            Problem(path=first, message="contracts need DuckDB, which is not installed", hint=hint)
        )
    return Attached(found, tuple(dict.fromkeys(problems)))


def _without_output(pipeline: Pipeline, files: Mapping[str, str]) -> Iterator[Problem]:
    """Files that are named after an output of this pipeline which it does not have."""
    for dataset, path in files.items():
        owner, _, rest = dataset.partition(".")
        stage, _, output = rest.partition(".")
        if owner != pipeline.name or stage in pipeline.broken:
            continue
        if stage not in pipeline.stages:
            known = did_you_mean(stage, pipeline.stages)
            yield Problem(path=path, message=f"the pipeline {owner} has no stage '{stage}'", hint=known)
        elif output not in pipeline.stages[stage].outputs:
            known = did_you_mean(output, pipeline.stages[stage].outputs)
            yield Problem(path=path, message=f"the stage {stage} has no output '{output}'", hint=known)


def related(
    pipeline: Pipeline,
    attached: Mapping[str, Contract],
    instances: Mapping[str, Instance],
    edges: graph.Graph,
    others: Callable[[str], tuple[str, ...]],
) -> tuple[dict[str, Paths], list[Problem]]:
    """For each output that has a contract (`attached`), as `stage.output`, the paths of the datasets that its rules ask for; and
    what is wrong with them. `others`: the paths of a dataset of another pipeline, none where that does not have it."""
    own = _datasets(pipeline.name, instances) if attached else {}
    found: dict[str, Paths] = {}
    problems: list[Problem] = []
    for name, contract in attached.items():
        stage = name.partition(".")[0]
        paths: dict[str, tuple[str, ...]] = {}
        for rule in contract.rules:
            for dataset in datasets_of(rule):
                maker = dataset.split(".")[1]
                where = make_problem(contract.path, contract.positions.get(rule.location, (0, 0)), "")
                if dataset in own:
                    paths[dataset] = own[dataset]
                    if maker != stage and not _comes_after(stage, maker, instances, edges):
                        message = f"the rule asks for {dataset}, which '{stage}' does not wait for"
                        hint = f"name {maker} in its inputs, or in after: [{maker}]"
                        problems.append(dataclasses.replace(where, message=message, hint=hint))
                elif elsewhere := others(dataset):
                    paths[dataset] = elsewhere
                elif isinstance(rule, KeyRule):
                    hint = did_you_mean(dataset, own)
                    problems.append(
                        dataclasses.replace(where, message=f"there is no dataset {dataset}", hint=hint)
                    )
        found[name] = paths
    return found, problems


def _datasets(pipeline: str, instances: Mapping[str, Instance]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for instance in instances.values():
        for name, output in instance.outputs.items():
            if output.kind != "external":
                found.setdefault(f"{pipeline}.{instance.stage.name}.{name}", []).append(output.path)
    return {name: tuple(paths) for name, paths in found.items()}


def datasets_of(rule: Any) -> list[str]:
    """The datasets that a rule asks for."""
    if isinstance(rule, KeyRule):
        return [rule.dataset]
    if isinstance(rule, QueryRule):
        quoted = rule.query.split('"')[1::2]
        return [name for name in quoted if name.count(".") == 2]
    return []


def _comes_after(stage: str, maker: str, instances: Mapping[str, Instance], edges: graph.Graph) -> bool:
    before = graph.closure(edges, [name for name, one in instances.items() if one.stage.name == stage])
    return any(instances[name].stage.name == maker for name in before)

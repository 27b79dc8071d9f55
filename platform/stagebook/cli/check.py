"""`stagebook check`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from stagebook.cli.options import Interval, Json, Params, ParamsFile, Pipeline
from stagebook.cli.output import console, write_json
from stagebook.cli.request import request_of
from stagebook.connections.declared import FILE as CONNECTIONS
from stagebook.errors import PipelineInvalid, Problem
from stagebook.planning.plan import Plan
from stagebook.project import Project
from stagebook.runs.leaks import find_leaks
from stagebook.runs.misplaced import misplaced
from stagebook.runs.undeclared import remarks
from stagebook.scheduling.places import mistakes_of
from stagebook.system.settings_file import FILE
from stagebook.views.formatting import plural
from stagebook.views.problems import problem_list
from stagebook.workspace.environments import DEV


def check(
    pipeline: Pipeline = None,
    params: Params = None,
    params_file: ParamsFile = None,
    interval: Interval = None,
    as_json: Json = False,
) -> None:
    """Report every mistake of a pipeline (of all, if none is named), and run nothing."""
    project = Project.open()
    _ = project.settings  # raises where they have mistakes
    found: list[Problem] = []
    checked = []
    names = [pipeline] if pipeline else project.catalog.names() or [project.catalog.find()]
    for name in names:
        try:
            plan = project.plan(request_of(name, params=params, params_file=params_file, interval=interval))
        except PipelineInvalid as error:
            found += error.problems
        else:
            files = [plan.path, FILE, CONNECTIONS, *(stage.path for stage in plan.stages)]
            leaks = find_leaks(project.root, files)
            warnings = (*plan.warnings, *_undeclared(project, name, plan), *leaks)
            checked.append(dataclasses.replace(plan, warnings=warnings))
    found += _of_schedules(project, pipeline)
    found += _of_rules(project) if pipeline is None else ()
    if found:
        raise PipelineInvalid(found)
    if as_json:
        told = [warning.to_json() for plan in checked for warning in plan.warnings]
        write_json(
            {"ok": True, "pipelines": [plan.pipeline for plan in checked], "problems": [], "warnings": told}
        )
        return
    for plan in checked:
        what = plural(len(plan.warnings), "warning") if plan.warnings else "no problems"
        console().print(f"✓ {plan.path}: {plural(len(plan.stages), 'stage')}, {what}")
        if plan.warnings:
            console().print(problem_list(plan.warnings), soft_wrap=True)


def _of_schedules(project: Project, file: str | None) -> list[Problem]:
    """What is wrong with the schedules of a pipeline, or of all. In an environment, whose pipelines are those of a release, nothing
    is said of them."""
    if project.placement.environment is not None:
        return []
    return mistakes_of(project, None if file is None else [project.catalog.load(file).pipeline.name])


def _of_rules(project: Project) -> Iterator[Problem]:
    """Rules for alerts that are about what is not there, so that nobody would ever be told."""
    rules = project.settings.notify
    if not rules or project.placement.environment is not None:
        return
    names = set(project.catalog.names())
    for name in tuple(names):
        with contextlib.suppress(PipelineInvalid):  # told above
            names.add(project.catalog.load(name).pipeline.name)
    environments = [DEV, *project.environments.all()]
    for rule, one in rules.items():
        for key, message, hint in one.unknown(sorted(names), environments):
            yield Problem(path=FILE, message=f"'notify.{rule}.{key}': {message}", hint=hint)


def _undeclared(project: Project, name: str, plan: Plan) -> list[Problem]:
    """What stages read or wrote when they last ran, or name in their code, and do not declare."""
    pipeline = project.catalog.load(name).pipeline
    observed = project.journal.events.observations(pipeline.name) if project.history.has_journal else {}
    told = [(*pair, _hint(pair[1])) for pair in remarks(plan.stages, observed, project.dependencies)]
    found = [*misplaced(plan.stages, project.dependencies), *told]
    return [pipeline.problem(("stages", stage), text, hint) for stage, text, hint in found]


def _hint(text: str) -> str:
    if "does not use" in text:
        return "remove it from the inputs"
    if " reads the environment variable " in text:
        return f"env: [{text.partition(' variable ')[2].partition(',')[0]}]"
    return "" if " writes " in text else "make it an input; with 'strict: true' the stage fails instead"

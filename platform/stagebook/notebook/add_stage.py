"""Adding a notebook to a pipeline as a stage, and wiring stages: `pipeline_text` edits the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.errors import StageRefused, UsageError, did_you_mean
from stagebook.notebook.pipeline_text import with_input, with_stage
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.problems import STAGE_NAME
from stagebook.pipeline.yaml import parse_scalar
from stagebook.planning.checks import passed_to
from stagebook.planning.infer.draft import names_apart
from stagebook.project import Project
from stagebook.system.files import write_whole
from stagebook.workspace.paths import PathRefused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a stage gets and gives, by the names of the notebook's parameters: `params` as YAML, `inputs` as `stage.output` or
    paths, `outputs` as paths. What the notebook `reads` and `writes` by itself is declared by path alone."""

    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was added, or would be: the pipeline file, the line in it, the notebook of the stage, and the `lines` that are new in
    the file."""

    path: str
    line: int
    notebook: str
    lines: tuple[str, ...] = ()


def add_stage(
    project: Project,
    pipeline: str,
    name: str,
    notebook: str = "",
    wiring: Wiring | None = None,
    *,
    write: bool = True,
) -> Added:
    """Add a notebook of the project to a pipeline; without one, a new notebook is made. Without a wiring it is that of
    `wiring_of`. Unless it is to `write`, it is only said what would be added.

    Raises:
        StageRefused: the name is none or is taken, the notebook is not there, or lacks a parameter.
        UsageError: the file cannot be edited, or would have a mistake.
        PipelineNotFound: there is no such pipeline.
    """
    text, path, loaded = _read(project, pipeline)
    _check_name(loaded.pipeline, name)
    place = _place(project, name, notebook)
    names = None if not notebook else parameters_of(project, place)
    if wiring is None:
        wiring = wiring_of(loaded.pipeline, names or ())
    stage = _stage(place, wiring, names)
    edited, line = with_stage(text, path, name, stage)
    _check(loaded, edited)
    if write:
        if not notebook:
            _write_notebook(project, place, name, wiring)
        write_whole(project.root / path, edited.encode())
    return Added(path=path, line=line, notebook=place, lines=_new_lines(text, edited))


def connect(
    project: Project, pipeline: str, source: str, stage: str, name: str | None = "", *, write: bool = True
) -> Added:
    """Make the dataset `source`, an output such as `clean.flights`, an input of a stage, of the name of a parameter of its
    notebook: by default that of the output, and `None` where the notebook names the file by itself. Unless it is to `write`, it
    is only said what would be added.

    Raises:
        StageRefused: there is no such output or stage, the notebook lacks the parameter, or has it already.
        UsageError: the file cannot be edited, or would have a mistake.
        PipelineNotFound: there is no such pipeline.
    """
    text, path, loaded = _read(project, pipeline)
    before, _, output = source.rpartition(".")
    name = "" if name is None else name or output
    stages = loaded.pipeline.stages
    if stage not in stages:
        raise StageRefused("stage", f"there is no stage '{stage}'", did_you_mean(stage, stages))
    if source not in offers_of(loaded.pipeline):
        hint = did_you_mean(source, offers_of(loaded.pipeline))
        raise StageRefused("source", f"there is no output '{source}'", hint)
    if before == stage or stage in _before(loaded.pipeline, before):
        raise StageRefused("source", f"'{before}' comes after '{stage}': the lines would form a circle")
    if name in {name for _, name in passed_to(stages[stage])}:
        raise StageRefused(
            "name", f"'{stage}' has '{name}' already", "take another parameter of its notebook"
        )
    names = parameters_of(project, stages[stage].notebook) if name else ()
    if name and name not in names:
        msg = f"'{stages[stage].notebook}' declares no parameter '{name}'"
        raise StageRefused("name", msg, did_you_mean(name, names))
    edited, line = with_input(text, path, stage, name, source)
    _check(loaded, edited)
    if write:
        write_whole(project.root / path, edited.encode())
    lines = _new_lines(text, edited)
    return Added(path=path, line=line, notebook=stages[stage].notebook, lines=lines)


def wiring_of(pipeline: Pipeline, names: Iterable[str]) -> Wiring:
    """What a stage probably gets whose notebook has parameters of these names: a parameter of the pipeline of the same name, or
    the output of a stage that has its name."""
    offers: dict[str, list[str]] = {}
    for offer in offers_of(pipeline):
        offers.setdefault(offer.rpartition(".")[2], []).append(offer)
    params = {name: f"${{params.{name}}}" for name in names if name in pipeline.params}
    inputs = {
        name: offers[name][0] for name in names if name not in params and len(offers.get(name, ())) == 1
    }
    return Wiring(params=params, inputs=inputs)


def offers_of(pipeline: Pipeline) -> tuple[str, ...]:
    """The outputs of all stages, as inputs name them: `stage.output`."""
    return tuple(f"{stage.name}.{output}" for stage in pipeline.stages.values() for output in stage.outputs)


def parameters_of(project: Project, notebook: str) -> tuple[str, ...]:
    """The names of the parameters of a notebook of the project. Raises `StageRefused`."""
    try:
        return tuple(project.dependencies.workspace.facts(notebook).parameters or ())
    except (PathRefused, NotebookUnreadable) as error:
        raise StageRefused("notebook", f"'{notebook}': {error}", error.hint) from error


def _read(project: Project, pipeline: str) -> tuple[str, str, LoadedPipeline]:
    path = project.catalog.find(pipeline)
    text = (project.root / path).read_bytes().decode()
    return text, path, load_pipeline(text, path)


def _check_name(pipeline: Pipeline, name: str) -> None:
    if not STAGE_NAME.fullmatch(name):
        msg = f"'{name[:60]}' is not a name of a stage"
        raise StageRefused("name", msg, "use letters, digits, '_' and '-', and start with a letter")
    if name in pipeline.stages or name in pipeline.broken:
        raise StageRefused("name", f"the pipeline has a stage '{name}' already", "give it another name")


def _place(project: Project, name: str, notebook: str) -> str:
    """The path of the notebook in the project. Raises `StageRefused`."""
    try:
        place = project.dependencies.workspace.inside(notebook or f"notebooks/{name}.ipynb")
    except PathRefused as error:
        raise StageRefused("notebook", f"'{notebook}': {error}", error.hint) from error
    if not notebook and (project.root / place).exists():
        msg = f"'{place}' is there already"
        raise StageRefused("notebook", msg, "add that notebook, or give the stage another name")
    return place


def _stage(notebook: str, wiring: Wiring, names: tuple[str, ...] | None) -> dict[str, Any]:
    """A stage as the file has it. `names`: the parameters of its notebook; `None` where that is made for it."""
    stage: dict[str, Any] = {"notebook": notebook}
    seen: set[str] = set()
    for kind in ("params", "inputs", "outputs"):
        items: Mapping[str, str] = getattr(wiring, kind)
        for name in items:
            field = f"{kind}.{name}"
            if not name.isidentifier():
                raise StageRefused(field, f"'{name[:60]}' is no name of a variable")
            if name in seen:
                raise StageRefused(field, f"'{name}' is given twice")
            if names is not None and name not in names:
                msg = f"'{notebook}' declares no parameter '{name}'"
                raise StageRefused(field, msg, did_you_mean(name, names))
            if not items[name].strip():
                raise StageRefused(field, f"'{name}' has no value")
            seen.add(name)
        if items:
            stage[kind] = {name: _value(f"{kind}.{name}", text) for name, text in items.items()}
    for kind, paths in (("inputs", wiring.reads), ("outputs", wiring.writes)):
        _add_alone(stage, kind, paths)
    return stage


def _add_alone(stage: dict[str, Any], kind: str, paths: Sequence[str]) -> None:
    """Declare what the notebook names by itself. Raises `StageRefused`."""
    if not all(path.strip() for path in paths):
        raise StageRefused(f"{kind}.", "a path is empty")
    if paths and kind not in stage:
        stage[kind] = list(paths)
    elif paths:
        named = zip(names_apart(list(paths), stage[kind]), paths, strict=True)
        stage[kind] |= {name: {"path": path, "inject": False} for name, path in named}


def _value(field: str, text: str) -> Any:
    """A parameter as YAML reads it; a path or reference as it is."""
    if not field.startswith("params.") or "${" in text:
        return text
    try:
        value = parse_scalar(text)
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise StageRefused(field, str(error)) from error
    return value


def _check(loaded: LoadedPipeline, edited: str) -> None:
    """Refuse what would bring a mistake into the file. Raises `UsageError`."""
    before = {str(problem.message) for problem in loaded.problems}
    for problem in load_pipeline(edited, loaded.pipeline.path).problems:
        if problem.message not in before:
            raise UsageError(problem.message, hint=problem.hint)


def _before(pipeline: Pipeline, stage: str) -> set[str]:
    """The stages that have to end before one, however far."""
    found: set[str] = set()
    ahead = [stage]
    while ahead:
        here = pipeline.stages.get(ahead.pop())
        if here is None:
            continue
        named = {
            str(ref.text.source).split(".")[0].split("@")[0]
            for item in here.inputs.values()
            for ref in item.refs
        }
        new = ({*here.after} | (named & {*pipeline.stages})) - found
        found |= new
        ahead += new
    return found


def _new_lines(before: str, after: str) -> tuple[str, ...]:
    """The lines in which a text differs from what it was: between what both begin and end with."""
    old, new = before.splitlines(), after.splitlines()
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return tuple(new[head : len(new) - tail])


def _write_notebook(project: Project, place: str, name: str, wiring: Wiring) -> None:
    kinds = ((wiring.params, "None"), (wiring.inputs, '""'), (wiring.outputs, '""'))
    names = "".join(f"{one} = {empty}\n" for items, empty in kinds for one in items)
    cells = [
        ("markdown", f"# {name}", []),
        (
            "code",
            f"# Parameters of this stage: the pipeline gives them their values.\n{names}",
            ["parameters"],
        ),
        ("code", "", []),
    ]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [
            {
                "cell_type": kind,
                "id": f"{kind}-{at}",
                "metadata": {"tags": tags} if tags else {},
                "source": source,
                **({"outputs": [], "execution_count": None} if kind == "code" else {}),
            }
            for at, (kind, source, tags) in enumerate(cells)
        ],
    }
    file = project.root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (json.dumps(notebook, indent=1) + "\n").encode())

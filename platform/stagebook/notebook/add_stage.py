"""Adding a notebook to a pipeline as a stage. The file is edited as text: comments, order and layout stay
as they are, and the result has to say what the file said before, and the stage besides."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.problems import STAGE_NAME
from stagebook.pipeline.yaml import Document, read_document
from stagebook.project import Project
from stagebook.system.files import write_whole
from stagebook.workspace.paths import PathRefused

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]")  # needs no quotes in YAML
_WORDS = {"true", "false", "null"}
_INDENT = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A stage that was added: the pipeline file, the line of the stage in it, and its notebook."""

    path: str
    line: int
    notebook: str


def add_stage(project: Project, pipeline: str, name: str, notebook: str = "") -> Added:
    """Add a notebook of the project to a pipeline; without one, a new notebook is made. A parameter of
    the notebook gets the pipeline's parameter of its name, or the output of a stage that has its name.

    Raises:
        UsageError: the name is none or is taken, the notebook is not there, or the file cannot be edited.
        PipelineNotFound: there is no such pipeline.
    """
    path = project.catalog.find(pipeline)
    file = project.root / path
    text = file.read_bytes().decode()
    loaded = load_pipeline(text, path)
    if not STAGE_NAME.fullmatch(name):
        msg = f"'{name[:60]}' is not a name of a stage"
        raise UsageError(msg, hint="use letters, digits, '_' and '-', and start with a letter")
    if name in loaded.pipeline.stages or name in loaded.pipeline.broken:
        raise UsageError(f"the pipeline has a stage '{name}' already", hint="give it another name")
    is_new = not notebook
    try:
        place = project.dependencies.workspace.inside(notebook or f"notebooks/{name}.ipynb")
        if is_new and (project.root / place).exists():
            msg = f"'{place}' is there already"
            raise UsageError(msg, hint="add that notebook, or give the stage another name")
        names = () if is_new else tuple(project.dependencies.workspace.facts(place).parameters or ())
    except (PathRefused, NotebookUnreadable) as error:
        raise UsageError(f"'{notebook}': {error}", hint=error.hint) from error
    stage = stage_of(loaded.pipeline, place, names)
    edited, line = with_stage(text, path, name, stage)
    before = {str(problem.message) for problem in loaded.problems}
    for problem in load_pipeline(edited, path).problems:
        if problem.message not in before:
            raise UsageError(problem.message, hint=problem.hint)
    if is_new:
        _write_notebook(project.root / place, name)
    write_whole(file, edited.encode())
    return Added(path=path, line=line, notebook=place)


def stage_of(pipeline: Pipeline, notebook: str, names: tuple[str, ...]) -> dict[str, Any]:
    """A stage as the file has it, for a notebook with parameters of these names."""
    made: dict[str, list[str]] = {}
    for other in pipeline.stages.values():
        for output in other.outputs:
            made.setdefault(output, []).append(other.name)
    params = {name: f"${{params.{name}}}" for name in names if name in pipeline.params}
    inputs = {
        name: f"{made[name][0]}.{name}"
        for name in names
        if name not in params and len(made.get(name, ())) == 1
    }
    return {
        "notebook": notebook,
        **({"params": params} if params else {}),
        **({"inputs": inputs} if inputs else {}),
    }


def with_stage(text: str, path: str, name: str, stage: Mapping[str, Any]) -> tuple[str, int]:
    """The text of a pipeline file with one more stage at the end of `stages`, and its line there.

    Raises:
        UsageError: the file is not readable, or is written so that it cannot be added to.
    """
    before = read_document(text, path)
    data = before.data if isinstance(before.data, dict) else {}
    if before.problems or not all(
        isinstance(item, dict | None) for item in (before.data, data.get("stages"))
    ):
        msg = f"'{path}' cannot be added to: it has mistakes"
        raise UsageError(msg, hint=f"see them with: stagebook check {Path(path).stem}")
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    at, indent = _place(before, data, lines)
    block = _block(name, stage, indent)
    if at is None:
        at, block = len(lines), ["stages:", *block]
    made = "".join([*lines[:at], *(f"{line}{end}" for line in block), *lines[at:]])
    after = read_document(made, path)
    wanted = {**data, "stages": {**(data.get("stages") or {}), name: stage}}
    if after.problems or after.data != wanted or list(after.data["stages"]) != list(wanted["stages"]):
        msg = f"'{path}' is written in a way that cannot be added to"
        raise UsageError(msg, hint=f"add it by hand: {json.dumps({name: stage}, ensure_ascii=False)}")
    return made, after.positions["stages", name][0]


def _place(document: Document, data: Mapping[str, Any], lines: list[str]) -> tuple[int | None, int]:
    """After which line the stage goes, and how far it is indented."""
    if "stages" not in data:
        return None, _INDENT
    head = document.positions["stages",][0]
    stages = data["stages"] or {}
    columns = [document.positions["stages", name][1] for name in stages]
    indent = columns[-1] - 1 if columns else _INDENT
    below = [line for key in data if (line := document.positions[key,][0]) > head]
    at = min(below) - 1 if below else len(lines)
    # What stands between the last stage and the next key, and is no part of the stage, belongs to the key.
    while at > head and _is_between(lines[at - 1], indent):
        at -= 1
    return at, indent


def _is_between(line: str, indent: int) -> bool:
    bare = line.strip()
    return (
        not bare
        or (bare.startswith("#") and len(line) - len(line.lstrip()) < indent)
        or bare in {"---", "..."}
    )


def _block(name: str, stage: Mapping[str, Any], indent: int) -> list[str]:
    lines = [f"{' ' * indent}{name}:"]
    for key, value in stage.items():
        start = " " * (indent + _INDENT)
        if isinstance(value, Mapping):
            lines.append(f"{start}{key}:")
            lines += [f"{start}{' ' * _INDENT}{_quoted(one)}: {_quoted(text)}" for one, text in value.items()]
        else:
            lines.append(f"{start}{key}: {_quoted(value)}")
    return lines


def _quoted(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.replace("_", "").isdigit()
    return text if is_plain and not text[0].isdigit() else json.dumps(text, ensure_ascii=False)


def _write_notebook(file: Path, name: str) -> None:
    cells = [
        ("markdown", f"# {name}", []),
        ("code", "# Parameters of this stage: the pipeline gives them their values.\n", ["parameters"]),
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
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (json.dumps(notebook, indent=1) + "\n").encode())

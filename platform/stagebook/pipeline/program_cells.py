"""The notebook that is made for a program, which runs it: a parameters cell, and a cell that calls `stagebook_program`.

It is executed as any other, so that the log, statuses, time, memory, retries, outputs and records of a program are those of a
notebook. Its text depends on the pipeline file alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.pipeline.arguments import ARGUMENTS
from stagebook.pipeline.model import Program
from stagebook.pipeline.notebook_file import PARAMETERS_TAG

MODULE = "stagebook_program"


def cells_of(
    program: Program,
    params: Mapping[str, str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> tuple[str, str]:
    """The sources of its two cells. Of what is passed there is by name the annotation that it is declared with, `""` for
    none."""
    known = {**params, **inputs, **outputs}
    lines = [f"{name}: {kind!r} = None" if kind else f"{name} = None" for name, kind in known.items()]
    call = f"{MODULE}.{program.kind}({', '.join(_arguments(program, params, inputs, outputs))})"
    return "\n".join(lines or ["# nothing is passed"]), f"import {MODULE}\n\n{call}"


def notebook_of(cells: Sequence[str], program: Program) -> dict[str, Any]:
    """The notebook with these cells, as plain data."""
    tags: tuple[list[str], list[str]] = ([PARAMETERS_TAG], [])
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": hashlib.sha256(f"{at}\0{source}".encode()).hexdigest()[:12],
            "metadata": {"tags": list(tag)} if tag else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for at, (source, tag) in enumerate(zip(cells, tags, strict=True))
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": spec, "stagebook_program": {"kind": program.kind, "target": program.target}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}


def as_file(data: dict[str, Any]) -> bytes:
    """A notebook as a file."""
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


def _arguments(
    program: Program, params: Mapping[str, str], inputs: Iterable[str], outputs: Iterable[str]
) -> list[str]:
    """The arguments of the call."""
    argument = ARGUMENTS.get(program.kind, "")
    arguments = argument if argument in params else "[]"
    by_name = [f"{name}={name}" for name in (*params, *inputs, *outputs) if name != argument]
    match program.kind:
        case "script":
            return [repr(program.target), arguments, *by_name]
        case "command":
            return [repr(list(program.words)), arguments, *by_name]
        case "function":
            return [repr(program.target), *by_name]
    head = [repr(program.target), repr(program.connection)]
    groups = [f"params={_mapping(params)}", f"inputs={_mapping(inputs)}"]
    return [*head, *groups, f"output={next(iter(outputs), repr(''))}"]


def _mapping(names: Iterable[str]) -> str:
    return "{" + ", ".join(f"{name!r}: {name}" for name in names) + "}"

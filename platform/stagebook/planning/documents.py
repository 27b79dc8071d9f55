"""Executed notebooks among the outputs of a stage: what they rest on, and whether the notebook gets their paths."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from stagebook.pipeline.notebook import NotebookFacts
from stagebook.pipeline.notebook_file import parse_notebook
from stagebook.planning.plan import PlannedOutput
from stagebook.workspace.dependencies import ProjectDependencies


def with_documents(
    outputs: Mapping[str, PlannedOutput], facts: NotebookFacts | None
) -> Mapping[str, PlannedOutput]:
    """Outputs of which the notebook gets the paths of documents only where its parameters cell declares the name: it does
    not write them."""
    declared = (facts.parameters if facts is not None else None) or {}
    return {
        name: dataclasses.replace(output, variable=())
        if output.kind == "notebook" and (output.variable or (name,))[0] not in declared
        else output
        for name, output in outputs.items()
    }


def text_digest(notebook: str, dependencies: ProjectDependencies) -> str:
    """The SHA-256 of all that a notebook says: its cells of text and its code as it is written, with comments. A document
    shows it. Raises `NotebookUnreadable` and `OSError`."""
    executable = dependencies.workspace.executable(notebook)
    return str(dependencies.file_cache.derive(executable, "said-1", _digest))


def _digest(data: bytes) -> str:
    cells = [[cell["cell_type"], cell["source"]] for cell in parse_notebook(data)["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()

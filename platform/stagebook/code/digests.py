"""The code of a notebook or module: digests of what it does, and what it refers to.

The values are plain data, which `file_cache` remembers with the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any, TypedDict

from stagebook.code.analysis import analyse_cells, analyse_module, analyse_text
from stagebook.code.canonical import canonical, dump
from stagebook.code.references import CodeReferences
from stagebook.pipeline.cells import ParsedCell, parse_cell
from stagebook.pipeline.notebook import PARAMETERS_TAG, tags_of
from stagebook.pipeline.notebook_file import language_of, parse_notebook
from stagebook.pipeline.types import parse_python

# Python's syntax, and with it the tree of a text, differs between versions.
KIND = f"3-{sys.version_info.major}.{sys.version_info.minor}"
_TAGS_THAT_COUNT = (PARAMETERS_TAG, "raises-exception", "skip-execution")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code cell. `number`: its place among those that are not empty, from 1; `tags`: those that change
    how it is executed."""

    number: int
    source: str
    parsed: ParsedCell
    tags: tuple[str, ...]


class ModuleCode(TypedDict):
    """The code of a module: the digest of what it does, in hex, and what it refers to."""

    digest: str
    references: CodeReferences


class CellCode(ModuleCode):
    """The code of a cell, with its number."""

    number: int


def cells_of(data: dict[str, Any], *, is_python: bool) -> Iterator[Cell]:
    """The code cells of a notebook (`parse_notebook`) that do something, and the parameters cell even if it is empty: a run puts its values
    there."""
    number = 0
    for cell in data["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = cell["source"]
        number += bool(source.strip())
        parsed = parse_cell(source) if is_python else ParsedCell(text=source.strip())
        known = tuple(tag for tag in _TAGS_THAT_COUNT if tag in tags_of(cell))
        if not parsed.is_empty or PARAMETERS_TAG in known:
            yield Cell(number=max(number, 1), source=source, parsed=parsed, tags=known)


def read_cells(content: bytes) -> list[CellCode]:
    """The cells of a notebook's file.

    Raises:
        NotebookUnreadable: it is no notebook.
    """
    data = parse_notebook(content)
    is_python = language_of(data) == "python"
    cells = list(cells_of(data, is_python=is_python))
    found: list[CodeReferences] = [{} for _ in cells]
    if is_python:
        found = analyse_cells([(cell.parsed, PARAMETERS_TAG in cell.tags) for cell in cells])
    return [
        {
            "number": cell.number,
            "digest": sha256("".join(f"{tag}\n" for tag in cell.tags) + canonical(cell.parsed)),
            "references": references,
        }
        for cell, references in zip(cells, found, strict=True)
    ]


def read_module(content: bytes) -> ModuleCode:
    """The code of a module's file; one that cannot be parsed counts by its bytes."""
    text = ""
    try:
        text = importlib.util.decode_source(content)
        tree = parse_python(text)
    except (SyntaxError, ValueError):
        return {"digest": hashlib.sha256(content).hexdigest(), "references": analyse_text(text)}
    return {"digest": sha256(dump(tree)), "references": analyse_module(tree)}


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

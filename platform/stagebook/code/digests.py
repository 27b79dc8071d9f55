"""What the file of a notebook or module says of its code: digests of what it does, and what it uses.

It is plain data, to be remembered by the stat of the file.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from typing import Any

from stagebook.code.calls import Uses, uses_of, uses_of_module, uses_of_text
from stagebook.pipeline.cells import Parsed, canonical, dump, parse_cell
from stagebook.pipeline.notebook import MAX_BYTES, PARAMETERS_TAG, facts_of, source_of
from stagebook.pipeline.types import parse_python

# The syntax of Python, and with it what a tree looks like, is another in each version.
KIND = f"1-{sys.version_info.major}.{sys.version_info.minor}"
_TAGS_THAT_COUNT = (PARAMETERS_TAG, "raises-exception", "skip-execution")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code cell. `number` is its place among all that are not empty; `tags` are those that count."""

    number: int
    source: str
    parsed: Parsed
    tags: tuple[str, ...]


def cells_of(data: dict[str, Any], *, is_python: bool) -> Iterator[Cell]:
    """The code cells that do something. The parameters cell is among them, whatever it holds: its place
    is that of the values."""
    number = 0
    for cell in data["cells"]:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = source_of(cell)
        number += bool(source.strip())
        parsed = parse_cell(source) if is_python else Parsed(text=source.strip())
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        known = tuple(tag for tag in _TAGS_THAT_COUNT if isinstance(tags, list) and tag in tags)
        if not parsed.says_nothing or PARAMETERS_TAG in known:
            yield Cell(number=max(number, 1), source=source, parsed=parsed, tags=known)


def read_cells(content: bytes) -> list[dict[str, Any]]:
    """The cells of a notebook: number, digest, uses. Raises `NotebookUnreadable`, and `ValueError` or
    `RecursionError` where it is no JSON."""
    if len(content) > MAX_BYTES:
        raise ValueError
    data = json.loads(content)
    is_python = facts_of(data).is_python
    cells = list(cells_of(data, is_python=is_python))
    uses: list[Uses] = [{} for _ in cells]
    if is_python:
        uses = uses_of([(cell.parsed, PARAMETERS_TAG in cell.tags) for cell in cells])
    return [
        {
            "number": cell.number,
            "digest": sha256("".join(f"{tag}\n" for tag in cell.tags) + canonical(cell.parsed)),
            "uses": used,
        }
        for cell, used in zip(cells, uses, strict=True)
    ]


def read_module(content: bytes) -> dict[str, Any]:
    """A module: digest, uses. One that cannot be parsed counts as it is."""
    text = ""
    try:
        text = importlib.util.decode_source(content)
        tree = parse_python(text)
    except (SyntaxError, ValueError):
        return {"digest": hashlib.sha256(content).hexdigest(), "uses": uses_of_text(text)}
    assert isinstance(tree, ast.Module)
    return {"digest": sha256(dump(tree)), "uses": uses_of_module(tree)}


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

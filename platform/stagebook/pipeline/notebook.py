"""The facts of a notebook: its parameters cell, its kernel, its imports. Nothing is executed.

The parameters cell is the code cell with the tag `parameters`, as in papermill. Annotations, defaults
and trailing comments all count.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import tokenize
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.pipeline.cells import parse_cell
from stagebook.pipeline.types import (
    Type,
    TypeNotUnderstood,
    Value,
    describe,
    parse_annotation,
    shorten,
    type_of,
)

MAX_BYTES = 100_000_000
PARAMETERS_TAG = "parameters"
SCRIPT_SUFFIXES = (".py", ".md")


class NotebookUnreadable(ValueError):
    """The file is not a notebook. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredParam:
    """A name that the parameters cell declares. `type` is None where neither annotation nor default tells it;
    `help` is the trailing comment."""

    name: str
    type: Type | None = None
    annotated: bool = False
    default: Value = None
    help: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookFacts:
    """The facts of a notebook.

    Attributes:
        kernel: the name of its kernel.
        language: of its cells, in lower case.
        parameters: by name; None where there is no parameters cell.
        imports: the dotted names of the modules that are imported absolutely.
        asks: those of `input` and `getpass` that are called, which wait for a person.
    """

    kernel: str
    language: str
    parameters: Mapping[str, DeclaredParam] | None
    imports: frozenset[str]
    asks: frozenset[str] = frozenset()

    @property
    def is_python(self) -> bool:
        """Whether the cells are Python."""
        return self.language == "python"


def read_notebook(path: Path) -> NotebookFacts:
    """Read an `.ipynb` file. Raises `NotebookUnreadable`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            msg = f"the notebook is larger than {MAX_BYTES // 1_000_000} MB"
            raise NotebookUnreadable(msg, "clear its outputs")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise NotebookUnreadable(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        msg = "is not UTF-8 text"
        raise NotebookUnreadable(msg, "open and save it in JupyterLab, or name another file") from error
    except (ValueError, RecursionError) as error:
        msg = "is not a notebook: it is empty" if not path.stat().st_size else f"is not a notebook: {error}"
        raise NotebookUnreadable(msg, "open and save it in JupyterLab, or name another file") from error
    return facts_of(data)


def facts_of(data: Any) -> NotebookFacts:
    """The facts of a notebook given as plain data (nbformat 4). Raises `NotebookUnreadable`."""
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        msg = "is not a notebook: it has no list of cells"
        hint = "notebooks of nbformat 3 and older are upgraded by saving them in JupyterLab"
        raise NotebookUnreadable(msg, hint if isinstance(data, dict) and "worksheets" in data else "")
    if data.get("nbformat") != 4:
        msg = f"is not a notebook of nbformat 4: its 'nbformat' is {describe(data.get('nbformat'))}"
        raise NotebookUnreadable(msg, "open and save it in JupyterLab, which upgrades it")
    metadata = _mapping(data, "metadata")
    spec, info = _mapping(metadata, "kernelspec"), _mapping(metadata, "language_info")
    cells = [cell for cell in data["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    language = str(spec.get("language") or info.get("name") or "python").lower()
    tagged = [cell for cell in cells if PARAMETERS_TAG in tags_of(cell)]
    parameters: Mapping[str, DeclaredParam] | None = {} if tagged else None
    found: list[tuple[set[str], set[str]]] = []
    if language == "python":
        if tagged:
            parameters = read_parameters(source_of(tagged[0]))
        found = [_imports_and_asks(source_of(cell)) for cell in cells]
    return NotebookFacts(
        kernel=str(spec.get("name") or "python3"),
        language=language,
        parameters=parameters,
        imports=frozenset().union(*(names for names, _ in found)),
        asks=frozenset().union(*(names for _, names in found)),
    )


def _mapping(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    value = metadata.get(key)
    return value if isinstance(value, dict) else {}


def tags_of(cell: dict[str, Any]) -> Sequence[Any]:
    """The tags of a cell; none where they are not a list."""
    tags = _mapping(cell, "metadata").get("tags")
    return tags if isinstance(tags, list) else []


def source_of(cell: dict[str, Any]) -> str:
    """The source of a cell; nbformat allows a text or a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def read_parameters(source: str) -> dict[str, DeclaredParam]:
    """The names that a parameters cell declares, with annotation, default and comment.

    A name that is annotated without a default counts; names set by more than a plain assignment
    (unpacking, `+=`, within `if`) do not. Raises `NotebookUnreadable` on a syntax error.
    """
    cell = parse_cell(source)
    if cell.error:
        line = f", line {cell.error.lineno} of the cell" if cell.error.lineno else ""
        msg = f"has a parameters cell that is not Python: {shorten(cell.error.msg, 120)}{line}"
        raise NotebookUnreadable(msg)
    comments = _trailing_comments(cell.python)
    found: dict[str, DeclaredParam] = {}
    for node in cell.tree.body if cell.tree else []:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                found[name] = _declared(name, annotation, value, comments.get(node.end_lineno or 0, ""))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        comment = comments.get(node.end_lineno or 0, "")
                        found[target.id] = _declared(target.id, None, value, comment)
    return found


def _declared(name: str, annotation: ast.expr | None, value: ast.expr | None, comment: str) -> DeclaredParam:
    default, known = _literal(value)
    kind: Type | None = None
    if annotation is not None:
        try:
            kind = parse_annotation(annotation)
        except TypeNotUnderstood:
            kind = None  # a class of the notebook's own: any value fits
    elif known and default is not None:
        kind = type_of(default)
    return DeclaredParam(
        name=name, type=kind, annotated=annotation is not None, default=default, help=comment
    )


def _literal(node: ast.expr | None) -> tuple[Value, bool]:
    if node is None:
        return None, False
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False
    if isinstance(value, tuple | set):
        return list(value), True
    return (value, True) if isinstance(value, bool | int | float | str | list | dict) else (None, False)


def _trailing_comments(source: str) -> dict[int, str]:
    comments: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                comments[token.start[0]] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass  # the comments so far will do: they are only shown
    return comments


_ASKING = frozenset({"input", "getpass"})


def _imports_and_asks(source: str) -> tuple[set[str], set[str]]:
    """The dotted names of the modules that a cell imports absolutely, and what it calls of `_ASKING`."""
    if not any(name in source for name in ("import", *_ASKING)):
        return set(), set()  # most cells; walking a tree costs more than all else here
    imports: set[str] = set()
    called: set[str] = set()
    for node in ast.walk(parse_cell(source).tree or ast.Module([], [])):
        match node:
            case ast.Import(names=aliases):
                imports.update(alias.name for alias in aliases)
            case ast.ImportFrom(module=str() as module, level=0):
                imports.add(module)
            case ast.Call(
                func=ast.Name(id="input" | "getpass" as name) | ast.Attribute(attr="getpass" as name)
            ):
                called.add(name)
    return imports, called

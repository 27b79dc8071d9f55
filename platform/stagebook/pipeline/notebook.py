"""The facts of a notebook: its parameters cell, its kernel, its imports. Nothing is executed.

The parameters cell is the code cell with the tag `parameters`, as in papermill. Annotations, defaults
and trailing comments all count.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.pipeline.cells import parse_cell
from stagebook.pipeline.differences import WITHOUT_KERNEL
from stagebook.pipeline.notebook_file import (
    DATABRICKS,
    PARAMETERS_TAG,
    NotebookUnreadable,
    language_of,
    parse_notebook,
    read_bytes,
    repair,
    source_of,
    tags_of,
)
from stagebook.pipeline.types import Type, TypeNotUnderstood, Value, parse_annotation, shorten, type_of

__all__ = [
    "PARAMETERS_TAG",
    "SCRIPT_SUFFIXES",
    "DeclaredParam",
    "NotebookFacts",
    "NotebookUnreadable",
    "facts_of",
    "read_notebook",
    "read_parameters",
    "source_of",
    "tags_of",
]

SCRIPT_SUFFIXES = (".py", ".md")


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
    """The facts of a notebook. Cells are numbered among the code cells that are not empty, from 1.

    Attributes:
        kernel: the name of its kernel; `""` where it is not Python and names none.
        language: of its cells, in lower case.
        parameters: by name; None where there is no parameters cell.
        nested: names that the parameters cell sets within another statement, with the word of that: no parameters.
        repeated: names that further cells with the tag `parameters` set, with the numbers of these cells.
        further: the numbers of these cells.
        imports: the dotted names of the modules that are imported absolutely.
        asks: those of `input` and `getpass` that are called, which wait for a person.
        does_nothing: no cell has anything to execute.
        doubts: what may not be meant so, and what to do about it.
        without_kernel: what is otherwise without a kernel, as rows of `differences.WITHOUT_KERNEL`, with the number of
            the first cell.
    """

    kernel: str
    language: str
    parameters: Mapping[str, DeclaredParam] | None
    nested: Mapping[str, str] = dataclasses.field(default_factory=dict)
    repeated: Mapping[str, int] = dataclasses.field(default_factory=dict)
    further: tuple[int, ...] = ()
    imports: frozenset[str]
    asks: frozenset[str] = frozenset()
    does_nothing: bool = False
    doubts: tuple[tuple[str, str], ...] = ()
    without_kernel: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def is_python(self) -> bool:
        """Whether the cells are Python."""
        return self.language == "python"


def read_notebook(path: Path) -> NotebookFacts:
    """Read an `.ipynb` file. Raises `NotebookUnreadable`."""
    return _facts(parse_notebook(read_bytes(path)))


def facts_of(data: Any) -> NotebookFacts:
    """The facts of a notebook given as plain data. Raises `NotebookUnreadable`."""
    return _facts(repair(data))


def _facts(data: dict[str, Any]) -> NotebookFacts:
    spec, language = data["metadata"].get("kernelspec", {}), language_of(data)
    is_python = language == "python"
    code = [cell for cell in data["cells"] if cell["cell_type"] == "code"]
    numbered = list(enumerate((cell for cell in code if cell["source"].strip()), start=1))
    tagged = [cell for cell in code if PARAMETERS_TAG in tags_of(cell)]
    first = tagged[0] if tagged else None
    further = {number: cell for number, cell in numbered if cell in tagged and cell is not first}
    parameters: Mapping[str, DeclaredParam] | None = {} if tagged else None
    magic = _OF_DATABRICKS if DATABRICKS in data["metadata"] else _OTHER_LANGUAGE
    found = [imports_and_asks(cell["source"]) for cell in code] if is_python else []
    if is_python and first is not None:
        parameters = read_parameters(first["source"])
    return NotebookFacts(
        kernel=spec.get("name") or ("python3" if is_python else ""),
        language=language,
        parameters=parameters,
        nested=_nested_names(first["source"], parameters or {}) if is_python and first is not None else {},
        repeated={
            name: number
            for number, cell in further.items()
            for name in (_set_names(cell["source"]) if is_python else ())
        },
        further=tuple(further),
        imports=frozenset().union(*(names for names, _ in found)),
        asks=frozenset().union(*(names for _, names in found)),
        does_nothing=not any(_does_something(cell["source"], is_python=is_python) for cell in code),
        doubts=tuple(_doubts(numbered, magic)) if is_python else (),
        without_kernel=_without_kernel(numbered) if is_python else {},
    )


def _without_kernel(cells: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, cell in cells:
        for name, row in WITHOUT_KERNEL.items():
            if row.sign is not None and row.sign.search(cell["source"]):
                found.setdefault(name, number)
    return found


def _does_something(source: str, *, is_python: bool) -> bool:
    lines = (line.strip() for line in source.splitlines())
    return any(line and not (is_python and line.startswith("#")) for line in lines)


# What Databricks gives a whole cell to another language by; to IPython it is a magic of one line.
_OTHER_LANGUAGE = re.compile(
    r"%(?:sql|scala|r|python|fs|sh|md|md-sandbox)[ \t]*$|%(?:scala|fs|md|md-sandbox)\b"
)
_OF_DATABRICKS = re.compile(r"%(?:sql|scala|r|python|fs|sh|md|md-sandbox)\b")


def _doubts(
    cells: Sequence[tuple[int, dict[str, Any]]], pattern: re.Pattern[str]
) -> Iterator[tuple[str, str]]:
    for number, cell in cells:
        first = cell["source"].lstrip().partition("\n")[0]
        if pattern.match(first):
            what = f"cell {number} begins with {first.split()[0]}, which only Databricks knows: it does not run here"
            yield what, "make it a cell of text, or of Python, or remove it"


def read_parameters(source: str) -> dict[str, DeclaredParam]:
    """The names that a parameters cell declares, with annotation, default and comment.

    A name that is annotated without a default counts, and so does one of several that are unpacked; names set
    within another statement, or by `+=` alone, do not. Raises `NotebookUnreadable` on a syntax error.
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
                comment = comments.get(node.end_lineno or 0, "")
                for name, part in (pair for target in targets for pair in _unpacked(target, value)):
                    found[name] = _declared(name, None, part, comment)
    return found


def _unpacked(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    """The names of a target of an assignment, each with its own value where that can be read."""
    match target:
        case ast.Name(id=name):
            yield name, value
        case ast.Starred(value=inner):
            yield from _unpacked(inner, None)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            parts: list[ast.expr | None] = [None] * len(targets)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(targets):
                is_plain = not any(isinstance(item, ast.Starred) for item in (*targets, *value.elts))
                parts = list(value.elts) if is_plain else parts
            for inner, part in zip(targets, parts, strict=True):
                yield from _unpacked(inner, part)


def _set_names(source: str) -> set[str]:
    """The names that a cell sets, in whatever way."""
    tree = parse_cell(source).tree
    return {
        node.id
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


_WORDS = {"AsyncFor": "for", "AsyncWith": "with", "TryStar": "try", "AugAssign": "an assignment such as +="}


def _nested_names(source: str, declared: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement in getattr(parse_cell(source).tree, "body", ()):
        word = _WORDS.get(type(statement).__name__, type(statement).__name__.lower())
        if isinstance(statement, ast.stmt) and not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in declared:
                    found.setdefault(node.id, word)
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


def imports_and_asks(source: str) -> tuple[set[str], set[str]]:
    """The dotted names of the modules that a cell or script imports absolutely, and what it calls of `_ASKING`."""
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

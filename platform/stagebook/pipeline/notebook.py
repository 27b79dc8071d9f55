"""What a notebook says of itself: its parameters cell, its kernel, its imports. Nothing is executed.

The parameters cell is the code cell with the tag `parameters`, as papermill has it. It is read
with `ast`, so that annotations, defaults and trailing comments all count.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import re
import tokenize
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.pipeline.types import (
    Type,
    TypeNotUnderstood,
    Value,
    describe,
    parse_annotation,
    parse_python,
    shorten,
    type_of,
)

MAX_BYTES = 100_000_000
PARAMETERS_TAG = "parameters"
SCRIPT_SUFFIXES = (".py", ".md")


class NotebookUnreadable(ValueError):
    """The file is no notebook. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredParam:
    """A name of the parameters cell. `type` is None where neither annotation nor default tells."""

    name: str
    type: Type | None = None
    annotated: bool = False
    default: Value = None
    help: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookFacts:
    """`parameters` is None where the notebook has no parameters cell that can be read. `asks` are the
    functions called that want an answer from a person."""

    kernel: str
    language: str
    code_cells: int
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
        msg = f"cannot be read: {error.strerror}"
        raise NotebookUnreadable(msg) from error
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
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    cells = [cell for cell in data["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    language = _language(metadata)
    tagged = [cell for cell in cells if PARAMETERS_TAG in _tags(cell)]
    parameters: Mapping[str, DeclaredParam] | None = None
    imports: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()
    if language == "python":
        if tagged:
            parameters = read_parameters(source_of(tagged[0]))
        imports = frozenset().union(*(imported_modules(source_of(cell)) for cell in cells))
        asks = frozenset().union(*(asking_calls(source_of(cell)) for cell in cells))
    elif tagged:
        parameters = {}
    return NotebookFacts(
        kernel=str(_mapping(metadata, "kernelspec").get("name") or "python3"),
        language=language,
        code_cells=sum(1 for cell in cells if source_of(cell).strip()),
        parameters=parameters,
        imports=imports,
        asks=asks,
    )


def _mapping(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    value = metadata.get(key)
    return value if isinstance(value, dict) else {}


def _language(metadata: dict[str, Any]) -> str:
    spec, info = _mapping(metadata, "kernelspec"), _mapping(metadata, "language_info")
    return str(spec.get("language") or info.get("name") or "python").lower()


def _tags(cell: dict[str, Any]) -> Sequence[Any]:
    tags = _mapping(cell, "metadata").get("tags")
    return tags if isinstance(tags, list) else []


def source_of(cell: dict[str, Any]) -> str:
    """The source of a cell, which the format allows to be text or a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def read_parameters(source: str) -> dict[str, DeclaredParam]:
    """The names that a parameters cell declares, with annotation, default and comment.

    A name that is annotated without a default counts; names set by more than a plain assignment
    (unpacking, `+=`, within `if`) do not. Raises `NotebookUnreadable` on a syntax error.
    """
    try:
        tree = _parse(source)
    except SyntaxError as error:
        line = f", line {error.lineno} of the cell" if error.lineno else ""
        msg = f"has a parameters cell that is not Python: {shorten(error.msg, 120)}{line}"
        raise NotebookUnreadable(msg) from None
    comments = _trailing_comments(source)
    found: dict[str, DeclaredParam] = {}
    for node in tree.body:
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
            kind = None  # a type of the notebook's own: nothing to hold a value against
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
        pass  # a cell with magics may not tokenize; comments are a courtesy
    return comments


_MAGIC = re.compile(r"(\s*)(?:[%!?].*|[\w.\[\]]+\?{1,2}\s*)")  # `%magic`, `!shell`, `?name`, `name?`
_MAGIC_VALUE = re.compile(r"(\s*[\w, ]+=\s*)(?:%|!).*")  # `files = !ls`, `here = %pwd`
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")  # the rest of the cell is Python


def _parse(source: str) -> ast.Module:
    """The syntax tree of a cell, with IPython's lines taken out if it is not plain Python."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        tree = parse_python(_without_magics(source))
    assert isinstance(tree, ast.Module)
    return tree


def _without_magics(source: str) -> str:
    first = source.lstrip().partition("\n")[0].split()
    if first and first[0].startswith("%%") and first[0] not in _PYTHON_MAGICS:
        return ""
    lines = []
    for line in source.split("\n"):
        found = _MAGIC.fullmatch(line)
        lines.append(f"{found[1]}pass" if found else _MAGIC_VALUE.sub(r"\1None", line))
    return "\n".join(lines)


def imported_modules(source: str) -> frozenset[str]:
    """The dotted names of the modules that a cell imports absolutely, wherever in it."""
    if "import" not in source:
        return frozenset()  # most cells; walking a tree costs more than all else here
    try:
        tree = _parse(source)
    except SyntaxError:
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return frozenset(names)


_ASKING = {"input", "getpass"}


def asking_calls(source: str) -> frozenset[str]:
    """Of `input` and `getpass`, those that a cell calls."""
    if not any(name in source for name in _ASKING):
        return frozenset()
    try:
        tree = _parse(source)
    except SyntaxError:
        return frozenset()
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {func.id for func in called if isinstance(func, ast.Name)}
    names |= {func.attr for func in called if isinstance(func, ast.Attribute) and func.attr == "getpass"}
    return frozenset(names & _ASKING)

"""What expressions of Python code come to, without running it: constants, texts put together, paths, variables.

What depends on a loop becomes an expression of the pipeline file: `f"out/{city}.ipynb"` is `out/${matrix.city}.ipynb`.
"""

from __future__ import annotations

import ast
import dataclasses
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.pipeline.evaluator import MAX_SIZE, size_of
from stagebook.pipeline.types import shorten

_PADDED = re.compile(r"0(\d)d?")
_MOST = 10_000  # items of a range
_PARTS = 100  # of a path


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """A value that only the pipeline knows, by the expression that gives it."""

    expression: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unknown:
    """A value within a mapping that is not known without running the code."""

    node: ast.AST


class NotRead(Exception):
    """The value of this code is not known without running it."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(source_of(node))
        self.node = node


def source_of(node: ast.AST) -> str:
    """The source of a piece of code, in one short line."""
    try:
        return shorten(" ".join(ast.unparse(node).split()))
    except RecursionError:
        return "…"


def name_of(node: ast.AST) -> str:
    """The dotted name that a node is, such as `pm.execute_notebook`; empty where it is none."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name) if start := name_of(owner):
            return f"{start}.{name}"
    return ""


def plain(value: Any) -> Any:
    """A value as a pipeline file has it. Raises `NotRead`."""
    match value:
        case Unknown(node=node):
            raise NotRead(node)
        case Ref(expression=expression):
            return f"${{{expression}}}"
        case list():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
    return value


def as_text(value: Any, node: ast.AST) -> str:
    """A value within a text. Raises `NotRead`."""
    if isinstance(value, Ref):
        return f"${{{value.expression}}}"
    if isinstance(value, str | int | float):
        return str(value)
    raise NotRead(node)


class Values:
    """Evaluates expressions with the variables of `scope`. Any method raises `NotRead`."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope

    def of(self, node: ast.AST) -> Any:
        """The value of an expression, if it is not too large."""
        match node:
            case ast.Constant(value=str() as text):
                return text.replace("${", "$${")
            case ast.Constant(value=value) if isinstance(value, int | float | None):
                return value
            case ast.Name(id=name) if name in self._scope:
                return self._scope[name]
        value = self._made(node)
        if isinstance(value, str | list | dict) and size_of(value) > MAX_SIZE:
            raise NotRead(node)
        return value

    def _made(self, node: ast.AST) -> Any:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.of(item) for item in items]
            case ast.Dict():
                return self._dict(node)
            case ast.JoinedStr(values=parts):
                return self._joined(parts, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.of(operand)
                if isinstance(value, int | float):
                    return -value
            case ast.BinOp():
                return self._binary(node)
            case ast.Subscript() | ast.Attribute():
                return self._member(node)
            case ast.Call():
                return self._call(node)
        raise NotRead(node)

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                inner = self.of(value)
                if not isinstance(inner, dict):
                    raise NotRead(value)
                made |= inner
            else:
                name = self.of(key)
                if not isinstance(name, str | int | float):
                    raise NotRead(key)
                made[name] = self._held(value)
        return made

    def _held(self, node: ast.expr) -> Any:
        try:
            return self.of(node)
        except NotRead:
            return Unknown(node)

    def _joined(self, parts: Sequence[ast.expr], node: ast.AST) -> str:
        made = ""
        for part in parts:
            made += self._part(part)
            if len(made) > MAX_SIZE:
                raise NotRead(node)
        return made

    def _part(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(value=str() as text):
                return text.replace("${", "$${")
            case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                return as_text(self.of(inner), inner)
            case ast.FormattedValue(
                value=inner,
                conversion=-1,
                format_spec=ast.JoinedStr(values=[ast.Constant(value=str() as spec)]),
            ):
                return _formatted(self.of(inner), spec, part)
        raise NotRead(part)

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.op, ast.Add):
            if isinstance(left, list) and isinstance(right, list):
                return left + right
            if isinstance(left, str) or isinstance(right, str):
                return as_text(left, node) + as_text(right, node)
        if isinstance(node.op, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
            return left | right
        if isinstance(node.op, ast.Div) and isinstance(left, str):
            return posixpath.join(left, as_text(right, node))  # of paths
        raise NotRead(node)

    def _member(self, node: ast.Subscript | ast.Attribute) -> Any:
        owner = self.of(node.value)
        key = node.attr if isinstance(node, ast.Attribute) else self.of(node.slice)
        if isinstance(owner, Ref) and isinstance(key, str | int) and isinstance(node, ast.Subscript):
            is_name = isinstance(key, str) and key.isidentifier()
            return Ref(f"{owner.expression}.{key}" if is_name else f"{owner.expression}[{key!r}]")
        if isinstance(owner, dict) and isinstance(key, str | int) and key in owner:
            return owner[key]
        if isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner):
            return owner[key]
        raise NotRead(node)

    def _call(self, node: ast.Call) -> Any:
        name = name_of(node.func)
        short = name.rpartition(".")[2]
        if name == "dict" and not node.args:
            return {word.arg: self._held(word.value) for word in node.keywords if word.arg}
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise NotRead(node)
        values = [self.of(arg) for arg in node.args]
        if short in {"Path", "PurePath", "PosixPath"} or name in {"os.path.join", "posixpath.join"}:
            return posixpath.join(*(as_text(value, node) for value in values[:_PARTS])) if values else "."
        if name in {"str", "os.fspath", "os.path.abspath"} and len(values) == 1:
            return as_text(values[0], node)
        if name in {"list", "tuple", "sorted"} and len(values) == 1 and isinstance(values[0], list):
            return sorted(values[0], key=str) if name == "sorted" else values[0]
        if name == "range" and values and all(isinstance(value, int) for value in values):
            numbers = range(*values[:3])
            if len(numbers) <= _MOST:
                return list(numbers)
        raise NotRead(node)


def _formatted(value: Any, spec: str, node: ast.AST) -> str:
    """A value in a format: whole numbers with leading zeros are what names of files have."""
    width = _PADDED.fullmatch(spec)
    if isinstance(value, Ref) and width:
        digits = int(width[1])
        return f"${{('{'0' * digits}' + str({value.expression}))[-{digits}:]}}"
    if isinstance(value, int | float | str):
        try:
            return format(value, spec)
        except ValueError:
            raise NotRead(node) from None
    raise NotRead(node)


def columns(values: Sequence[Any], width: int) -> list[list[Any]] | None:
    """A list of rows of this width as lists of columns; `None` where it is something else."""
    if all(isinstance(row, list) and len(row) == width for row in values):
        return [list(column) for column in zip(*values, strict=True)]
    return None

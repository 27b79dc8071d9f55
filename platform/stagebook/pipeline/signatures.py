"""The signature of a function in a module's text, read without importing it."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from stagebook.pipeline.types import TypeNotUnderstood, parse_annotation, parse_python


class FunctionNotFound(Exception):
    """A module has no function of that name at its top; the text says what is there instead, or that it is no Python.
    `names` are those that it has."""

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes.

    Attributes:
        names: its parameters that can be given by name, each with the annotation that it has, `""` for none and for one of a
            type that is not of a pipeline file.
        needed: those without a default.
        takes_any: it takes further ones, as `**kwargs`.
        by_place: parameters without a default that cannot be given by name.
        line: where it is, from 1.
    """

    names: Mapping[str, str]
    needed: tuple[str, ...]
    takes_any: bool
    by_place: tuple[str, ...]
    line: int


def signature_of(content: bytes, name: str) -> Signature:
    """The signature of the function `name` of a module. Raises `FunctionNotFound`."""
    try:
        tree = parse_python(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise FunctionNotFound("is not UTF-8 text") from None
    except SyntaxError as error:
        raise FunctionNotFound(f"is not Python: {error.msg}, line {error.lineno}") from None
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    bound: dict[str, str] = {}
    for node in _statements(tree):
        match node:
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
                functions[found] = node
            case ast.ClassDef(name=found):
                bound[found] = "is a class"
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                bound |= {alias.asname or alias.name: "is imported from elsewhere" for alias in aliases}
            case ast.Assign(targets=[ast.Name(id=found)]):
                bound[found] = "is a value"
    if name in functions:
        return _signature(functions[name])
    names = tuple(known for known in functions if not known.startswith("_"))
    raise FunctionNotFound(f"'{name}' {bound[name]}" if name in bound else "", names)


def _statements(tree: ast.Module) -> list[ast.stmt]:
    """Those at the top, and within `if` and `try` there."""
    found: list[ast.stmt] = []
    for node in tree.body:
        inner = [node] if not isinstance(node, ast.If | ast.Try) else [*node.body, *node.orelse]
        found += inner
    return found


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    args = node.args
    placed = [*args.posonlyargs, *args.args]
    with_default = {arg.arg for arg in placed[len(placed) - len(args.defaults) :]}
    with_default |= {
        arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is not None
    }
    named = [*args.args, *args.kwonlyargs]
    return Signature(
        names={arg.arg: _annotation(arg.annotation) for arg in named},
        needed=tuple(arg.arg for arg in named if arg.arg not in with_default),
        takes_any=args.kwarg is not None,
        by_place=tuple(arg.arg for arg in args.posonlyargs if arg.arg not in with_default),
        line=node.lineno,
    )


def _annotation(node: ast.expr | None) -> str:
    if node is None:
        return ""
    try:
        return str(parse_annotation(node))
    except TypeNotUnderstood:
        return ""

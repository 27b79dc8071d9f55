"""`${…}` in a pipeline file: a small language that computes values from names.

The syntax is a part of Python's: literals, names, attributes, subscripts, arithmetic, comparison,
`and`/`or`/`not`, `a if b else c`, and a few functions. A text that is one expression keeps the type of its
value; within other text the value is inserted as text. `$${` stands for a plain `${`.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.evaluator import (
    BINARY,
    FUNCTIONS,
    MAX_SIZE,
    MAX_STEPS,
    UNARY,
    Effort,
    ExpressionError,
    Named,
    evaluate_tree,
    size_of,
    source_of,
)
from stagebook.pipeline.types import Value, describe, parse_expression, shorten

__all__ = ["Expression", "ExpressionError", "Reference", "Template", "compile_value", "evaluate"]

ROOTS = ("params", "matrix", "run", "env", "stages", "item", "interval", "secret", "inputs", "outputs")
MAX_LENGTH = 2_000  # characters of one expression

Reference = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """One `${…}`: its source, its tree, and the names that it refers to, each as its parts."""

    source: str
    tree: ast.expr
    references: frozenset[Reference]


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """A value of the pipeline file with the expressions in it compiled. `source` is the value in the file; in
    `value`, each text that holds an expression is a `Text`."""

    source: Value
    value: Any
    references: frozenset[Reference]

    @property
    def is_expression(self) -> bool:
        """Whether it is one expression and nothing else, so that it keeps the type of its value."""
        match self.value:
            case Text(parts=(Expression(),)):
                return True
        return False

    def mentions(self, root: str) -> bool:
        """Whether any expression refers to a name under `root`."""
        return bool(self.under(root))

    def under(self, root: str) -> set[Reference]:
        """The references to names under `root`."""
        return {reference for reference in self.references if reference[0] == root}


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A text of plain parts and expressions."""

    parts: tuple[str | Expression, ...]


def compile_value(value: Value) -> Template:
    """Compile every `${…}` in plain data. Raises `ExpressionError`."""
    references: set[Reference] = set()
    compiled = _compile(value, references)
    return Template(value, compiled, frozenset(references))


def _compile(value: Value, references: set[Reference]) -> Any:
    match value:
        case str():
            parts = _split(value)
            expressions = [part for part in parts if isinstance(part, Expression)]
            references.update(*(expression.references for expression in expressions))
            return Text(parts) if expressions else "".join(map(str, parts))
        case list():
            return [_compile(item, references) for item in value]
        case dict():
            return {key: _compile(item, references) for key, item in value.items()}
    return value


_OPENING = re.compile(r"\$?\$\{")
_QUOTE_OR_BRACE = re.compile(r"""['"{}]|\\.""", re.DOTALL)


def _split(text: str) -> tuple[str | Expression, ...]:
    parts: list[str | Expression] = []
    plain: list[str] = []
    at = 0
    while opening := _OPENING.search(text, at):
        plain.append(text[at : opening.start()])
        at = opening.end()
        if opening[0] == "$${":
            plain.append("${")
            continue
        expression, at = _take(text, at)
        parts += [*filter(None, ["".join(plain)]), expression]
        plain.clear()
    plain.append(text[at:])
    rest = "".join(plain)
    return (*parts, rest) if rest or not parts else tuple(parts)


def _take(text: str, start: int) -> tuple[Expression, int]:
    """The expression that starts here, and the place after the brace that closes it. Braces within quotes do
    not count."""
    depth, quote = 1, ""
    for found in _QUOTE_OR_BRACE.finditer(text, start, start + MAX_LENGTH):
        sign = found[0]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return _read(text[start : found.start()].strip()), found.end()
    msg = f"'{shorten(text[start - 2 :])}' has no closing brace"
    hint = "'$${' stands for a plain '${'"
    if len(text) > start + MAX_LENGTH:
        hint = f"an expression has at most {MAX_LENGTH:,} characters; {hint}"
    raise ExpressionError(msg, hint)


def _read(source: str) -> Expression:
    if not source:
        raise ExpressionError("the expression '${}' is empty", "write a name in it, such as ${params.NAME}")
    try:
        tree = parse_expression(source)
    except SyntaxError as error:
        raise ExpressionError(f"cannot read the expression '${{{shorten(source)}}}': {error.msg}") from None
    return Expression(source, tree, frozenset(_check(tree, source)))


_ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.Dict, ast.Call, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_CALLED: Mapping[type[ast.AST], str] = {
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension", ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension", ast.Lambda: "a lambda", ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment", ast.Starred: "unpacking", ast.Set: "a set",
}  # fmt: skip


def _check(tree: ast.expr, source: str) -> set[Reference]:
    references: set[Reference] = set()
    inner: set[int] = set()  # names that are part of a longer dotted path, and names of functions
    for node in ast.walk(tree):
        if unknown := _unknown_syntax(node):
            raise ExpressionError(f"'${{{shorten(source)}}}' uses {unknown}, which expressions do not have")
        if isinstance(node, ast.Call):
            _check_call(node, source)
            inner.add(id(node.func))
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and id(node) not in inner:
            path = _dotted(node, inner)
            if path:
                references.add(path)
    for reference in sorted(references):
        if reference[0] not in ROOTS:
            msg = f"unknown name '{reference[0]}' in '${{{shorten(source)}}}'"
            raise ExpressionError(msg, did_you_mean(reference[0], ROOTS))
    return references


def _unknown_syntax(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=value) if not isinstance(value, bool | int | float | str | None):
            return shorten(repr(value))
        case ast.Dict(keys=keys) if None in keys:
            return "unpacking"
        case ast.BinOp(op=op) if type(op) not in BINARY:
            return f"the operator {type(op).__name__}"
        case ast.UnaryOp(op=op) if type(op) not in UNARY:
            return f"the operator {type(op).__name__}"
    return "" if isinstance(node, _ALLOWED) else _CALLED.get(type(node), type(node).__name__.lower())


def _check_call(node: ast.Call, source: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else source_of(node.func)
    if name not in FUNCTIONS:
        msg = f"unknown function '{name}' in '${{{shorten(source)}}}'"
        raise ExpressionError(msg, did_you_mean(name, FUNCTIONS))
    if node.keywords:
        raise ExpressionError(f"'{name}' takes no names of arguments in '${{{shorten(source)}}}'")


def _dotted(node: ast.expr, inner: set[int]) -> Reference | None:
    names: list[str] = []
    current: ast.expr = node
    while isinstance(current, ast.Attribute | ast.Subscript):
        match current:
            case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
                names.append(name)
            case _:  # `a.b[0]` refers to `a.b`; what stands before the index is all that is known
                names.clear()
        inner.add(id(current))
        current = current.value
    if isinstance(current, ast.Name):
        inner.add(id(current))
        return (current.id, *reversed(names))
    return None


def evaluate(
    template: Template, scope: Mapping[str, Any], *, is_path: bool = False, effort: Effort | None = None
) -> Value:
    """The value of a template, with the names of `scope`. In a path, a value within other text may not change the
    folder. `effort`: what all templates of a pipeline may take together. Raises `ExpressionError`."""
    most = MAX_STEPS if effort is None else min(MAX_STEPS, effort.left)
    filling = _Filling(scope, Effort(most), is_path=is_path)
    try:
        return filling.fill(template.value)
    finally:
        if effort is not None:
            effort.left -= most - max(0, filling.effort.left)


_LEADS = re.compile(r"[/\\]")


class _Filling:
    """Fills one template. Limits the size of all its values together."""

    def __init__(self, scope: Mapping[str, Any], effort: Effort, *, is_path: bool) -> None:
        self.scope = scope
        self.effort = effort
        self.left = 10 * MAX_SIZE
        self._is_path = is_path

    def fill(self, value: Any) -> Value:
        match value:
            case Text(parts=(Expression() as only,)):
                return self._run(only)
            case Text(parts=parts):
                texts = [part if isinstance(part, str) else self._plain(part) for part in parts]
                if self._is_path:
                    _check_folders(parts, texts)
                return "".join(texts)
            case list():
                return [self.fill(item) for item in value]
            case dict():
                return {key: self.fill(item) for key, item in value.items()}
        return value

    def _plain(self, expression: Expression) -> str:
        value = self._run(expression)
        if isinstance(value, Named) and value.name:
            return value.name
        if isinstance(value, list | dict):
            source = shorten(expression.source)
            msg = f"'${{{source}}}' is {describe(value)}, which cannot stand inside a text"
            raise ExpressionError(msg, "let the expression be the whole value, or name one of its items")
        return str(value)

    def _run(self, expression: Expression) -> Value:
        where = f"in '${{{shorten(expression.source)}}}'"
        try:
            value = evaluate_tree(expression.tree, self.scope, self.effort)
        except ExpressionError as error:
            raise ExpressionError(f"{error} {where}", error.hint) from None
        except RecursionError:
            raise ExpressionError(f"too many levels {where}") from None
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise ExpressionError(f"{shorten(str(error), 120)} {where}") from None
        self.left -= size_of(value)
        if self.left < 0:
            msg = f"the expressions make too large a value (limit {10 * MAX_SIZE:,} items) {where}"
            raise ExpressionError(msg)
        return value


def _check_folders(parts: Sequence[str | Expression], texts: Sequence[str]) -> None:
    """Raise `ExpressionError` where a value leads a path to another folder than the text around it says. Values come
    from parameters and from data: an item `../../notebooks/helper.py` is not to become code."""
    hint = "leave '/', '\\' and '..' out of it; or let one expression be the whole path: ${'data/' + params.NAME}"
    for part, text in zip(parts, texts, strict=True):
        if isinstance(part, Expression) and _LEADS.search(text):
            msg = f"'${{{shorten(part.source)}}}' is {describe(text)}, which leads to another folder"
            raise ExpressionError(msg, hint)
    written = "".join(part if isinstance(part, str) else "\0" for part in parts).split("/")
    for segment, made in zip(written, "".join(texts).split("/"), strict=True):
        if "\0" in segment and (made in {"", ".", ".."} or (made[0] == "~" and segment[0] == "\0")):
            raise ExpressionError(f"a value makes '{made}' the name of a folder or file", hint)

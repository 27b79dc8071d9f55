"""`${…}` in a pipeline file: a small language that computes values from names.

The syntax is that of Python expressions, cut down to literals, names, attributes, subscripts,
arithmetic, comparison, `and`/`or`/`not`, `a if b else c`, and a few functions. Nothing else is
reachable: the tree is walked by this module and never compiled. A text that is one expression
keeps the type of its value; within other text the value is inserted as text. `$${` stands for a
plain `${`.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

from stagebook.definition.values import Value, describe
from stagebook.errors import did_you_mean

ROOTS = ("params", "matrix", "run", "env", "stages")
MAX_LENGTH = 2_000  # characters of one expression
MAX_SIZE = 10_000  # items or characters of any value that an expression makes
MAX_NUMBER = 10**30

Reference = tuple[str, ...]


class ExpressionError(ValueError):
    """The expression cannot be read or evaluated. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """One `${…}`: its source, its tree, and the names it refers to, as dotted paths."""

    source: str
    tree: ast.expr
    references: frozenset[Reference]


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """A value of the pipeline file with the expressions in it compiled.

    `source` is as the file has it; in `value`, each text that holds an expression is a `Text`.
    """

    source: Value
    value: Any
    references: frozenset[Reference]

    @property
    def is_constant(self) -> bool:
        """Whether it holds no expression."""
        return not self.references and not _has_text(self.value)

    def mentions(self, root: str) -> bool:
        """Whether any expression refers to a name under `root`."""
        return any(reference[0] == root for reference in self.references)


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A text made of plain parts and expressions."""

    parts: tuple[str | Expression, ...]


def _has_text(value: Any) -> bool:
    match value:
        case Text():
            return True
        case list():
            return any(_has_text(item) for item in value)
        case dict():
            return any(_has_text(item) for item in value.values())
    return False


def compile_value(value: Value) -> Template:
    """Compile every `${…}` in plain data. Raises `ExpressionError`."""
    references: set[Reference] = set()
    compiled = _compile(value, references)
    return Template(value, compiled, frozenset(references))


def _compile(value: Value, references: set[Reference]) -> Any:
    match value:
        case str():
            parts = _split(value)
            for part in parts:
                if isinstance(part, Expression):
                    references |= part.references
            if all(isinstance(part, str) for part in parts):
                return "".join(str(part) for part in parts)
            return Text(parts)
        case list():
            return [_compile(item, references) for item in value]
        case dict():
            return {key: _compile(item, references) for key, item in value.items()}
    return value


def _split(text: str) -> tuple[str | Expression, ...]:
    parts: list[str | Expression] = []
    plain = ""
    at = 0
    while at < len(text):
        if text.startswith("$${", at):
            plain, at = plain + "${", at + 3
        elif text.startswith("${", at):
            expression, at = _take(text, at + 2)
            if plain:
                parts.append(plain)
            parts.append(expression)
            plain = ""
        else:
            plain, at = plain + text[at], at + 1
    if plain or not parts:
        parts.append(plain)
    return tuple(parts)


def _take(text: str, start: int) -> tuple[Expression, int]:
    """The expression that starts here, and where the text goes on. The first `}` that ends it wins."""
    fault = "it is empty"
    end = text.find("}", start)
    if end < 0:
        msg = f"'{text[start - 2 :]}' has no closing brace"
        raise ExpressionError(msg)
    first = text[start:end]
    while end >= 0 and end - start <= MAX_LENGTH:
        source = text[start:end].strip()
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            fault = error.msg if isinstance(error, SyntaxError) else str(error)
        else:
            return Expression(source, tree, frozenset(_check(tree, source))), end + 1
        end = text.find("}", end + 1)
    msg = f"cannot read the expression '${{{first}}}': {fault}"
    raise ExpressionError(msg)


_ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.Dict, ast.Call, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def _check(tree: ast.expr, source: str) -> set[Reference]:
    references: set[Reference] = set()
    inner: set[int] = set()  # names that are part of a longer dotted path, and names of functions
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            msg = f"'${{{source}}}' uses {type(node).__name__.lower()}, which expressions do not have"
            raise ExpressionError(msg)
        if isinstance(node, ast.Call):
            _check_call(node, source)
            inner.add(id(node.func))
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and id(node) not in inner:
            path = _dotted(node, inner)
            if path:
                references.add(path)
    for reference in references:
        if reference[0] not in ROOTS:
            msg = f"unknown name '{reference[0]}' in '${{{source}}}'"
            raise ExpressionError(msg, did_you_mean(reference[0], ROOTS))
    return references


def _check_call(node: ast.Call, source: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name not in FUNCTIONS or node.keywords:
        msg = f"unknown function '{name}' in '${{{source}}}'"
        raise ExpressionError(msg, did_you_mean(name, FUNCTIONS))


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


def evaluate(template: Template, scope: Mapping[str, Any]) -> Value:
    """The value of a template, with the names of `scope`. Raises `ExpressionError`."""
    return _fill(template.value, scope)


def _fill(value: Any, scope: Mapping[str, Any]) -> Value:
    match value:
        case Text(parts=(Expression() as only,)):
            return _run(only, scope)
        case Text(parts=parts):
            return "".join(part if isinstance(part, str) else _plain(part, scope) for part in parts)
        case list():
            return [_fill(item, scope) for item in value]
        case dict():
            return {key: _fill(item, scope) for key, item in value.items()}
    return value


def _plain(expression: Expression, scope: Mapping[str, Any]) -> str:
    value = _run(expression, scope)
    if isinstance(value, list | dict):
        msg = f"'${{{expression.source}}}' is {describe(value)}, which cannot stand inside a text"
        raise ExpressionError(msg, "let the expression be the whole value, or name one of its items")
    return str(value)


def _run(expression: Expression, scope: Mapping[str, Any]) -> Value:
    try:
        return _bounded(_eval(expression.tree, scope))
    except ExpressionError as error:
        msg = f"{error} in '${{{expression.source}}}'"
        raise ExpressionError(msg, error.hint) from None
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        msg = f"{error} in '${{{expression.source}}}'"
        raise ExpressionError(msg) from None


def _bounded(value: Any) -> Any:
    if isinstance(value, str | list | dict | tuple) and len(value) > MAX_SIZE:
        msg = f"a value of {len(value)} items is too large (limit {MAX_SIZE})"
        raise ExpressionError(msg)
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        msg = "a number is too large"
        raise ExpressionError(msg)
    return list(value) if isinstance(value, tuple) else value


def _eval(node: ast.expr, scope: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0912 - one case a node
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _member(scope, name, "")
        case ast.Attribute(value=owner, attr=name):
            return _member(_eval(owner, scope), name, ast.unparse(owner))
        case ast.Subscript(value=owner, slice=ast.Slice(lower=low, upper=high, step=step)):
            ends = [None if end is None else _eval(end, scope) for end in (low, high, step)]
            return _eval(owner, scope)[slice(*ends)]
        case ast.Subscript(value=owner, slice=key):
            held, index = _eval(owner, scope), _eval(key, scope)
            if isinstance(held, Mapping):
                return _member(held, index, ast.unparse(owner))
            return held[index]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_eval(item, scope) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {
                str(_eval(key, scope)): _eval(value, scope)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_eval(operand, scope))
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _eval(left, scope), _eval(right, scope))
        case ast.BoolOp(op=op, values=values):
            return _boolean(op, values, scope)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            return _compare(left, ops, rights, scope)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _eval(body if _eval(test, scope) else orelse, scope)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _bounded(FUNCTIONS[name](*[_eval(arg, scope) for arg in args]))
    msg = f"'{ast.unparse(node)}' cannot be evaluated"
    raise ExpressionError(msg)


def _member(owner: Any, name: Any, owner_text: str) -> Any:
    if not isinstance(owner, Mapping):
        msg = f"'{owner_text}' is {describe(owner)} and has no '{name}'"
        raise ExpressionError(msg)
    if name not in owner:
        where = f" under '{owner_text}'" if owner_text else ""
        msg = f"unknown name '{name}'{where}"
        raise ExpressionError(msg, did_you_mean(str(name), [str(key) for key in owner]))
    return owner[name]


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Pow) and (abs(right) > 100 or abs(left) > 10**6):
        msg = "a power is too large"
        raise ExpressionError(msg)
    if isinstance(op, ast.Mult):
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | list) and isinstance(other, int) and len(one) * other > MAX_SIZE:
                msg = "a repetition is too large"
                raise ExpressionError(msg)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        msg = "'%' does not format text here; write the expression inside the text"
        raise ExpressionError(msg)
    if type(op) not in _BINARY:
        msg = f"the operator {type(op).__name__} is not available"
        raise ExpressionError(msg)
    return _bounded(_BINARY[type(op)](left, right))


def _boolean(op: ast.boolop, values: list[ast.expr], scope: Mapping[str, Any]) -> Any:
    result: Any = None
    for value in values:
        result = _eval(value, scope)
        if bool(result) is isinstance(op, ast.Or):
            break
    return result


def _compare(left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr], scope: Mapping[str, Any]) -> bool:
    held = _eval(left, scope)
    for op, right in zip(ops, rights, strict=True):
        other = _eval(right, scope)
        if not _COMPARE[type(op)](held, other):
            return False
        held = other
    return True


def _size(value: Any) -> int:
    return len(value)


def _range(*args: int) -> list[int]:
    made = range(*args)
    if len(made) > MAX_SIZE:
        msg = f"a range of {len(made)} is too large (limit {MAX_SIZE})"
        raise ExpressionError(msg)
    return list(made)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": _size, "min": min, "max": max, "sum": sum, "round": round, "abs": abs, "int": int,
    "float": float, "str": str, "bool": bool, "sorted": sorted, "range": _range,
}  # fmt: skip
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
    ast.Invert: operator.invert,
}  # fmt: skip
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip

"""Evaluating the syntax tree of an expression. The tree is walked and never compiled: an expression reaches
only what this module names, and no value grows beyond a limit."""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.types import Value, describe, shorten

MAX_SIZE = 10_000  # items and characters of a value that an expression makes
MAX_NUMBER = 10**30


@dataclasses.dataclass(frozen=True, slots=True)
class NoValue:
    """In place of a value that is there, but cannot be used in an expression; `why` goes on from its name."""

    why: str


class ExpressionError(ValueError):
    """The expression cannot be compiled or evaluated. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def evaluate_tree(tree: ast.expr, scope: Mapping[str, Any]) -> Value:
    """The value of an expression, with the names of `scope`.

    Raises:
        ExpressionError: a name is unknown, or a value is too large.
        ArithmeticError, TypeError, ValueError, LookupError, RecursionError: as in Python.
    """
    return _bounded(_eval(tree, scope))


def source_of(node: ast.AST) -> str:
    """The source of a syntax tree, shortened."""
    try:
        return shorten(ast.unparse(node))
    except RecursionError:
        return "…"


def _bounded(value: Any) -> Any:
    """The value, if it is plain data and not too large."""
    if size_of(value) > MAX_SIZE:
        raise ExpressionError(f"a value is too large (limit {MAX_SIZE:,} items or characters)")
    if isinstance(value, complex):
        raise ExpressionError("a result is not a real number")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ExpressionError("a number is too large")
    return value


def size_of(value: Any) -> int:
    """The items and characters of a value on all levels; not counted further than `MAX_SIZE`."""
    size = 0
    todo = [value]
    while todo and size <= MAX_SIZE:
        match todo.pop():
            case str() as text:
                size += 1 + len(text)
            case list() as items if len(items) > MAX_SIZE:
                return len(items)
            case list() as items:
                size += 1
                todo += items
            case Mapping() as items:
                size += 1 + sum(len(str(key)) for key in items)
                todo += items.values()
            case _:
                size += 1
    return size


def _eval(node: ast.expr, scope: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0912 - one case a node
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _member(scope, name, "")
        case ast.Attribute(value=owner, attr=name):
            return _member(_eval(owner, scope), name, source_of(owner))
        case ast.Subscript(value=owner, slice=ast.Slice(lower=low, upper=high, step=step)):
            ends = [None if end is None else _eval(end, scope) for end in (low, high, step)]
            return _eval(owner, scope)[slice(*ends)]
        case ast.Subscript(value=owner, slice=key):
            held, index = _eval(owner, scope), _eval(key, scope)
            if isinstance(held, Mapping):
                return _member(held, index, source_of(owner))
            return held[index]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return _bounded([_eval(item, scope) for item in items])
        case ast.Dict(keys=keys, values=values):
            return {
                str(_eval(key, scope)): _eval(value, scope)
                for key, value in zip(keys, values, strict=True)
                if key is not None  # `**`, which the compiler refuses
            }
        case ast.UnaryOp(op=op, operand=operand):
            return UNARY[type(op)](_eval(operand, scope))
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
    raise ExpressionError(f"'{source_of(node)}' cannot be evaluated")


def _member(owner: Any, name: Any, owner_text: str) -> Any:
    if not isinstance(owner, Mapping):
        raise ExpressionError(f"'{owner_text}' is {describe(owner)} and has no '{name}'")
    if name not in owner and owner_text == "env":
        msg = f"the environment variable '{name}' is not set"
        raise ExpressionError(msg, "set it, or make it a parameter of the pipeline")
    if name not in owner:
        where = f" under '{owner_text}'" if owner_text else ""
        msg = f"unknown name '{name}'{where}"
        raise ExpressionError(msg, did_you_mean(str(name), [str(key) for key in owner]))
    value = owner[name]
    if isinstance(value, NoValue):
        msg = f"'{owner_text}.{name}' {value.why}, so that no expression can use it"
        raise ExpressionError(msg, "write it to a file, and make that an output")
    return value


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Pow) and (abs(right) > 100 or abs(left) > 10**6):
        raise ExpressionError("a power is too large")
    if isinstance(op, ast.Mult):
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | list) and isinstance(other, int) and len(one) * other > MAX_SIZE:
                raise ExpressionError("a repetition is too large")
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise ExpressionError("'%' does not format text here; write the expression inside the text")
    return _bounded(BINARY[type(op)](left, right))


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
        raise ExpressionError(f"a range of {len(made)} is too large (limit {MAX_SIZE})")
    return list(made)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": _size, "min": min, "max": max, "sum": sum, "round": round, "abs": abs, "int": int,
    "float": float, "str": str, "bool": bool, "sorted": sorted, "range": _range,
}  # fmt: skip
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip
BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip

"""Evaluating the syntax tree of an expression. The tree is walked and never compiled: an expression reaches
only what this module names, and no value grows beyond a limit."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.types import Value, describe, shorten
from stagebook.system.logins import holds_login

MAX_SIZE = 10_000  # items and characters of a value that an expression makes
MAX_NUMBER = 10**30
MAX_STEPS = 500_000  # of one text or other value with its expressions
_CHARACTERS = 8  # that are looked at in one step
_BITS = 4_096  # of a number
_DIGITS = 400
_NAMES, _NAME = 1_000, 200  # known names, and their characters, among which one that was meant is looked for


@dataclasses.dataclass(frozen=True, slots=True)
class NoValue:
    """In place of a value that is there, but cannot be used in an expression; `why` goes on from its name."""

    why: str


class Named(dict[str, Any]):
    """A mapping with a name, which stands for it within a text: a point of a matrix such as `small: {depth: 2}`."""

    def __init__(self, value: Mapping[str, Any] | Iterable[tuple[str, Any]], name: str = "") -> None:
        # A copy that `dataclasses.asdict` makes is a mapping like any other.
        super().__init__(value)
        self.name = name


class ExpressionError(ValueError):
    """The expression cannot be compiled or evaluated. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Effort:
    """What may be spent on expressions: a step is a node, an item or some characters that are looked at."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, steps: int) -> None:
        """Spend some steps. Raises `ExpressionError` once there are none left."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError(
                "it takes too many steps", "compute it in a notebook, and pass it on as a scrap"
            )

    def look_at(self, *values: Any) -> None:
        """Spend what an operation on values costs. Raises `ExpressionError` as `spend`, and for a number of a size
        that operations on it are no single step."""
        todo = list(values)
        while todo:
            match todo.pop():
                case str() as text:
                    self.spend(1 + len(text) // _CHARACTERS)
                case list() as items:
                    self.spend(1 + len(items))
                    todo += (item for item in items if not _is_small(item))
                case Mapping() as items:
                    self.spend(1 + len(items))
                    todo += items.values()
                case int() as number if number.bit_length() > _BITS:
                    raise ExpressionError("a number is too large")
                case _:
                    self.spend(1)


def _is_small(item: Any) -> bool:
    """Whether an item is a single step, which that of its list counts."""
    return item is None or isinstance(item, float) or (isinstance(item, int) and item.bit_length() <= _BITS)


def evaluate_tree(tree: ast.expr, scope: Mapping[str, Any], effort: Effort | None = None) -> Value:
    """The value of an expression, with the names of `scope`.

    Raises:
        ExpressionError: a name is unknown, a value is too large, or there is more to do than `effort` has left.
        ArithmeticError, TypeError, ValueError, LookupError, RecursionError: as in Python.
    """
    evaluation = _Evaluation(scope, effort or Effort(MAX_STEPS))
    return evaluation.bounded(evaluation.value(tree))


def source_of(node: ast.AST) -> str:
    """The source of a syntax tree, shortened."""
    try:
        return shorten(ast.unparse(node))
    except RecursionError:
        return "…"


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


class _Evaluation:
    """The evaluation of one expression."""

    def __init__(self, scope: Mapping[str, Any], effort: Effort) -> None:
        self._scope = scope
        self._effort = effort

    def bounded(self, value: Any) -> Any:
        """The value, if it is plain data and not too large."""
        size = size_of(value)
        if size > MAX_SIZE:
            raise ExpressionError(f"a value is too large (limit {MAX_SIZE:,} items or characters)")
        if isinstance(value, complex):
            raise ExpressionError("a result is not a real number")
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise ExpressionError("a number is too large")
        self._effort.spend(size // _CHARACTERS)
        return value

    def value(self, node: ast.expr) -> Any:  # noqa: C901, PLR0912 - one case a node
        self._effort.spend(1)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return _member(self._scope, name, "")
            case ast.Attribute(value=owner, attr=name):
                return _member(self.value(owner), name, source_of(owner))
            case ast.Subscript(value=owner, slice=ast.Slice(lower=low, upper=high, step=step)):
                ends = [None if end is None else self.value(end) for end in (low, high, step)]
                held = self.value(owner)
                self._effort.look_at(held)
                return held[slice(*ends)]
            case ast.Subscript(value=owner, slice=key):
                held, index = self.value(owner), self.value(key)
                if isinstance(held, Mapping):
                    return _member(held, index, source_of(owner))
                return held[index]
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self.bounded([self.value(item) for item in items])
            case ast.Dict(keys=keys, values=values):
                made = {
                    str(self.value(key)): self.value(value)
                    for key, value in zip(keys, values, strict=True)
                    if key is not None  # `**`, which the compiler refuses
                }
                return self.bounded(made)
            case ast.UnaryOp(op=op, operand=operand):
                return UNARY[type(op)](self._looked_at(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._looked_at(left), self._looked_at(right))
            case ast.BoolOp(op=op, values=values):
                return self._boolean(op, values)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                return self._compare(left, ops, rights)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Call(func=ast.Name(id=name), args=args):
                values = [self._looked_at(arg) for arg in args]
                if name == "sorted":
                    self._effort.look_at(*values, *values)  # each item is looked at several times
                return self.bounded(FUNCTIONS[name](*values))
        raise ExpressionError(f"'{source_of(node)}' cannot be evaluated")

    def _looked_at(self, node: ast.expr) -> Any:
        value = self.value(node)
        self._effort.look_at(value)
        return value

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(op, ast.Pow) and (abs(right) > 100 or abs(left) > 10**6):
            raise ExpressionError("a power is too large")
        if isinstance(op, ast.Mult):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str | list) and isinstance(other, int) and len(one) * other > MAX_SIZE:
                    raise ExpressionError("a repetition is too large")
        if isinstance(op, ast.Mod) and isinstance(left, str):
            raise ExpressionError("'%' does not format text here; write the expression inside the text")
        return self.bounded(BINARY[type(op)](left, right))

    def _boolean(self, op: ast.boolop, values: list[ast.expr]) -> Any:
        result: Any = None
        for value in values:
            result = self.value(value)
            if bool(result) is isinstance(op, ast.Or):
                break
        return result

    def _compare(self, left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr]) -> bool:
        held = self._looked_at(left)
        for op, right in zip(ops, rights, strict=True):
            other = self._looked_at(right)
            if not _COMPARE[type(op)](held, other):
                return False
            held = other
        return True


def _member(owner: Any, name: Any, owner_text: str) -> Any:
    if not isinstance(owner, Mapping):
        raise ExpressionError(f"'{owner_text}' is {describe(owner)} and has no '{name}'")
    if name not in owner and owner_text == "env":
        msg = f"the environment variable '{name}' is not set"
        raise ExpressionError(msg, "set it, or make it a parameter of the pipeline")
    if name not in owner:
        where = f" under '{owner_text}'" if owner_text else ""
        msg = f"unknown name '{name}'{where}"
        known = [str(key)[:_NAME] for key in itertools.islice(owner, _NAMES)]
        raise ExpressionError(msg, did_you_mean(str(name)[:_NAME], known))
    value = owner[name]
    if owner_text == "env" and isinstance(value, str) and holds_login(value):
        msg = f"the environment variable '{name}' holds a login, and values of a pipeline are kept in its records"
        raise ExpressionError(msg, f"read os.environ['{name}'] in the notebook: stages see the environment")
    if isinstance(value, NoValue):
        msg = f"'{owner_text}.{name}' {value.why}, so that no expression can use it"
        raise ExpressionError(msg, "write it to a file, and make that an output")
    return value


def _size(value: Any) -> int:
    return len(value)


def _range(*args: int) -> list[int]:
    made = range(*args)
    if len(made) > MAX_SIZE:
        raise ExpressionError(f"a range of {len(made)} is too large (limit {MAX_SIZE})")
    return list(made)


def _round(number: Any, digits: Any = None) -> Any:
    # `round(1, -10**9)` would compute 10**10**9.
    if digits is not None and not (isinstance(digits, int) and abs(digits) <= _DIGITS):
        raise ExpressionError(f"'round' takes from {-_DIGITS} to {_DIGITS} digits")
    return round(number, digits)


def _sum(items: Any, start: Any = 0) -> Any:
    # The sum of lists copies all of them again and again.
    if not isinstance(items, list) or not all(isinstance(item, int | float) for item in (*items, start)):
        raise ExpressionError("'sum' takes a list of numbers")
    return sum(items, start)


def _int(value: Any, base: Any = None) -> int:
    if isinstance(value, str) and len(value) > _DIGITS:
        raise ExpressionError(f"'int' takes a text of at most {_DIGITS} characters")
    return int(value) if base is None else int(value, base)


def _float(value: Any) -> float:
    if isinstance(value, str) and len(value) > _DIGITS:
        raise ExpressionError(f"'float' takes a text of at most {_DIGITS} characters")
    return float(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": _size, "min": min, "max": max, "sum": _sum, "round": _round, "abs": abs, "int": _int,
    "float": _float, "str": str, "bool": bool, "sorted": sorted, "range": _range,
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

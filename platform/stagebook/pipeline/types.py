"""The types of parameters, and the values that fit them.

A type is written as in a Python annotation: `int`, `float`, `bool`, `str`, `date`, `datetime`, `Path`,
`None`, `Any`, `list[T]`, `dict[str, T]`, `tuple[T, ...]`, `Literal[…]`, `T | U`, `Optional[T]`. Values are
plain data, as in JSON; a `date` or a `Path` is kept as text and becomes an object in the notebook.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import datetime
import math
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Value = Any  # plain data: None, bool, int, float, str, list, dict with text keys

_SCALARS = {"int", "float", "bool", "str", "date", "datetime", "Path", "None", "Any"}
_ALIASES = {"NoneType": "None", "List": "list", "Dict": "dict", "Tuple": "tuple", "object": "Any"}


@dataclasses.dataclass(frozen=True, slots=True)
class Type:
    """A type: its kind, the types within it (`args`), the values of a `Literal` (`choices`)."""

    kind: str
    args: tuple[Type, ...] = ()
    choices: tuple[Value, ...] = ()

    def __str__(self) -> str:
        match self.kind:
            case "union":
                return " | ".join(str(arg) for arg in self.args)
            case "Literal":
                return f"Literal[{', '.join(repr(choice) for choice in self.choices)}]"
            case "tuple" if len(self.args) == 1:
                return f"tuple[{self.args[0]}, ...]"
            case _ if self.args:
                return f"{self.kind}[{', '.join(map(str, self.args))}]"
        return self.kind


ANY = Type("Any")
STR = Type("str")
_BARE = {"list": (ANY,), "tuple": (ANY,), "dict": (STR, ANY)}  # without their types in brackets


class TypeNotUnderstood(ValueError):
    """The text is not a type of this language."""


class ValueMismatch(ValueError):
    """The value does not fit the type."""


def parse_python(source: str) -> ast.Module:
    """The syntax tree of Python text. Raises `SyntaxError`, whatever is wrong with the text."""
    with _reading_python():
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """As `parse_python`, for the text of one expression."""
    with _reading_python():
        return ast.parse(source, mode="eval").body


@contextlib.contextmanager
def _reading_python() -> Iterator[None]:
    """Without Python's warnings about doubtful literals: the text is not ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SyntaxError:
        raise
    except (RecursionError, MemoryError):
        raise SyntaxError("it is nested too deeply") from None
    except ValueError:
        raise SyntaxError("it holds a character that no source may hold") from None


def parse_type(text: str) -> Type:
    """Parse an annotation.

    Raises:
        TypeNotUnderstood: the text is no Python expression, or names an unknown type.
    """
    try:
        node = parse_expression(text.strip())
    except SyntaxError:
        raise TypeNotUnderstood(f"'{shorten(text)}' is not a type") from None
    return parse_annotation(node)


def parse_annotation(node: ast.expr) -> Type:
    """The type that an annotation's syntax tree stands for. Raises `TypeNotUnderstood`."""
    try:
        return _annotation(node)
    except RecursionError:
        raise TypeNotUnderstood("the type is nested too deeply") from None


def _annotation(node: ast.expr) -> Type:
    match node:
        case ast.Constant(value=None):
            return Type("None")
        case ast.Constant(value=str() as text):
            return parse_type(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union(_annotation(left), _annotation(right))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            return _generic(_ALIASES.get(name, name), items)
    raise TypeNotUnderstood(f"'{shorten(ast.unparse(node))}' is not a type")


def shorten(text: str, limit: int = 60) -> str:
    """The text, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str) -> str:
    """The text, safe to show in one line: line ends, escape codes and marks of direction are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _named(name: str) -> Type:
    name = _ALIASES.get(name, name)
    if name in _SCALARS or name in _BARE:
        return Type(name, _BARE.get(name, ()))
    raise TypeNotUnderstood(f"unknown type '{name}'")


def _generic(name: str, items: list[ast.expr]) -> Type:
    if name == "Literal":
        choices = tuple(_literal(item) for item in items)
        if not choices:
            raise TypeNotUnderstood("Literal[…] needs a value")
        return Type("Literal", choices=choices)
    args = [_annotation(item) for item in items if getattr(item, "value", None) is not Ellipsis]
    match name, args:
        case "list", [arg]:
            return Type("list", (arg,))
        case "tuple", [arg] if len(items) == 2:
            return Type("tuple", (arg,))
        case "tuple", [_, *_]:
            # A tuple of fixed length is read as a list of any of its types.
            return Type("tuple", (union(*args),))
        case "dict", [key, value] if key == STR:
            return Type("dict", (key, value))
        case "dict", [_, _]:
            raise TypeNotUnderstood("the keys of a dict are text: dict[str, …]")
        case "Optional", [arg]:
            return union(arg, Type("None"))
        case "Union", [_, *_]:
            return union(*args)
    raise TypeNotUnderstood(f"unknown type '{name}[…]'")


def _literal(node: ast.expr) -> Value:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        value = node
    is_plain = isinstance(value, str | int | float | bool | None)
    if not is_plain or (isinstance(value, float) and not math.isfinite(value)):
        raise TypeNotUnderstood("Literal[…] takes plain text, numbers, True, False or None")
    return value


def union(*types: Type) -> Type:
    """The union of types, flat and without repetition."""
    flat = (part for item in types for part in (item.args if item.kind == "union" else (item,)))
    parts = tuple(dict.fromkeys(flat))
    return parts[0] if len(parts) == 1 else Type("union", parts)


def type_of(value: Value) -> Type:
    """The type of a default value; `Any` for None, which tells none."""
    match value:
        case None:
            return ANY
        case bool():
            return Type("bool")
        case int():
            return Type("int")
        case float():
            return Type("float")
        case str():
            return STR
        case list():
            kinds = {type_of(item) for item in value}
            if kinds == {Type("int"), Type("float")}:
                # As floats, unless a whole number is too large to be one exactly.
                are_floats = all(isinstance(item, float) or abs(item) <= 2**53 for item in value)
                kinds = {Type("float")} if are_floats else kinds
            return Type("list", (kinds.pop() if len(kinds) == 1 else ANY,))
        case dict():
            return Type("dict", (STR, ANY))
    return ANY


def accept(wanted: Type, value: Value) -> Value:
    """The value, converted to the type where nothing is lost: an `int` becomes a `float`.

    Raises:
        ValueMismatch: the value does not fit; the message says what was expected, and the value.
    """
    value = _as_text(wanted.kind, value)
    match wanted.kind:
        case "Any":
            return value
        case "union":
            part = _part_of_union(wanted, value)
            if part is not None:
                return accept(part, value)
            fits = False
        case "list" | "tuple" if isinstance(value, list | tuple):
            return [accept(wanted.args[0], item) for item in value]
        case "dict" if isinstance(value, Mapping):
            return {str(key): accept(wanted.args[1], item) for key, item in value.items()}
        case "date" | "datetime" if isinstance(value, str):
            return _accept_time(wanted.kind, value)
        case "float" if isinstance(value, int) and not isinstance(value, bool):
            return _as_float(value)
        case "Literal":
            fits = any(choice == value and type(choice) is type(value) for choice in wanted.choices)
        case kind:
            fits = type(value) is _SIMPLE.get(kind)
    if fits:
        return value
    raise ValueMismatch(f"expected {wanted}, got {describe(value)}")


def _as_text(kind: str, value: Any) -> Any:
    """An object of Python, or of TOML, that is kept as text: dates and times, and paths. Where its own type is wanted, or any."""
    match value:
        case datetime.datetime() if kind in {"datetime", "Any"}:
            return value.isoformat()
        case datetime.date() if kind in {"date", "Any"} and not isinstance(value, datetime.datetime):
            return value.isoformat()
        case pathlib.PurePath() if kind in {"Path", "Any"}:
            return str(value)
    return value


def accepts(wanted: Type, value: Value) -> bool:
    """Whether a value fits a type."""
    try:
        accept(wanted, value)
    except ValueMismatch:
        return False
    return True


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "Path": pathlib.Path,
}


def as_object(kind: str, text: str) -> Any:
    """The object that a text stands for; `kind` is `date`, `datetime` or `Path`."""
    return _FROM_TEXT[kind](text)


def typed(wanted: Type, value: Value, make: Callable[[str, str], Any] = as_object) -> Any:
    """An accepted value as the notebook gets it: each text that the type has as a `date`, `datetime` or
    `Path`, in lists and mappings too, is replaced by what `make` returns for its kind and the text."""
    match wanted.kind:
        case "union":
            part = _part_of_union(wanted, value)
            return value if part is None else typed(part, value, make)
        case "list" | "tuple" if isinstance(value, list | tuple):
            return [typed(wanted.args[0], item, make) for item in value]
        case "dict" if isinstance(value, Mapping):
            return {key: typed(wanted.args[1], item, make) for key, item in value.items()}
        case kind if kind in _FROM_TEXT and isinstance(value, str):
            return make(kind, value)
    return value


_SIMPLE = {"None": type(None), "bool": bool, "int": int, "float": float, "str": str, "Path": str}


def _as_float(value: int) -> float:
    with contextlib.suppress(OverflowError):
        if int(float(value)) == value:
            return float(value)
    raise ValueMismatch("expected a float, got a whole number that no float holds exactly")


def _accept_time(kind: str, value: str) -> str:
    try:
        as_object(kind, value)
    except ValueError:
        raise ValueMismatch(f"expected a {kind} as in 2013-01-31, got {describe(value)}") from None
    return value


def _part_of_union(wanted: Type, value: Value) -> Type | None:
    """The first type of a union that accepts the value, or `None`."""
    # An exact type is preferred, so that 1 stays an int in `float | int`.
    exact = type_of(value)
    parts = sorted(wanted.args, key=lambda arg: arg != exact)
    return next((part for part in parts if accepts(part, value)), None)


def describe(value: Value) -> str:
    """A value for a message: its text, shortened, and its type."""
    try:
        text = shorten(repr(value))
    except ValueError:  # a number with more digits than Python writes
        text = "a number too long to show"
    names: Mapping[str, str] = {"NoneType": "None", "dict": "mapping"}
    name = type(value).__name__
    return "None" if value is None else f"{text} ({names.get(name, name)})"


def is_sequence(value: Value) -> bool:
    """Whether a value is a list or tuple; a text is not."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)

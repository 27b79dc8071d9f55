"""Going through Python code without running it: what is called, in which loops, with which variables.

Functions that the code calls are gone through where they are called; a branch is gone through on both sides.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stagebook.importing.code_values import NotRead, Ref, Values, columns, name_of, source_of
from stagebook.importing.draft import variable_from

_DEEPEST = 8  # functions within functions
_MOST = 20_000  # statements


@dataclasses.dataclass(slots=True, kw_only=True)
class Loops:
    """The loops around a place, as a matrix: `axes`, those that go together (`zipped`), and what could not be read."""

    axes: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    zipped: list[list[str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def copy(self) -> Loops:
        """The same, to go on from."""
        return Loops(axes=dict(self.axes), zipped=list(self.zipped), notes=list(self.notes))


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where something is called: the values of the variables there, and the loops around it."""

    values: Values
    scope: dict[str, Any]
    loops: Loops


Call = Callable[[ast.Call, str, Place], Any]
"""What a call comes to, by its node, its name (as its module calls it) and place. Raises `NotRead`, or returns `None`."""


class Walk:
    """Goes through a module. `on_call` is asked about every call that stands as a statement or is assigned, `on_other` about
    every other expression that stands as a statement."""

    def __init__(
        self, tree: ast.Module, on_call: Call, on_other: Callable[[ast.expr, Place], Any] | None = None
    ) -> None:
        self._on_call = on_call
        self._on_other = on_other
        self._names = dict(_imported(tree))
        self._functions = {
            node.name: node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._called: set[str] = set()
        self._open: set[str] = set()
        self._left = _MOST
        scope: dict[str, Any] = {}
        self._body(tree.body, Place(Values(scope), scope, Loops()), 0)
        for name, function in self._functions.items():
            if name not in self._called:  # a decorator or another module calls it
                self._enter(function, {}, Place(Values(scope), scope, Loops()), 0)

    def full_name(self, node: ast.AST) -> str:
        """The dotted name of what is called, as its own module has it."""
        name = name_of(node)
        first, dot, rest = name.partition(".")
        return f"{self._names.get(first, first)}{dot}{rest}"

    # -- statements -----------------------------------------------------------------------------

    def _body(self, body: Sequence[ast.stmt], place: Place, depth: int) -> None:
        for node in body:
            self._left -= 1
            if self._left < 0:
                return
            self._statement(node, place, depth)

    def _statement(self, node: ast.stmt, place: Place, depth: int) -> None:
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=value) if (
                value
            ):
                self._assign(target, value, place, depth)
            case ast.Expr(value=value):
                self._value(value, place, depth)
            case (
                ast.For(target=target, iter=over, body=body)
                | ast.AsyncFor(target=target, iter=over, body=body)
            ):
                self._body(body, self._loop(target, over, place), depth)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    value = self._value(item.context_expr, place, depth)
                    if isinstance(item.optional_vars, ast.Name) and value is not None:
                        place.scope[item.optional_vars.id] = value
                self._body(body, place, depth)
            case ast.If(test=test, body=body, orelse=orelse):
                inner = (
                    place if _is_main(test) else self._noted(place, f"the condition 'if {source_of(test)}'")
                )
                self._body(body, inner, depth)
                self._body(orelse, inner, depth)
            case ast.Try(body=body):
                self._body(body, place, depth)
            case ast.While(test=test, body=body):
                self._body(body, self._noted(place, f"the loop 'while {source_of(test)}'"), depth)

    def _assign(self, target: ast.expr, value: ast.expr, place: Place, depth: int) -> None:
        made = self._value(value, place, depth)
        match target:
            case ast.Name(id=name) if made is None:
                place.scope.pop(name, None)
            case ast.Name(id=name):
                place.scope[name] = made
            case ast.Subscript(value=ast.Name(id=owner), slice=key) if isinstance(
                place.scope.get(owner), dict
            ):
                try:
                    place.scope[owner] = {**place.scope[owner], place.values.of(key): made}
                except (NotRead, TypeError):
                    return

    def _value(self, node: ast.expr, place: Place, depth: int) -> Any:
        """What an expression comes to; `None` where that is not known."""
        if isinstance(node, ast.Await):
            node = node.value
        try:
            if isinstance(node, ast.Call) and _appends(node):
                self._append(node, place, depth)
            elif isinstance(node, ast.Call):
                made = self._on_call(node, self.full_name(node.func), place)
                if made is not None:
                    return made
                function = self._functions.get(name_of(node.func))
                if function is not None:
                    self._enter(function, dict(_given(function, node, place)), place, depth + 1)
                    return None
            elif self._on_other is not None and (made := self._on_other(node, place)) is not None:
                return made
            return place.values.of(node)
        except (NotRead, RecursionError):
            return None

    def _append(self, node: ast.Call, place: Place, depth: int) -> None:
        assert isinstance(node.func, ast.Attribute)
        held = place.values.of(node.func.value)
        made = self._value(node.args[0], place, depth)
        if isinstance(held, list) and made is not None:
            held.append(made)  # which the loops around it see, too

    def _enter(
        self,
        function: ast.FunctionDef | ast.AsyncFunctionDef,
        given: dict[str, Any],
        place: Place,
        depth: int,
    ) -> None:
        if function.name in self._open:
            return  # it calls itself
        self._called.add(function.name)
        for decorator in function.decorator_list:
            self._value(decorator, place, _DEEPEST)
        if depth > _DEEPEST:
            return
        names = {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)}
        scope = {name: value for name, value in place.scope.items() if name not in names} | given
        self._open.add(function.name)
        self._body(function.body, Place(Values(scope), scope, place.loops), depth)
        self._open.discard(function.name)

    # -- loops ----------------------------------------------------------------------------------

    def _loop(self, target: ast.expr, over: ast.expr, place: Place) -> Place:
        scope, loops = dict(place.scope), place.loops.copy()
        names = _targets(target)
        try:
            found = self._lists(over, len(names), place) if names else None
        except NotRead:
            found = None
        if found is None:
            for name in names:
                scope.pop(name, None)
            loops.notes.append(f"the loop 'for {source_of(target)} in {source_of(over)}'")
            return Place(Values(scope), scope, loops)
        lists, together = found
        made = []
        for name, values in zip(names, lists, strict=True):
            axis = variable_from(name, loops.axes)
            loops.axes[axis] = list(values)
            scope[name] = Ref(f"matrix.{axis}")
            made.append(axis)
        if together and len(made) > 1:
            loops.zipped.append(made)
        return Place(Values(scope), scope, loops)

    def _lists(self, over: ast.expr, width: int, place: Place) -> tuple[list[list[Any]], bool] | None:
        """The values of each name of a loop, and whether they go together."""
        name, args = "", []
        if isinstance(over, ast.Call) and not over.keywords:
            name, args = self.full_name(over.func), over.args
        if name in {"itertools.product", "zip"} and len(args) == width:
            lists = [_as_list(place.values.of(arg), arg) for arg in args]
            short = min(map(len, lists), default=0)
            return ([one[:short] for one in lists], True) if name == "zip" else (lists, False)
        if name == "enumerate" and width == 2 and len(args) == 1:
            values = _as_list(place.values.of(args[0]), args[0])
            return [list(range(len(values))), values], True
        if name.endswith(".items") and width == 2 and isinstance(over, ast.Call):
            held = place.values.of(over.func.value) if isinstance(over.func, ast.Attribute) else None
            return ([list(held), list(held.values())], True) if isinstance(held, dict) else None
        if name in {"tqdm.tqdm", "tqdm.auto.tqdm", "reversed"} and len(args) == 1:
            return self._lists(args[0], width, place)
        values = _as_list(place.values.of(over), over)
        if width == 1:
            return [values], False
        rows = columns(values, width)
        return None if rows is None else (rows, True)

    @staticmethod
    def _noted(place: Place, note: str) -> Place:
        loops = place.loops.copy()
        loops.notes.append(note)
        return Place(place.values, place.scope, loops)


def _appends(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "append" and len(node.args) == 1


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from ((alias.asname, alias.name) for alias in aliases if alias.asname)
            case ast.ImportFrom(module=str() as module, names=aliases):
                yield from ((alias.asname or alias.name, f"{module}.{alias.name}") for alias in aliases)


def _given(
    function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, place: Place
) -> Iterator[tuple[str, Any]]:
    """The arguments of a call, as far as they are known."""
    defaults = zip(reversed(function.args.args), reversed(function.args.defaults), strict=False)
    pairs: list[tuple[str, ast.expr]] = [(arg.arg, value) for arg, value in defaults]
    pairs += [(arg.arg, value) for arg, value in zip(function.args.args, call.args, strict=False)]
    pairs += [(word.arg, word.value) for word in call.keywords if word.arg]
    for name, node in pairs:
        try:
            yield name, place.values.of(node)
        except NotRead:
            continue


def _targets(target: ast.expr) -> list[str]:
    match target:
        case ast.Name(id=name):
            return [name]
        case ast.Tuple(elts=items) if all(isinstance(item, ast.Name) for item in items):
            return [item.id for item in items if isinstance(item, ast.Name)]
    return []


def _as_list(value: Any, node: ast.AST) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, list) and value:
        return value
    raise NotRead(node)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and name_of(test.left) == "__name__"

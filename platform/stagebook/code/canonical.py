"""The code of a cell or module as a canonical text: equal texts do the same, whatever they look like.

Comments, blank lines, formatting, quotes and needless parentheses do not count; docstrings do. What is
not Python counts by its text: IPython's magics, and whole cells of another language. A `;` at the end
of a line does not count: it only hides what the cell shows.
"""

from __future__ import annotations

import ast
import functools
from typing import Any

from stagebook.pipeline.cells import ParsedCell


def canonical(cell: ParsedCell) -> str:
    """The canonical text of a cell."""
    if cell.tree is None:
        return "\n".join(["text", *cell.heads, "", cell.text])
    return "\n".join(["magic" if cell.magics else "python", *cell.heads, "", dump(cell.tree)])


@functools.cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a node. Left out: ctx, which its place in the tree tells, and kind, the prefix u""."""
    return tuple(name for name in reversed(kind._fields) if name not in {"ctx", "kind", "type_ignores"})


def dump(tree: ast.AST) -> str:
    """A tree as text: the name of each node, then its fields in order, each list after its length. Different
    trees have different texts. Does not recurse, so that no tree is too deep."""
    out: list[str] = []
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        kind = item.__class__
        if kind is list:
            out.append(f"[{len(item)}")
            stack.extend(reversed(item))
        elif kind is ast.Name:
            out += ("Name", repr(item.id))
        elif kind is ast.Constant:
            out += ("Constant", _constant(item.value))
        elif item is None:
            out.append("~")
        elif isinstance(item, ast.AST):
            out.append(kind.__name__)
            stack.extend([getattr(item, name, None) for name in _fields(kind)])
        else:
            out.append(_constant(item))
    return "\n".join(out)


def _constant(value: Any) -> str:
    if value.__class__ is int:
        return hex(value)  # repr refuses those of more than 4,300 digits
    return repr(value)

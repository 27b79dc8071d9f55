"""The values of names, strings and paths in Python code, as far as its text tells them.

A name has a known value if it is bound once, to a constant.
"""

from __future__ import annotations

import ast
import collections
import os
from collections.abc import Iterable, Sequence

HERE = "\0"  # in a path: the folder of the file that the code is in
_MAX_DEPTH = 20
_DATA = (
    ".csv", ".tsv", ".txt", ".parquet", ".json", ".jsonl", ".ndjson", ".feather", ".arrow", ".orc", ".avro", ".xlsx",
    ".xls", ".ods", ".h5", ".hdf5", ".nc", ".zarr", ".npy", ".npz", ".mat", ".pkl", ".pickle", ".joblib", ".db",
    ".sqlite", ".duckdb", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".xml", ".html", ".geojson", ".gpkg", ".shp",
    ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".svg", ".pdf", ".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".sql",
    ".log", ".md", ".onnx", ".pt", ".pth", ".model", ".sav", ".dta", ".rds",
)  # fmt: skip

# Functions whose value is the path in their first argument; functions that join their arguments.
_SAME = frozenset(
    {"str", "os.fspath", "os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expanduser"}
)
_JOINING = frozenset(
    {"os.path.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath", "Path"}
)
_WORKING_FOLDER = frozenset({"os.getcwd", "pathlib.Path.cwd", "Path.cwd", "os.path.curdir", "os.curdir"})
_METHODS = frozenset({"resolve", "absolute", "as_posix", "expanduser", "__str__", "__fspath__"})


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.c` as text; None where the node is not a name with attributes."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _parent(path: str) -> str:
    head, name = os.path.split(path)
    if name in {"", ".", "..", HERE}:
        return os.path.join(path, "..")
    return head or "."


def looks_like_path(text: str) -> bool:
    """Whether a string may be the relative path of a file."""
    if not 1 < len(text) <= 250 or "\n" in text or "://" in text or text[0] in "/~<":
        return False
    return ("/" in text and text.strip("/. ") != "") or text.lower().endswith(_DATA)


class Constants:
    """The constants of a notebook or module. First all its code is taken, then `settle` is called, then values
    are asked for."""

    def __init__(self) -> None:
        self._bound: collections.Counter[str] = collections.Counter()
        self._values: dict[str, ast.expr] = {}
        self._modules: dict[str, str] = {}

    def take(self, nodes: Iterable[ast.AST], *, fixed: bool = True) -> None:
        """Take code, as the nodes of its tree. Without `fixed` its names have no known value."""
        for node in nodes:
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    self._bound[node.id] += 1 if fixed else 2
            elif isinstance(node, ast.Assign):
                if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                    self._values[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
                if isinstance(node.target, ast.Name) and node.value is not None:
                    self._values[node.target.id] = node.value
            elif isinstance(node, ast.arg):
                self._bound[node.arg] += 1
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            self._modules.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif node.module and not node.level:
            for alias in node.names:
                self._modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def settle(self) -> None:
        """Forget the values of names that are bound more than once, once all code was taken."""
        self._values = {name: node for name, node in self._values.items() if self._bound[name] == 1}

    def name(self, node: ast.AST) -> str | None:
        """The full name of a function or variable, such as `os.path.join`, whatever alias the code uses."""
        text = dotted_name(node)
        if text is None:
            return None
        head, dot, rest = text.partition(".")
        return self._modules.get(head, head) + dot + rest

    def text(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """The value of an expression, if it is a string or path that is known."""
        if depth > _MAX_DEPTH:
            return None
        depth += 1
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.Name(id="__file__"):
                return f"{HERE}/__file__"
            case ast.Name(id=name) if name in self._values:
                return self.text(self._values[name], depth)
            case ast.JoinedStr(values=values):
                return self._join([self.text(value, depth) for value in values], "")
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.text(value, depth)
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as op, right=right):
                both = [self.text(left, depth), self.text(right, depth)]
                return self._join(both, "/" if isinstance(op, ast.Div) else "")
            case ast.Attribute() | ast.Subscript():
                return self._parents(node, depth)
            case ast.Call(func=func, args=args):
                return self._call(func, args, depth)
        return None

    def _join(self, parts: Sequence[str | None], between: str) -> str | None:
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return os.path.join(*known) if between and known else "".join(known)

    def _parents(self, node: ast.AST, depth: int) -> str | None:
        match node:
            case ast.Attribute(value=value, attr="parent"):
                levels = 1
            case ast.Subscript(
                value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(at))
            ):
                levels = min(at, _MAX_DEPTH) + 1
            case _:
                return "." if self.name(node) in _WORKING_FOLDER else None
        path = self.text(value, depth)
        for _ in range(levels if path is not None else 0):
            path = _parent(path or "")
        return path

    def _call(self, func: ast.expr, args: list[ast.expr], depth: int) -> str | None:
        name = self.name(func)
        if name in _WORKING_FOLDER:
            return "."
        if name in _JOINING:
            return self._join([self.text(arg, depth) for arg in args], "/") if args else "."
        if name in _SAME and len(args) == 1:
            return self.text(args[0], depth)
        if name == "os.path.dirname" and len(args) == 1:
            path = self.text(args[0], depth)
            return None if path is None else _parent(path)
        if isinstance(func, ast.Attribute) and func.attr in _METHODS:
            return self.text(func.value, depth)
        if isinstance(func, ast.Attribute) and func.attr == "joinpath":
            return self._join([self.text(item, depth) for item in [func.value, *args]], "/")
        return None

    def template(self, node: ast.AST) -> str:
        """The value of an expression as text, with `{…}` for the parts that are not known."""
        known = self.text(node)
        if known is not None:
            return known
        if isinstance(node, ast.JoinedStr):
            return "".join(self.template(value) for value in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.template(node.left) + self.template(node.right)
        if isinstance(node, ast.FormattedValue):
            return self.template(node.value)
        return "{sys.executable}" if self.name(node) == "sys.executable" else "{…}"

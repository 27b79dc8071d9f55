"""What cells and modules refer to beyond themselves, as far as their text says. Nothing is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stagebook.code.calls import ENVIRON, CallReader, items_of
from stagebook.code.constants import Constants, dotted_name, looks_like_path
from stagebook.code.magics import NAME, MagicReader
from stagebook.code.references import CodeReferences, Collector
from stagebook.pipeline.cells import ParsedCell, parse_cell

_MAX_DEPTH = 9  # magics in magics
_IMPORT = re.compile(
    r"^[ \t]*(from[ \t]+[.\w]+[ \t]+import[ \t]+(?:\([^)]*\)|[^\n#;(]+)|import[ \t]+[^\n#;]+)", re.MULTILINE
)


def analyse_cells(cells: Sequence[tuple[ParsedCell, bool]]) -> list[CodeReferences]:
    """What each cell of a notebook refers to. They share their names. True marks the parameters cell: its
    values are others in a run, so they are no constants, and its names and paths do not count."""
    constants = Constants()
    analyses = [
        _Analysis(cell, constants, is_fixed=not is_parameters, mentions=not is_parameters)
        for cell, is_parameters in cells
    ]
    constants.settle()
    return [analysis.references() for analysis in analyses]


def analyse_module(tree: ast.Module) -> CodeReferences:
    """What a module or script refers to, without names and paths."""
    constants = Constants()
    analysis = _Analysis(ParsedCell(tree=tree), constants, is_fixed=True, mentions=False)
    constants.settle()
    return analysis.references()


def analyse_text(text: str) -> CodeReferences:
    """The imports of a text that is not Python to this interpreter: it may be to that of the kernel."""
    cells = [parse_cell(match[1].strip()) for match in _IMPORT.finditer(text)]
    found = analyse_cells([(cell, False) for cell in cells if cell.tree is not None and not cell.magics])
    imports = [entry for references in found for entry in references.get("imports", [])]
    return {"imports": imports} if imports else {}


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes in the order of the source, without what is for type checkers alone."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.If) and (dotted_name(node.test) or "").rpartition(".")[2] == "TYPE_CHECKING":
            stack.extend(reversed(node.orelse))
        else:
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


class _Analysis:
    """The analysis of one cell or module. All are made, then the constants are settled, then each is asked
    for its references."""

    def __init__(self, cell: ParsedCell, constants: Constants, *, is_fixed: bool, mentions: bool) -> None:
        self._constants = constants
        self._is_fixed = is_fixed
        self._found = Collector(mentions=mentions)
        self._magics = MagicReader(self._found, self._take_python)
        self._calls = CallReader(self._found, constants, self._magics)
        self._nodes: list[ast.AST] = []
        self._depth = 0
        self._handlers: Mapping[type[ast.AST], Callable[[Any], None]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.BinOp: self._joined_path,
            ast.Assign: self._assign,
            ast.AugAssign: self._assign,
            ast.Subscript: self._variable,
            ast.Compare: self._asked_for,
            ast.Call: self._calls.read,
        }
        self._take(cell)

    def references(self) -> CodeReferences:
        """All that the cell or module refers to."""
        for node in self._nodes:
            if handler := self._handlers.get(node.__class__):
                handler(node)
        return self._found.references()

    def _take(self, cell: ParsedCell) -> None:
        for magic in cell.magics:
            self._magics.line(magic)
        for head in cell.heads:
            self._found.add("names", *NAME.findall(head))
        if cell.tree is not None:
            nodes = list(_walk(cell.tree))
            self._nodes += nodes
            self._constants.take(nodes, fixed=self._is_fixed)
        elif cell.foreign:
            self._magics.cell_magic(cell.foreign, cell.heads[-1].partition(cell.foreign)[2], cell.text)
        elif "\n" not in cell.text and NAME.match(cell.text):
            self._magics.line(f"%{cell.text}")  # a cell of one line may be a magic without its `%`
        else:
            self._found.add("names", *NAME.findall(cell.text))
            self._found.add("imports", *analyse_text(cell.text).get("imports", ()))

    def _take_python(self, text: str) -> None:
        if self._depth < _MAX_DEPTH:
            self._depth += 1
            self._take(parse_cell(text))
            self._depth -= 1

    def _import(self, node: ast.Import) -> None:
        self._found.add("imports", *((0, alias.name, None) for alias in node.names))

    def _import_from(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        self._found.add("imports", (node.level, node.module or "", names))

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._found.add("names", node.id)

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and looks_like_path(node.value):
            self._found.add("paths", node.value)

    def _joined_path(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            path = self._constants.text(node)
            if path is not None and looks_like_path(path):
                self._found.add("paths", path)

    def _variable(self, node: ast.Subscript) -> None:
        """`os.environ[…]`."""
        if self._constants.name(node.value) == ENVIRON and (name := self._constants.text(node.slice)):
            self._found.add("env" if isinstance(node.ctx, ast.Load) else "sets", name)

    def _asked_for(self, node: ast.Compare) -> None:
        """`… in os.environ`."""
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
            name = self._constants.text(node.left)
            if name and self._constants.name(node.comparators[0]) == ENVIRON:
                self._found.add("env", name)

    def _assign(self, node: ast.Assign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.AugAssign):
                self._found.add("names", target.id)
            if isinstance(target, ast.Name) and target.id == "__all__":
                texts = (self._constants.text(item) for item in items_of(node.value))
                self._found.add("all", *(text for text in texts if text is not None))
            base = target.value if isinstance(target, ast.Subscript) else target
            if self._constants.name(base) == "sys.path":
                for at, item in enumerate(items_of(node.value)):
                    self._calls.add_folder(None if isinstance(node, ast.AugAssign) else at, item)

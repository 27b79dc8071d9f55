"""The figures that keep the code readable: sizes, cycles, imports inside functions, broad excepts.

`python tools/figures.py` prints what is over a limit, and ends with 1 if anything is; `--show` prints the figures.
"""

from __future__ import annotations

import ast
import dataclasses
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("platform/stagebook", "jupyter_extension/stagebook_lab")
PACKAGES = {"stagebook", "stagebook_lab"}

MODULE_LINES = 400
FUNCTION_LINES = 60
FUNCTION_LINES_P99 = 45
CLASS_METHODS = 15
INNER_IMPORTS = 8
TESTS_TO_SOURCE = (0.9, 1.3)
_BROAD = {"Exception", "BaseException"}
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """One file of the sources."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def at(self, line: int) -> str:
        """Where a line is."""
        return f"{self.path.relative_to(ROOT)}:{line}"

    def has_reason(self, line: int) -> bool:
        """Whether a comment stands in a line or in the one before it; a bare `noqa` is none."""
        above = self.lines[line - 2].strip() if line > 1 else ""
        comments = [self.lines[line - 1].partition("#")[2], above[1:] if above.startswith("#") else ""]
        return any(text and ("noqa" not in text or " - " in text) for text in comments)


def modules() -> list[Module]:
    """All modules, without the templates of `init`."""
    found = []
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            if "templates" not in path.parts:
                text = path.read_text(encoding="utf-8")
                found.append(Module(path, text.splitlines(), ast.parse(text)))
    return found


def functions(module: Module) -> Iterator[tuple[int, str]]:
    """The length of each function in lines, and where it is."""
    for node in ast.walk(module.tree):
        if isinstance(node, _FUNCTION):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1, f"{module.at(node.lineno)} {node.name}"


def large_classes(module: Module) -> Iterator[str]:
    """The classes with too many methods."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            count = sum(isinstance(item, _FUNCTION) for item in node.body)
            if count > CLASS_METHODS:
                yield f"{module.at(node.lineno)} {node.name} has {count} methods; at most {CLASS_METHODS}"


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules of ours that a statement may import."""
    if isinstance(node, ast.Import):
        names = [item.name for item in node.names]
    else:
        names = [node.module or "", *(f"{node.module}.{item.name}" for item in node.names)]
    return [name for name in names if name.partition(".")[0] in PACKAGES]


def inner_imports(module: Module) -> Iterator[int]:
    """The lines within functions that import a module of ours."""
    for node in ast.walk(module.tree):
        if isinstance(node, _FUNCTION):
            for item in ast.walk(node):
                if isinstance(item, ast.Import | ast.ImportFrom) and imported(item):
                    yield item.lineno


def broad_excepts(module: Module) -> Iterator[int]:
    """The lines that catch whatever is raised, and neither raise it again nor log it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {ast.unparse(item) for item in _members(node.type)} if node.type else _BROAD
            body = [item for statement in node.body for item in ast.walk(statement)]
            told = any(
                isinstance(item, ast.Raise) or (isinstance(item, ast.Attribute) and item.attr == "exception")
                for item in body
            )
            if caught & _BROAD and not told:
                yield node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and {ast.unparse(item) for item in node.args} & _BROAD
        ):
            yield node.lineno


def _members(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def cycle(found: list[Module]) -> list[str]:
    """Modules that import each other at their top, in a circle; none as a rule."""
    names = {module.name for module in found}
    graph = {module.name: set(_top_imports(module.tree)) & names - {module.name} for module in found}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _top_imports(node: ast.AST) -> Iterator[str]:
    for item in ast.iter_child_nodes(node):
        if isinstance(item, ast.Import | ast.ImportFrom):
            yield from imported(item)
        elif isinstance(item, ast.If) and "TYPE_CHECKING" in ast.unparse(item.test):
            continue
        elif not isinstance(item, _FUNCTION):
            yield from _top_imports(item)


def lines_of(folder: str) -> int:
    """The lines of the Python files in a folder."""
    return sum(path.read_text(encoding="utf-8").count("\n") for path in (ROOT / folder).rglob("*.py"))


def main() -> int:
    """Print what is over a limit; the exit code."""
    found = modules()
    wrong = [
        f"{module.at(1)} has {len(module.lines)} lines; at most {MODULE_LINES}"
        for module in found
        if len(module.lines) > MODULE_LINES
    ]
    wrong += [text for module in found for text in large_classes(module)]
    lengths = sorted(item for module in found for item in functions(module))
    wrong += [
        f"{where} has {n} lines; at most {FUNCTION_LINES}" for n, where in lengths if n > FUNCTION_LINES
    ]
    p99 = lengths[int(len(lengths) * 0.99)][0]
    if p99 > FUNCTION_LINES_P99:
        wrong.append(f"one function of a hundred has {p99} lines or more; at most {FUNCTION_LINES_P99}")
    inner = [(module, line) for module in found for line in sorted(set(inner_imports(module)))]
    if len(inner) > INNER_IMPORTS:
        wrong.append(f"{len(inner)} imports of ours inside functions; at most {INNER_IMPORTS}")
    broad = [(module, line) for module in found for line in broad_excepts(module)]
    wrong += [
        f"{module.at(line)} {what} without a reason in a comment"
        for what, places in (("imports inside a function", inner), ("catches everything", broad))
        for module, line in places
        if not module.has_reason(line)
    ]
    if circle := cycle(found):
        wrong.append(f"imports in a circle: {' → '.join(circle)}")
    source = sum(len(module.lines) for module in found)
    ratio = lines_of("tests") / source
    if not TESTS_TO_SOURCE[0] <= ratio <= TESTS_TO_SOURCE[1]:
        wrong.append(f"tests are {ratio:.2f} of the source's lines; {' to '.join(map(str, TESTS_TO_SOURCE))}")
    if "--show" in sys.argv:
        print(
            f"{len(found)} modules, {source} lines, {len(lengths)} functions of at most {lengths[-1][0]} lines"
        )
        print(f"99 of 100 functions have fewer than {p99 + 1} lines; {len(inner)} imports inside functions,")
        print(f"{len(broad)} places that catch everything; tests are {ratio:.2f} of the source's lines")
    for text in wrong:
        print(f"✗ {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

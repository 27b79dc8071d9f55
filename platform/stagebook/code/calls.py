"""What a piece of Python uses beyond itself, as far as its text says: modules, scripts, files.

What is found is plain data, so that it can be remembered by the stat of the file:

    imports   [level, module, names or null] of each import, with names where it is `from … import`
    folders   [index or null, path] of each folder put into `sys.path`; null where it is put last
    scripts   Python files and notebooks that are executed in this process
    words     words of shell commands and magics: those that name a file are read
    writes    files that `%%writefile` makes
    all       the names of `__all__`
    dynamic   what is computed, so that nothing can be said of it
    names     the names that are read, also those in magics
    paths     string constants that look like relative paths

A path that begins with `constants.HERE` is relative to the folder of the file itself.
"""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Iterator, Sequence
from typing import Any

from stagebook.code import shell
from stagebook.code.constants import Constants, dotted_name, looks_like_path
from stagebook.pipeline.cells import Parsed, parse_cell
from stagebook.pipeline.types import shorten

Uses = dict[str, list[Any]]

_PYTHON_LINES = frozenset({"time", "timeit", "prun", "memit", "mprun", "lprun", "snakeviz", "pyinstrument"})
_READING_LINES = frozenset({"load", "loadpy", "pycat", "macro", "pip", "conda", "mamba", "uv"})
_SHELL = frozenset({"!", "sx", "system", "bash", "sh", "zsh", "ksh", "cmd", "ruby", "perl", "script"})
_PYTHONS = frozenset({"python", "python2", "python3", "pypy", "pypy3"})
_EXTENSIONS = frozenset({"load_ext", "reload_ext"})
_BUILT_IN = frozenset({"autoreload", "storemagic"})  # extensions that come with IPython
_WRITING_CELLS = frozenset({"writefile", "file"})
_RUN_VALUES = frozenset({"-N", "-b", "-D", "-l", "-s", "-T"})  # options of %run with a value
_DEEP = 9  # magics in magics
_NAME = re.compile(r"[^\W\d]\w*")
_FILLED = re.compile(r"[{$:]\s*([^\W\d]\w*)")  # `{name}`, `$name`, `:name`
_IMPORT = re.compile(
    r"^[ \t]*(from[ \t]+[.\w]+[ \t]+import[ \t]+(?:\([^)]*\)|[^\n#;(]+)|import[ \t]+[^\n#;]+)", re.MULTILINE
)

# What reads which nodes, and which calls.
_NODES: dict[type[ast.AST], str] = {
    ast.Import: "_import",
    ast.ImportFrom: "_import_from",
    ast.Name: "_name",
    ast.Constant: "_constant",
    ast.BinOp: "_joined_path",
    ast.Assign: "_assign",
    ast.AugAssign: "_assign",
    ast.Call: "_call",
}
_IMPORTING = (
    "importlib.import_module",
    "import_module",
    "__import__",
    "importlib.__import__",
    "builtins.__import__",
)
_LOADING = ("importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader")
_CALLS: dict[str, str] = {
    **dict.fromkeys(_IMPORTING, "_call_import"),
    **dict.fromkeys(_LOADING, "_call_load_file"),
    **dict.fromkeys(("exec", "eval", "compile"), "_call_exec"),
    **dict.fromkeys(("os.system", "os.popen"), "_call_process"),
    **dict.fromkeys(("sys.path.append", "site.addsitedir"), "_call_append"),
    "sys.path.insert": "_call_insert",
    "sys.path.extend": "_call_extend",
    "runpy.run_module": "_call_run_module",
    "runpy.run_path": "_call_run_path",
    "papermill.execute_notebook": "_call_notebook",
}


def uses_of(cells: Sequence[tuple[Parsed, bool]]) -> list[Uses]:
    """What each of the cells uses. They share their names. True marks the parameters cell, whose
    values are others when it is executed, and whose names and paths do not count."""
    constants = Constants()
    readers = [
        _Reader(parsed, constants, is_fixed=not is_parameters, mentions=not is_parameters)
        for parsed, is_parameters in cells
    ]
    constants.settle()
    return [reader.read() for reader in readers]


def uses_of_module(tree: ast.Module) -> Uses:
    """What a module or script uses, without names and paths."""
    constants = Constants()
    reader = _Reader(Parsed(tree=tree), constants, is_fixed=True, mentions=False)
    constants.settle()
    return reader.read()


def uses_of_text(text: str) -> Uses:
    """The imports of a text that is no Python to this interpreter: it may be to that of the kernel."""
    found = [parse_cell(match[1].strip()) for match in _IMPORT.finditer(text)]
    read = uses_of([(parsed, False) for parsed in found if parsed.tree is not None and not parsed.magics])
    imports = [entry for uses in read for entry in uses.get("imports", [])]
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


def _is_ipython(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and dotted_name(node.func) == "get_ipython"


def _shown(node: ast.AST) -> str:
    try:
        return shorten(ast.unparse(node))
    except RecursionError:
        return "something"


class _Reader:
    """Reads one cell or module. All are made, then the constants are settled, then each is read."""

    def __init__(self, parsed: Parsed, constants: Constants, *, is_fixed: bool, mentions: bool) -> None:
        self._constants = constants
        self._is_fixed = is_fixed
        self._mentions = mentions
        self._found: dict[str, dict[str, Any]] = collections.defaultdict(dict)
        self._nodes: list[ast.AST] = []
        self._deep = 0
        self._take(parsed)

    def read(self) -> Uses:
        """What it uses, by kinds; those of which there is nothing are left out."""
        for node in self._nodes:
            handler = _NODES.get(node.__class__)
            if handler is not None:
                getattr(self, handler)(node)
        return {kind: list(found.values()) for kind, found in self._found.items()}

    def _add(self, kind: str, value: Any) -> None:
        if self._mentions or kind not in {"names", "paths"}:
            self._found[kind].setdefault(repr(value), value)

    def _dynamic(self, node: ast.AST) -> None:
        self._add("dynamic", f"{_shown(node)} is computed")

    # -- cells and magics -------------------------------------------------------------------------

    def _take(self, parsed: Parsed) -> None:
        for magic in parsed.magics:
            self._magic(magic)
        for head in parsed.heads:
            self._mention(_NAME.findall(head))
        if parsed.tree is not None:
            nodes = list(_walk(parsed.tree))
            self._nodes += nodes
            self._constants.take(nodes, fixed=self._is_fixed)
        elif parsed.foreign:
            self._foreign(parsed.foreign, parsed.heads[-1].partition(parsed.foreign)[2], parsed.text)
        elif "\n" not in parsed.text and _NAME.match(parsed.text):
            self._magic("%" + parsed.text)  # a cell of one line may be a magic without its `%`
        else:
            self._mention(_NAME.findall(parsed.text))
            for entry in uses_of_text(parsed.text).get("imports", []):
                self._add("imports", entry)

    def _take_python(self, text: str) -> None:
        if self._deep < _DEEP:
            self._deep += 1
            self._take(parse_cell(text))
            self._deep -= 1

    def _mention(self, names: Sequence[str]) -> None:
        for name in names:
            self._add("names", name)

    def _foreign(self, name: str, rest: str, text: str) -> None:
        """A cell magic that gives the cell to something else than Python."""
        self._mention(_FILLED.findall(text))
        program = shell.base((rest.split() or [""])[0]) if name == "script" else name
        if program in _PYTHONS:
            self._take_python(text)
        elif name in _SHELL:
            self._shell(rest + "\n" + text)
        elif name in _WRITING_CELLS:
            target = (shell.words(rest) or [""])[-1]
            self._add("writes", target)
            if target.endswith(".py"):
                self._take_python(text)
        elif "import" in text and (parsed := parse_cell(text)).tree is not None:
            self._take(parsed)  # a magic of an extension, with Python

    def _magic(self, text: str) -> None:
        """A magic in a line: `!command`, `%name …`."""
        self._mention(_NAME.findall(text))
        if text.startswith("!"):
            self._shell(text.lstrip("!"))
        elif text.startswith("%"):
            name, _, rest = text.lstrip("% ").partition(" ")
            self._line_magic(name, rest)

    def _line_magic(self, name: str, rest: str) -> None:
        if name == "run":
            self._run(shell.words(rest))
        elif name in _PYTHON_LINES:
            while found := re.match(r"\s*-\w+(?:\s*\d+)?\s+", rest):
                rest = rest[found.end() :]
            self._take_python(rest.strip())
        elif name in _EXTENSIONS:
            for extension in set(rest.split()) - _BUILT_IN:
                self._add("imports", [0, extension, None])
        elif name in _SHELL or name in _READING_LINES:
            self._shell(rest)

    def _run(self, words: list[str]) -> None:
        """`%run [options] script [arguments]`."""
        option = ""
        while words and words[0].startswith("-"):
            option = words.pop(0)
            if option == "-m":
                break
            del words[: option in _RUN_VALUES]
            option = ""
        if words and shell.is_filled(words[0]):
            self._add("dynamic", f"%run {words[0]} is computed")
        elif words and option:
            self._module(words[0])
        elif words:
            self._add("scripts", words[0])
        for word in words[1:]:
            self._add("words", word)

    def _shell(self, text: str) -> None:
        self._command(shell.words(text))

    def _command(self, words: list[str]) -> None:
        found = shell.read(words)
        for name in found.modules:
            self._module(name)
        for code in found.code:
            self._take_python(code)
        for word in found.words:
            self._add("words", word)
        for text in found.dynamic:
            self._add("dynamic", f"{text} is computed")

    def _module(self, name: str) -> None:
        """A module that is executed as a program: of a package its `__main__`."""
        self._add("imports", [0, name, ["__main__"]])

    # -- nodes ------------------------------------------------------------------------------------

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add("imports", [0, alias.name, None])

    def _import_from(self, node: ast.ImportFrom) -> None:
        self._add("imports", [node.level, node.module or "", [alias.name for alias in node.names]])

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._add("names", node.id)

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and looks_like_path(node.value):
            self._add("paths", node.value)

    def _joined_path(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            path = self._constants.text(node)
            if path is not None and looks_like_path(path):
                self._add("paths", path)

    def _assign(self, node: ast.Assign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.AugAssign):
                self._add("names", target.id)
            if isinstance(target, ast.Name) and target.id == "__all__":
                for name in self._texts(node.value):
                    self._add("all", name)
            base = target.value if isinstance(target, ast.Subscript) else target
            if self._constants.name(base) == "sys.path":
                for at, item in enumerate(self._items(node.value)):
                    self._folder(None if isinstance(node, ast.AugAssign) else at, item)

    def _items(self, node: ast.AST) -> list[ast.expr]:
        """The items of all lists and tuples in an expression of them."""
        if isinstance(node, ast.List | ast.Tuple):
            return [item for item in node.elts if not isinstance(item, ast.Starred)]
        if isinstance(node, ast.BinOp):
            return self._items(node.left) + self._items(node.right)
        return []

    def _texts(self, node: ast.AST) -> list[str]:
        return [text for item in self._items(node) if (text := self._constants.text(item)) is not None]

    def _folder(self, index: int | None, node: ast.AST) -> None:
        path = self._constants.text(node)
        if path is None:
            self._add("dynamic", f"{_shown(node)} in sys.path is computed")
        else:
            self._add("folders", [index, path])

    # -- calls ------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> None:
        name = self._constants.name(node.func) or ""
        handler = _CALLS.get(name)
        if handler is not None:
            getattr(self, handler)(node)
        elif name.startswith(("subprocess.", "os.spawn", "os.exec", "asyncio.create_subprocess")):
            self._call_process(node)
        elif isinstance(node.func, ast.Attribute) and _is_ipython(node.func.value):
            self._call_ipython(node.func.attr, [self._constants.template(arg) for arg in node.args])

    def _first(self, node: ast.Call, keyword: str = "", at: int = 0) -> ast.expr | None:
        if len(node.args) > at:
            return node.args[at]
        return next((item.value for item in node.keywords if item.arg == keyword), None)

    def _call_import(self, node: ast.Call) -> None:
        name = self._constants.text(self._first(node, "name"))
        if name is None:
            self._dynamic(node)
            return
        module = name.lstrip(".")
        level = len(name) - len(module)
        package = self._first(node, "package", 1)
        if level and isinstance(package, ast.Constant) and isinstance(package.value, str):
            parts = package.value.split(".")
            module = ".".join([*parts[: len(parts) - level + 1], *filter(None, [module])])
            level = 0
        self._add("imports", [level, module, None])

    def _call_run_module(self, node: ast.Call) -> None:
        name = self._constants.text(self._first(node, "mod_name"))
        if name is None:
            self._dynamic(node)
        else:
            self._module(name)

    def _call_run_path(self, node: ast.Call) -> None:
        self._script(node, self._first(node, "path_name"))

    def _call_notebook(self, node: ast.Call) -> None:
        self._script(node, self._first(node, "input_path"))

    def _call_load_file(self, node: ast.Call) -> None:
        keyword = (
            "location"
            if self._constants.name(node.func) == "importlib.util.spec_from_file_location"
            else "path"
        )
        self._script(node, self._first(node, keyword, 1))

    def _script(self, node: ast.Call, path: ast.expr | None) -> None:
        text = self._constants.text(path)
        if text is None:
            self._dynamic(node)
        else:
            self._add("scripts", text)

    def _call_exec(self, node: ast.Call) -> None:
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Call):
                continue
            if self._constants.name(inner.func) in {"open", "io.open", "codecs.open", "tokenize.open"}:
                self._script(node, self._first(inner, "file"))
            elif isinstance(inner.func, ast.Attribute) and inner.func.attr in {"read_text", "read_bytes"}:
                self._script(node, inner.func.value)

    def _call_process(self, node: ast.Call) -> None:
        for arg in node.args:
            if isinstance(arg, ast.List | ast.Tuple):
                self._command([self._constants.template(item) for item in arg.elts])
        if node.args and not isinstance(node.args[0], ast.List | ast.Tuple):
            texts = [self._constants.template(arg) for arg in node.args]
            self._command(shell.words(texts[0]) if len(texts) == 1 else texts)

    def _call_ipython(self, method: str, args: list[str]) -> None:
        if method in {"system", "getoutput"} and args:
            self._shell(args[0])
        elif method in {"magic", "run_line_magic"} and args:
            name, _, rest = " ".join(args).lstrip("%").partition(" ")
            self._line_magic(name, rest)
        elif method == "run_cell_magic" and len(args) == 3:
            self._foreign(*args)

    def _call_append(self, node: ast.Call) -> None:
        if node.args:
            self._folder(None, node.args[0])

    def _call_insert(self, node: ast.Call) -> None:
        if len(node.args) == 2:
            index = node.args[0].value if isinstance(node.args[0], ast.Constant) else 0
            self._folder(index if isinstance(index, int) else 0, node.args[1])

    def _call_extend(self, node: ast.Call) -> None:
        items = self._items(node.args[0]) if node.args else []
        for item in items:
            self._folder(None, item)
        if not items:
            self._dynamic(node)

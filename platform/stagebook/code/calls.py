"""What calls in Python refer to: modules, scripts, commands, folders put into `sys.path`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from stagebook.code import shell
from stagebook.code.constants import Constants, dotted_name
from stagebook.code.magics import MagicReader
from stagebook.code.references import Collector, absolute_name
from stagebook.pipeline.program_cells import MODULE as PROGRAM_MODULE
from stagebook.pipeline.types import shorten

# Calls that execute a module, or a script or notebook: the keyword and place of the argument that names it.
_MODULES = {"runpy.run_module": ("mod_name", 0)}
_SCRIPTS = {
    "runpy.run_path": ("path_name", 0),
    "papermill.execute_notebook": ("input_path", 0),
    "importlib.util.spec_from_file_location": ("location", 1),
    "importlib.machinery.SourceFileLoader": ("path", 1),
}
_IMPORTING = (
    "importlib.import_module",
    "import_module",
    "__import__",
    "importlib.__import__",
    "builtins.__import__",
)
ENVIRON = "os.environ"
_OPENING = frozenset({"open", "io.open", "codecs.open", "tokenize.open"})
# What the notebook that is made for a program calls.
_PROGRAM = f"{PROGRAM_MODULE}."
_PROCESSES = ("subprocess.", "os.spawn", "os.exec", "asyncio.create_subprocess")


class CallReader:
    """Reads the calls of one cell or module, once the constants are settled."""

    def __init__(self, found: Collector, constants: Constants, magics: MagicReader) -> None:
        self._found = found
        self._constants = constants
        self._magics = magics
        self._handlers: Mapping[str, Callable[[ast.Call], None]] = {
            **dict.fromkeys(_IMPORTING, self._import),
            **dict.fromkeys(("exec", "eval", "compile"), self._exec),
            **dict.fromkeys(("os.system", "os.popen"), self._process),
            **dict.fromkeys(("sys.path.append", "site.addsitedir"), self._append),
            **dict.fromkeys(("os.getenv", f"{ENVIRON}.get", f"{ENVIRON}.pop"), self._variable),
            "sys.path.insert": self._insert,
            "sys.path.extend": self._extend,
        }

    def read(self, node: ast.Call) -> None:
        """Read one call."""
        name = self._constants.name(node.func) or ""
        if handler := self._handlers.get(name):
            handler(node)
        elif name in _MODULES:
            module = self._text(_argument(node, *_MODULES[name]), node)
            if module is not None:
                self._found.add_program(module)
        elif name in _SCRIPTS:
            self._script(node, _argument(node, *_SCRIPTS[name]))
        elif name.startswith(_PROGRAM):
            self._program(name.removeprefix(_PROGRAM), node)
        elif name.startswith(_PROCESSES):
            self._process(node)
        elif isinstance(node.func, ast.Attribute) and _is_ipython(node.func.value):
            self._ipython(node.func.attr, [self._constants.template(arg) for arg in node.args])

    def add_folder(self, index: int | None, node: ast.AST) -> None:
        """A folder is put into `sys.path`: before `index`, or last."""
        path = self._constants.text(node)
        if path is None:
            self._found.add_computed(f"{_shown(node)} in sys.path")
        else:
            self._found.add("folders", (index, path))

    def _program(self, kind: str, node: ast.Call) -> None:
        target = self._constants.text(node.args[0])
        if kind == "command":
            self._process(ast.Call(func=node.func, args=_command_of(node.args[0]), keywords=[]))
        elif kind == "function" and target is not None:
            module, _, name = target.partition(":")
            self._found.add("imports", (0, module, (name,)))
        elif target is not None:
            self._found.add("scripts" if kind == "script" else "words", target)

    def _import(self, node: ast.Call) -> None:
        name = self._text(_argument(node, "name"), node)
        if name is None:
            return
        module = name.lstrip(".")
        level = len(name) - len(module)
        package = _argument(node, "package", 1)
        if level and isinstance(package, ast.Constant) and isinstance(package.value, str):
            module, level = absolute_name(package.value, level, module), 0
        self._found.add("imports", (level, module, None))

    def _script(self, node: ast.Call, path: ast.expr | None) -> None:
        text = self._text(path, node)
        if text is not None:
            self._found.add("scripts", text)

    def _text(self, value: ast.expr | None, node: ast.Call) -> str | None:
        """The text of an argument of a call; a call in which it is computed is noted."""
        text = self._constants.text(value)
        if text is None:
            self._found.add_computed(_shown(node))
        return text

    def _exec(self, node: ast.Call) -> None:
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Call):
                continue
            if self._constants.name(inner.func) in _OPENING:
                self._script(node, _argument(inner, "file"))
            elif isinstance(inner.func, ast.Attribute) and inner.func.attr in {"read_text", "read_bytes"}:
                self._script(node, inner.func.value)

    def _process(self, node: ast.Call) -> None:
        for arg in node.args:
            if isinstance(arg, ast.List | ast.Tuple):
                self._magics.command([self._constants.template(item) for item in arg.elts])
        if node.args and not isinstance(node.args[0], ast.List | ast.Tuple):
            texts = [self._constants.template(arg) for arg in node.args]
            self._magics.command(shell.words(texts[0]) if len(texts) == 1 else texts)

    def _ipython(self, method: str, args: list[str]) -> None:
        if method in {"system", "getoutput"} and args:
            self._magics.shell(args[0])
        elif method in {"magic", "run_line_magic"} and args:
            name, _, rest = " ".join(args).lstrip("%").partition(" ")
            self._magics.line_magic(name, rest)
        elif method == "run_cell_magic" and len(args) == 3:
            self._magics.cell_magic(*args)

    def _variable(self, node: ast.Call) -> None:
        if name := self._constants.text(_argument(node, "key")):
            self._found.add("env", name)

    def _append(self, node: ast.Call) -> None:
        if node.args:
            self.add_folder(None, node.args[0])

    def _insert(self, node: ast.Call) -> None:
        if len(node.args) == 2:
            index = node.args[0].value if isinstance(node.args[0], ast.Constant) else 0
            self.add_folder(index if isinstance(index, int) else 0, node.args[1])

    def _extend(self, node: ast.Call) -> None:
        items = items_of(node.args[0]) if node.args else []
        for item in items:
            self.add_folder(None, item)
        if not items:
            self._found.add_computed(_shown(node))


def items_of(node: ast.AST) -> list[ast.expr]:
    """The items of all lists and tuples in a sum of them."""
    if isinstance(node, ast.List | ast.Tuple):
        return [item for item in node.elts if not isinstance(item, ast.Starred)]
    if isinstance(node, ast.BinOp):
        return items_of(node.left) + items_of(node.right)
    return []


def _command_of(words: ast.expr) -> list[ast.expr]:
    """The words of a command as `subprocess` takes them: those of a shell as one text."""
    items = items_of(words)
    return [items[2]] if ast.unparse(words).startswith("['/bin/sh', '-c', ") else [words]


def _argument(node: ast.Call, keyword: str, at: int = 0) -> ast.expr | None:
    if len(node.args) > at:
        return node.args[at]
    return next((item.value for item in node.keywords if item.arg == keyword), None)


def _is_ipython(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and dotted_name(node.func) == "get_ipython"


def _shown(node: ast.AST) -> str:
    try:
        return shorten(ast.unparse(node))
    except RecursionError:
        return "something"

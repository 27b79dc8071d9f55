"""What magics and shell lines refer to: modules, scripts, files."""

from __future__ import annotations

import re
from collections.abc import Callable

from stagebook.code import shell
from stagebook.code.references import Collector
from stagebook.pipeline.cells import parse_cell

NAME = re.compile(r"[^\W\d]\w*")
_PYTHON_LINES = frozenset({"time", "timeit", "prun", "memit", "mprun", "lprun", "snakeviz", "pyinstrument"})
_READING_LINES = frozenset({"load", "loadpy", "pycat", "macro", "pip", "conda", "mamba", "uv"})
_SHELLS = frozenset({"!", "sx", "system", "bash", "sh", "zsh", "ksh", "cmd", "ruby", "perl", "script"})
_PYTHONS = frozenset({"python", "python2", "python3", "pypy", "pypy3"})
_EXTENSIONS = frozenset({"load_ext", "reload_ext"})
_BUILT_IN = frozenset({"autoreload", "storemagic"})  # extensions that come with IPython
_WRITING_CELLS = frozenset({"writefile", "file"})
_RUN_VALUES = frozenset({"-N", "-b", "-D", "-l", "-s", "-T"})  # options of %run with a value
_OPTION = re.compile(r"\s*-\w+(?:\s*\d+)?\s+")
_FILLED = re.compile(r"[{$:]\s*([^\W\d]\w*)")  # `{name}`, `$name`, `:name`


class MagicReader:
    """Reads the magics of one cell."""

    def __init__(self, found: Collector, read_python: Callable[[str], None]) -> None:
        """`read_python` takes the Python that stands in a magic or command."""
        self._found = found
        self._read_python = read_python

    def line(self, text: str) -> None:
        """A magic as it is written: `!command`, `%name …`."""
        self._found.add("names", *NAME.findall(text))
        if text.startswith("!"):
            self.shell(text.lstrip("!"))
        elif text.startswith("%"):
            name, _, rest = text.lstrip("% ").partition(" ")
            self.line_magic(name, rest)

    def line_magic(self, name: str, rest: str) -> None:
        """`%name rest`."""
        if name == "run":
            self._run(shell.words(rest))
        elif name in _PYTHON_LINES:
            while found := _OPTION.match(rest):
                rest = rest[found.end() :]
            self._read_python(rest.strip())
        elif name == "aimport":
            names = (it.strip() for it in rest.split(","))
            self._found.add("imports", *((0, it, None) for it in names if it and it[0] not in "-+~"))
        elif name in _EXTENSIONS:
            self._found.add("imports", *((0, it, None) for it in rest.split() if it not in _BUILT_IN))
        elif name in _SHELLS or name in _READING_LINES:
            self.shell(rest)

    def cell_magic(self, name: str, rest: str, text: str) -> None:
        """`%%name rest`, which gives the text of the cell to something else than the notebook's Python."""
        self._found.add("names", *_FILLED.findall(text))
        program = shell.base((rest.split() or [""])[0]) if name == "script" else name
        if program in _PYTHONS:
            self._read_python(text)
        elif name in _SHELLS:
            self.shell(f"{rest}\n{text}")
        elif name in _WRITING_CELLS:
            target = (shell.words(rest) or [""])[-1]
            self._found.add("writes", target)
            if target.endswith(".py"):
                self._read_python(text)
        elif "import" in text and parse_cell(text).tree is not None:
            self._read_python(text)  # a magic of an extension, with Python

    def shell(self, text: str) -> None:
        """Shell commands."""
        self.command(shell.words(text))

    def command(self, words: list[str]) -> None:
        """The words of shell commands."""
        commands = shell.read(words)
        for module in commands.modules:
            self._found.add_program(module)
        for code in commands.code:
            self._read_python(code)
        self._found.add("words", *commands.words)
        for text in commands.dynamic:
            self._found.add_computed(text)

    def _run(self, words: list[str]) -> None:
        """`%run [options] script [arguments]`, or `%run -m module`."""
        is_module = False
        while words and words[0].startswith("-") and not is_module:
            option = words.pop(0)
            is_module = option == "-m"
            del words[: option in _RUN_VALUES]
        if not words:
            return
        target, *arguments = words
        if shell.is_filled(target):
            self._found.add_computed(f"%run {target}")
        elif is_module:
            self._found.add_program(target)
        else:
            self._found.add("scripts", target)
        self._found.add("words", *arguments)

"""The one reader of IPython's syntax: a code cell taken apart into its magics and its Python.

A test holds that it agrees with IPython's own transformer (`IPython.core.inputtransformer2`) on every cell
of which that makes Python. The transformer itself would add its import, about 0.4 s, to `stagebook plan`,
and it drops the magics' own text. Two things are left as text: prompts that were pasted
along (`>>>`, `In [1]:`), and a question (`name?`) that ends a statement of several lines.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import itertools
import re

from stagebook.pipeline.types import parse_python

# Cell magics whose cell is Python of the notebook itself.
PYTHON_CELLS = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "snakeviz", "pyinstrument", "heat"}
)
_MAX_HEADS = 10  # cell magics on top of one another
_MAX_ASSIGNMENTS = 20  # places in a line that look like `x = !ls`

_CELL_MAGIC = re.compile(r"%%(?!\w+\?)")  # `%%time?` asks for help
_ESCAPED = re.compile(r"(\s*)([%!?,;/].*)", re.DOTALL)  # `%magic`, `!shell`, `?name`, `,f a`, `;f a`, `/f a`
_ASSIGNED = re.compile(r"(?<![=<>!:+*/%&|^@-])=\s*(?=[%!])")  # `files = !ls`, `here = %pwd`
_HELP = re.compile(r"[\w*\]]\?\??$")  # `name?`, `name.part??`, `name[0]?`
_SIGN = re.compile(r"""#.*|\"\"\"|'''|["'()\[\]{}?]|\\.""", re.DOTALL)
_STRING_ENDS = {  # possessive, so that a long line takes no long time
    '"': re.compile(r'(?:[^\\"]++|\\.)*+"', re.DOTALL),
    "'": re.compile(r"(?:[^\\']++|\\.)*+'", re.DOTALL),
    '"""': re.compile(r'(?:[^\\"]++|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']++|\\.|'(?!''))*+'''", re.DOTALL),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCell:
    """A code cell taken apart.

    Attributes:
        heads: the first lines of its cell magics, such as `%%time`.
        foreign: the name of the cell magic that gives the cell to something else than this Python.
        python: its Python, line for line, with a call in the place of each magic.
        tree: the syntax tree of `python`; None where there is none.
        magics: the line magics, shell commands and questions, as they are written.
        text: where there is no tree, the cell without its heads.
        error: why the cell is not Python, with the line of the cell; None for a foreign cell.
    """

    heads: tuple[str, ...] = ()
    foreign: str = ""
    python: str = ""
    tree: ast.Module | None = None
    magics: tuple[str, ...] = ()
    text: str = ""
    error: SyntaxError | None = dataclasses.field(default=None, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is executed: there are comments at most."""
        return not self.heads and (not self.tree.body if self.tree else not self.text)


def parse_cell(source: str) -> ParsedCell:
    """Take a cell apart. Never raises: what is not Python is kept as text."""
    heads: list[str] = []
    text, skipped = source, 0
    while len(heads) < _MAX_HEADS and _CELL_MAGIC.match(bare := text.lstrip()):
        skipped += text.count("\n", 0, len(text) - len(bare)) + 1
        head, _, text = _dedent(text).lstrip().partition("\n")
        heads.append(head.rstrip())
        name = magic_name(head)
        if name not in PYTHON_CELLS:
            return ParsedCell(heads=tuple(heads), foreign=name or "%%", text=_plain(text))
    python = "\n" * skipped + text
    magics: list[str] = []
    try:
        tree = parse_python(python)
    except SyntaxError:
        python, magics = _replace_magics(_dedent(python))
        try:
            tree = parse_python(python)
        except SyntaxError as error:
            return ParsedCell(heads=tuple(heads), text=_plain(text), error=error.with_traceback(None))
    return ParsedCell(heads=tuple(heads), python=python, tree=tree, magics=tuple(magics))


def magic_name(text: str) -> str:
    """The name in `%name …` and `%%name …`."""
    return (text.lstrip("% \t").split(maxsplit=1) or [""])[0]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()


def _dedent(text: str) -> str:
    """The text without the indentation of its first line, which IPython allows."""
    found = re.match(r"(?:[ \t]*\r?\n)*([ \t]+)\S", text)
    if found is None:
        return text
    return "\n".join(line.removeprefix(found[1]) for line in text.split("\n"))


def _replace_magics(source: str) -> tuple[str, list[str]]:
    """The source, line for line, with a call in the place of each magic; the magics."""
    call = "__magic__"
    while call in source:
        call += "_"
    lines = source.replace("\r\n", "\n").removesuffix("\n").split("\n")
    out: list[str] = []
    magics: list[str] = []
    state = _LineState()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        found = _find_magic(line, state)
        if found is None:
            out.append(line)
            continue
        before, text = found
        begun = at
        while line.endswith("\\") and at < len(lines):
            line = lines[at]
            text = text.rstrip()[:-1] + " " + line
            at += 1
        magics.append(text.rstrip())
        out += [f"{before}{call}({text.rstrip()!r})", *[""] * (at - begun)]
    return "\n".join([*out, ""]), magics


def _find_magic(line: str, state: _LineState) -> tuple[str, str] | None:
    """The magic of a line, after what goes before it; else the state goes on by the line."""
    is_statement = state.is_between_statements
    found = _ESCAPED.match(line) if is_statement else None
    if found is not None:
        return found[1], found[2]
    for found in itertools.islice(_ASSIGNED.finditer(line), _MAX_ASSIGNMENTS):
        at = copy.copy(state)
        at.read(line[: found.end()])
        if at.is_code and at.is_between_statements:  # else the `=` is in a string, comment or bracket
            state.reset()
            return line[: found.end()], line[found.end() :]
    asks = state.read(line)
    if asks and is_statement and _HELP.search(line.rstrip()):
        state.reset()
        bare = line.lstrip()
        return line[: len(line) - len(bare)], bare
    return None


class _LineState:
    """Where in the syntax of Python a line ends: in a string, in brackets, after a backslash."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next line begins a statement."""
        self._quote = ""
        self._depth = 0
        self._is_continued = False
        self.is_code = True  # no comment or string

    @property
    def is_between_statements(self) -> bool:
        """Whether the next line begins a statement."""
        return not (self._quote or self._depth or self._is_continued)

    def read(self, line: str) -> bool:
        """Go on by a line. Whether it has a `?` outside strings and comments."""
        asks = False
        at = 0
        was_continued, self._is_continued = self._is_continued, False
        self.is_code = True
        while at < len(line):
            if self._quote:
                end = _STRING_ENDS[self._quote].match(line, at)
                if end is None:
                    self.is_code = False
                    break
                at, self._quote = end.end(), ""
                continue
            found = _SIGN.search(line, at)
            if found is None:
                break
            at, sign = found.end(), found[0]
            if sign[0] in "\"'":
                self._quote = sign
            elif sign in ("(", "[", "{"):
                self._depth += 1
            elif sign in (")", "]", "}"):
                self._depth = max(0, self._depth - 1)
            asks = asks or sign == "?"
            self.is_code = sign[0] != "#"
        is_open = line.endswith("\\")
        if len(self._quote) == 1 and not is_open:
            self._quote = ""  # a string that is not closed, which no parser takes
        if is_open and not self._quote and self.is_code:
            self._is_continued = was_continued or line.strip() != "\\"
        return asks

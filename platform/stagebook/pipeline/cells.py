"""The source of a cell or module as a canonical text: equal texts do the same, whatever they look like.

Comments, blank lines, formatting, quotes and needless parentheses do not count; docstrings do. What is
not Python counts by its text: the magics of IPython, and whole cells of another language. A `;` that
ends a line, which only hides what the cell shows, does not count.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from typing import Any

from stagebook.pipeline.types import parse_python

# Cell magics whose cell is Python of the notebook itself.
PYTHON_CELLS = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "snakeviz", "pyinstrument", "heat"}
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A cell taken apart.

    `heads` are the first lines of its cell magics; `foreign` is the name of the one that gives the
    cell to something else than Python. `tree` is its Python, with a call in the place of each magic,
    and None where there is none that can be read; then `text` is what it says. `magics` are the
    magics in lines, as they are written.
    """

    heads: tuple[str, ...] = ()
    foreign: str = ""
    tree: ast.Module | None = None
    magics: tuple[str, ...] = ()
    text: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is executed: there are comments at most."""
        return not self.heads and (not self.tree.body if self.tree else not self.text)


def normalise(source: str) -> str:
    """The canonical text of a cell."""
    return canonical(parse_cell(source))


def canonical(parsed: Parsed) -> str:
    """The canonical text of a cell that was taken apart."""
    if parsed.tree is None:
        return "\n".join(["text", *parsed.heads, "", parsed.text])
    return "\n".join(["magic" if parsed.magics else "python", *parsed.heads, "", dump(parsed.tree)])


def parse_cell(source: str) -> Parsed:
    """Take a cell apart. Nothing in it is an error."""
    heads: list[str] = []
    text = source
    while len(heads) < 10 and text.lstrip().startswith("%%"):
        head, _, text = text.lstrip().partition("\n")
        heads.append(head.rstrip())
        name = magic_name(head)
        if name not in PYTHON_CELLS:
            return Parsed(heads=tuple(heads), foreign=name or "%%", text=_plain(text))
    try:
        return Parsed(heads=tuple(heads), tree=_module(text))
    except SyntaxError:
        pass
    replaced, magics = _replace_magics(_dedent(text))
    try:
        return Parsed(heads=tuple(heads), tree=_module(replaced), magics=tuple(magics))
    except SyntaxError:
        return Parsed(heads=tuple(heads), text=_plain(text))


def magic_name(text: str) -> str:
    """The name in `%name …` and `%%name …`."""
    return (text.lstrip("% \t").split(maxsplit=1) or [""])[0]


def _module(text: str) -> ast.Module:
    tree = parse_python(text)
    assert isinstance(tree, ast.Module)
    return tree


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()


# -- the canonical text of a tree -----------------------------------------------------------------

# Left out: what the position in the tree says already (ctx), and the prefix u"" (kind).
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    found = tuple(name for name in reversed(kind._fields) if name not in {"ctx", "kind", "type_ignores"})
    _FIELDS[kind] = found
    return found


def dump(tree: ast.AST) -> str:
    """A tree as text: each node's name, then its fields in order, lists with their lengths before
    them. Different trees have different texts. It does not recurse, so no tree is too deep."""
    out: list[str] = []
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        kind = item.__class__
        if kind is list:
            out.append(f"[{len(item)}")
            stack.extend(reversed(item))
        elif kind is ast.Name:
            out.append("Name")
            out.append(repr(item.id))
        elif kind is ast.Constant:
            out.append("Constant")
            out.append(_constant(item.value))
        elif item is None:
            out.append("~")
        elif isinstance(item, ast.AST):
            out.append(kind.__name__)
            fields = _FIELDS.get(kind) or _fields(kind)
            stack.extend([getattr(item, name, None) for name in fields])
        else:
            out.append(_constant(item))
    return "\n".join(out)


def _constant(value: Any) -> str:
    if value.__class__ is int:
        return hex(value)  # repr refuses those of more than 4,300 digits
    return repr(value)


# -- IPython's own syntax -------------------------------------------------------------------------

_LINE = re.compile(
    r"(\s*)([%!?,;/].*)", re.DOTALL
)  # `%magic`, `!shell`, `?name`, and `/`, `,`, `;` that call
_VALUE = re.compile(r"(?<![=<>!:+*/%&|^@-])=\s*(?=[%!])")  # `files = !ls`, `here = %pwd`
_MOST = 20  # candidates for that in a line
_WORD = re.compile(r"""#.*|\"\"\"|'''|["'()\[\]{}?]|\\.""", re.DOTALL)
_ENDS = {  # what remains of a string; possessive, so that no line is too long
    '"': re.compile(r'(?:[^\\"]++|\\.)*+"', re.DOTALL),
    "'": re.compile(r"(?:[^\\']++|\\.)*+'", re.DOTALL),
    '"""': re.compile(r'(?:[^\\"]++|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']++|\\.|'(?!''))*+'''", re.DOTALL),
}


def _dedent(text: str) -> str:
    """Without the indentation of the first line, which IPython allows."""
    found = re.match(r"(?:[ \t]*\r?\n)*([ \t]+)\S", text)
    if found is None:
        return text
    return "\n".join(line.removeprefix(found[1]) for line in text.split("\n"))


def _replace_magics(source: str) -> tuple[str, list[str]]:
    """The source with a call in the place of each magic, and the magics."""
    call = "__magic__"
    while call in source:
        call += "_"
    lines = source.replace("\r\n", "\n").split("\n")
    out: list[str] = []
    magics: list[str] = []
    state = _State()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        begins = state.between_statements
        found = _magic(line) if begins else None
        if found is None:
            asks = state.read(line)
            if asks and begins:
                bare = line.lstrip()
                found = line[: len(line) - len(bare)], bare
                state = _State()
        if found is None:
            out.append(line)
            continue
        text = found[1].rstrip()
        while text.endswith("\\") and at < len(lines):
            text = text[:-1] + " " + lines[at].rstrip()
            at += 1
        magics.append(text)
        out.append(f"{found[0]}{call}({text!r})")
    return "\n".join(out), magics


def _magic(line: str) -> tuple[str, str] | None:
    """The magic in a line that begins a statement, after what goes before it."""
    found = _LINE.match(line)
    if found is not None:
        return found[1], found[2]
    for found in itertools.islice(_VALUE.finditer(line), _MOST):
        state = _State()
        state.read(line[: found.end()])
        if state.is_code and state.between_statements:  # else the `=` is in a string or in brackets
            return line[: found.end()], line[found.end() :]
    return None


class _State:
    """Where in the syntax of Python a line ends: in a string, in brackets, after a backslash."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False
        self.is_code = True  # and no comment

    @property
    def between_statements(self) -> bool:
        """Whether the next line begins a statement."""
        return not (self._quote or self._depth or self._continued)

    def read(self, line: str) -> bool:
        """Go on by a line. Whether there is a `?` in it that is not in a string or comment."""
        asks = False
        at = 0
        self._continued = False
        self.is_code = True
        while at < len(line):
            if self._quote:
                end = _ENDS[self._quote].match(line, at)
                if end is None:
                    break
                at, self._quote = end.end(), ""
                continue
            found = _WORD.search(line, at)
            if found is None:
                break
            at, word = found.end(), found[0]
            if word[0] in "\"'":
                self._quote = word
            elif word in ("(", "[", "{"):
                self._depth += 1
            elif word in (")", "]", "}"):
                self._depth = max(0, self._depth - 1)
            asks = asks or word == "?"
            self.is_code = word[0] != "#"
        open_ended = line.endswith("\\")
        if len(self._quote) == 1 and not open_ended:
            self._quote = ""  # the string is not closed, which no parser will take
        self._continued = open_ended and not self._quote and self.is_code
        return asks

"""Reading YAML: safely, within limits, and with the position of every value. The only door to PyYAML.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so that
`no`, `12:30` and `2013-01-31` are text and `0o17` is a number. Duplicate keys, which PyYAML accepts, are
refused; so are documents that grow too large when their aliases are followed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml import nodes

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Position, Positions, make_problem
from stagebook.pipeline.types import Value

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 100_000  # after aliases are followed

MAX_DIGITS = 300  # of a whole number, so that it fits into a float, too

_NOT_ALLOWED = re.compile("[^\\t\\n\\r -~\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BOOLS = {"true": True, "false": False}

# PyYAML's stubs do not name the fast parser, which not every build has.
_Base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Resolves the implicit types of YAML 1.2, in place of PyYAML's 1.1."""


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its plain data, the position of each value, and what is wrong with it."""

    data: Value
    positions: Positions
    problems: tuple[Problem, ...]


class _Refused(Exception):
    def __init__(self, message: str, mark: Any, hint: str = "") -> None:
        super().__init__(message)
        self.position = _position(mark) if mark else (0, 0)
        self.hint = hint


def _position(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1


def read_document(text: str | bytes, path: str) -> Document:
    """Read YAML text. Never raises for what the text holds: mistakes are in `problems`. `path` names the file
    in them."""
    positions: dict[Location, Position] = {}
    decoded = ""
    try:
        decoded = _decode(text)
        node = _compose(decoded)
        builder = _Builder(path, positions)
        data = builder.build(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        refused = _Refused(*_explain(error, decoded))
    except yaml.YAMLError as error:  # pragma: no cover - what is not text was refused before
        refused = _Refused(f"not readable as YAML: {error}", None)
    except _Refused as error:
        refused = error
    else:
        return Document(data, positions, tuple(builder.problems))
    return Document(None, positions, (make_problem(path, refused.position, str(refused), refused.hint),))


def parse_scalar(text: str) -> Value:
    """Read a value given on a command line, as YAML: `3`, `[1, 2]`, `{a: 1}`, `word`.

    Raises:
        ValueError: the text is not one YAML value.
    """
    document = read_document(text, "")
    if document.problems:
        raise ValueError(document.problems[0].message)
    return document.data


def _decode(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise _Refused(f"the file is too large: {len(text):,} bytes, the limit is {MAX_BYTES:,}", None)
    try:
        decoded = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        mark = _mark(error.object[: error.start].decode())
        raise _Refused("not UTF-8 text", mark, "save the file as UTF-8") from None
    decoded = decoded.removeprefix("\ufeff")
    if unwanted := _NOT_ALLOWED.search(decoded):
        msg = f"the character U+{ord(unwanted[0]):04X} is not allowed in YAML"
        raise _Refused(msg, _mark(decoded[: unwanted.start()]), "remove it")
    return decoded


def _mark(before: str) -> Any:
    line = before.count("\n")
    return yaml.Mark("", 0, line, len(before) - before.rfind("\n") - 1, "", 0)


_HINTS = {
    "mapping values are not allowed": "put text that holds ': ' in quotes",
    "cannot start any token": "put text that starts with such a character in quotes",
    "while scanning a simple key": "a key is followed by ': '",
    "expected ',' or": "close the bracket; within brackets, text that holds [ ] { } or , is quoted",
    "undefined alias": "an alias (*name) comes after its anchor (&name)",
    "unexpected end of stream": "close the quotes",
}


def _explain(error: yaml.MarkedYAMLError, text: str) -> tuple[str, Any, str]:
    mark, context = error.problem_mark or error.context_mark, str(error.context or "")
    problem = str(error.problem or context or "syntax error")
    if mark is not None and "token" in problem:
        lines = text.split("\n")
        line = lines[mark.line] if mark.line < len(lines) else ""
        if line[mark.column : mark.column + 1] == "\t":
            return "YAML syntax: a tab stands where YAML wants spaces", mark, "indent with spaces"
    hint = next((hint for words, hint in _HINTS.items() if words in f"{context} {problem}"), "")
    start = error.context_mark
    if start is not None and mark is not None and start.line != mark.line:
        hint = "; ".join(filter(None, [hint, f"it belongs to what starts in line {start.line + 1}"]))
    return f"YAML syntax: {problem}", mark, hint


def _compose(text: str) -> Any:
    """The node tree of the one document. Depth is checked first, since composing recurses in C."""
    depth = documents = count = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                msg = "more than one YAML document in the file"
                raise _Refused(msg, event.start_mark, "keep one document; remove the '---'")
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            if count > MAX_NODES:
                raise _Refused(f"the file holds more than {MAX_NODES:,} values", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _Refused(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return yaml.compose(text, _Loader)


class _Builder:
    """Turns nodes into plain data with their positions. Counts nodes as aliases are followed."""

    def __init__(self, path: str, positions: dict[Location, Position]) -> None:
        self.path = path
        self.positions = positions
        self.problems: list[Problem] = []
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: Any, location: Location) -> Value:
        self._count(node)
        if len(location) > MAX_DEPTH:
            msg = f"nested more than {MAX_DEPTH} levels deep when aliases are followed"
            raise _Refused(msg, node.start_mark)
        self.positions.setdefault(location, _position(node.start_mark))
        if isinstance(node, nodes.ScalarNode):
            return self._scalar(node) if not _is_variable(location) else self._written(node)
        with self._opened(node):
            if isinstance(node, nodes.SequenceNode):
                self._check_tag(node, "seq")
                return [self.build(item, (*location, at)) for at, item in enumerate(node.value)]
            self._check_tag(node, "map")
            made: dict[str, Value] = {}
            self._mapping(node, location, made)
            return made

    def _count(self, node: Any) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            msg = f"the file grows beyond {MAX_NODES:,} values when its aliases are followed"
            raise _Refused(msg, node.start_mark, "write the values out, or use fewer aliases (*name)")

    @contextlib.contextmanager
    def _opened(self, node: Any) -> Iterator[None]:
        if id(node) in self.open:
            raise _Refused("an alias refers to the value that it stands in", node.start_mark)
        self.open.add(id(node))
        try:
            yield
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: Any, location: Location, made: dict[str, Value]) -> None:
        """Add to `made` the keys that it does not have yet; the mappings merged with `<<` come last."""
        seen: dict[str, int] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            key = self._key(key_node, is_name=_holds_names(location))
            position = _position(key_node.start_mark)
            if key == "<<" and not key_node.style:
                merged += value_node.value if isinstance(value_node, nodes.SequenceNode) else [value_node]
            elif key in seen:
                hint = f"it was given in line {seen[key]} already; keep one of them"
                problem = make_problem(self.path, position, f"duplicate key '{key[:60]}'", hint)
                self.problems.append(problem)
            else:
                seen[key] = position[0]
                if key not in made:
                    # The position of a value is that of its key, which is what a reader looks for.
                    self.positions[*location, key] = position
                    made[key] = self.build(value_node, (*location, key))
        for source in merged:
            if not isinstance(source, nodes.MappingNode):
                raise _Refused("'<<' merges mappings only", source.start_mark)
            self._count(source)
            with self._opened(source):
                self._mapping(source, location, made)

    def _key(self, node: Any, *, is_name: bool) -> str:
        if not isinstance(node, nodes.ScalarNode):
            raise _Refused("a key has to be plain text", node.start_mark)
        value = self._scalar(node)
        if not (isinstance(value, str) or is_name):
            shown = node.value[:60] or "null"
            hint = f"write '{shown}', which is what the notebook gets"
            position = _position(node.start_mark)
            self.problems.append(make_problem(self.path, position, f"the key {shown} is not text", hint))
        return str(node.value)

    def _scalar(self, node: Any) -> Value:
        text = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return self._text(node)
            case "null" if text.lower() in {"", "~", "null"}:
                return None
            case "bool" if text.lower() in _BOOLS:
                return _BOOLS[text.lower()]
            case "int":
                return _integer(text, node)
            case "float":
                return _real(text, node)
            case "null" | "bool" as kind:
                raise _Refused(f"'{text[:40]}' is not a {kind}", node.start_mark)
        self._check_tag(node, "str")
        return self._text(node)

    def _written(self, node: Any) -> Value:
        """A value as it is written: `007` and `1.50` are what a variable of the environment gets."""
        value = self._scalar(node)
        return value if value is None else str(node.value)

    def _text(self, node: Any) -> str:
        # An escape such as "\ud800" can make half of a surrogate pair, which no file can hold.
        if not node.value.isascii() and _SURROGATES.search(node.value):
            raise _Refused("an escape stands for no character", node.start_mark)
        return str(node.value)

    def _check_tag(self, node: Any, kind: str) -> None:
        if node.tag not in {f"tag:yaml.org,2002:{kind}", "!"}:
            msg = f"the YAML tag '{node.tag.replace('tag:yaml.org,2002:', '!!')}' is not allowed"
            raise _Refused(msg, node.start_mark, "write plain values")


def _holds_names(location: Location) -> bool:
    """Whether the keys there are names of a pipeline file, which are text and checked as such: a stage may be called
    `null`."""
    return location in (("stages",), ("params",)) or (location[:1] == ("stages",) and len(location) == 3)


def _is_variable(location: Location) -> bool:
    """Whether a value is that of a variable in `env`."""
    match location:
        case ("stages", _, "env", str()) | ("defaults", "env", str()):
            return True
    return False


def _integer(text: str, node: Any) -> int:
    try:
        number = int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    except ValueError:
        raise _Refused(f"'{text[:40]}' is not a whole number that fits", node.start_mark) from None
    if abs(number) >= 10**MAX_DIGITS:
        raise _Refused(f"a number of more than {MAX_DIGITS} digits", node.start_mark)
    return number


def _real(text: str, node: Any) -> float:
    lowered = text.lower()
    if lowered.endswith(".inf"):
        return -math.inf if text.startswith("-") else math.inf
    if lowered == ".nan":
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise _Refused(f"'{text[:40]}' is not a number", node.start_mark) from None

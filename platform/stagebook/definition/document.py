"""Reading YAML: safely, with bounds, and with the place of every value. The only door to PyYAML.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so that
`no`, `12:30` and `2013-01-31` are text and `0o17` is a number. Duplicate keys are refused, which
PyYAML alone lets pass; so are documents that grow when their aliases are followed.
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

from stagebook.definition.pipeline import Location
from stagebook.definition.values import Value
from stagebook.errors import Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 200_000  # after aliases are followed

_Parser: Any = getattr(yaml, "CParser", None)


class _CoreSchema(yaml.resolver.BaseResolver):
    """The implicit types of YAML 1.2, in place of PyYAML's 1.1."""


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
    _CoreSchema.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


if _Parser is not None:

    class _Loader(_Parser, _CoreSchema):  # type: ignore[misc]
        def __init__(self, stream: str) -> None:
            _Parser.__init__(self, stream)
            _CoreSchema.__init__(self)

else:  # pragma: no cover - PyYAML built without libyaml

    class _Loader(  # type: ignore[no-redef]
        yaml.reader.Reader,
        yaml.scanner.Scanner,
        yaml.parser.Parser,
        yaml.composer.Composer,
        _CoreSchema,
    ):
        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            _CoreSchema.__init__(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file says: plain data, the place of each value, and what is wrong with it."""

    data: Value
    places: dict[Location, tuple[int, int]]
    problems: tuple[Problem, ...]


class _Refused(Exception):
    def __init__(self, message: str, mark: Any, hint: str = "") -> None:
        super().__init__(message)
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0
        self.hint = hint


def read_document(text: str | bytes, path: str) -> Document:
    """Read YAML text. Never raises for what the text holds: mistakes are in `problems`.

    `path` names the file in them.
    """
    places: dict[Location, tuple[int, int]] = {}
    try:
        decoded = _decode(text)
        node = _compose(decoded)
        builder = _Builder(path, places)
        data = builder.build(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        refused = _Refused(_explain(error), mark)
    except yaml.YAMLError as error:
        refused = _Refused(f"not readable as YAML: {error}", None)
    except _Refused as error:
        refused = error
    else:
        return Document(data, places, tuple(builder.problems))
    problem = Problem(
        path=path,
        line=refused.line,
        column=refused.column,
        message=str(refused),
        hint=refused.hint,
    )
    return Document(None, places, (problem,))


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
        msg = f"the file is too large: {len(text):,} bytes, the limit is {MAX_BYTES:,}"
        raise _Refused(msg, None)
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"not UTF-8 text (byte {error.start})"
        raise _Refused(msg, None, "save the file as UTF-8") from None


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "syntax error")
    if "'\\t'" in problem:
        problem = "a tab stands where YAML wants spaces"
    return f"YAML syntax: {problem}"


@contextlib.contextmanager
def _loader(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        yield loader
    finally:
        dispose = getattr(loader, "dispose", None)
        if dispose:
            dispose()


def _compose(text: str) -> Any:
    """The node tree of the one document. Depth is checked first, since composing recurses in C."""
    depth = 0
    documents = 0
    with _loader(text) as loader:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    msg = "more than one YAML document in the file"
                    raise _Refused(msg, event.start_mark, "keep one document; remove the '---'")
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    msg = f"nested more than {MAX_DEPTH} levels deep"
                    raise _Refused(msg, event.start_mark)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    with _loader(text) as loader:
        return loader.get_single_node()


class _Builder:
    """Turns nodes into plain data and notes their places. Counts nodes as aliases are followed."""

    def __init__(self, path: str, places: dict[Location, tuple[int, int]]) -> None:
        self.path = path
        self.places = places
        self.problems: list[Problem] = []
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: Any, location: Location) -> Value:
        self.count += 1
        if self.count > MAX_NODES:
            msg = f"the file grows beyond {MAX_NODES:,} values when its aliases are followed"
            raise _Refused(msg, node.start_mark, "write the values out, or use fewer aliases (*name)")
        self.places.setdefault(location, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, nodes.ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            msg = "an alias refers to the value that it stands in"
            raise _Refused(msg, node.start_mark)
        self.open.add(id(node))
        try:
            if isinstance(node, nodes.SequenceNode):
                self._check_tag(node, "seq")
                return [self.build(item, (*location, at)) for at, item in enumerate(node.value)]
            self._check_tag(node, "map")
            return self._mapping(node, location)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: Any, location: Location) -> dict[str, Value]:
        made: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key == "<<" and key_node.style is None:
                for source in (
                    value_node.value if isinstance(value_node, nodes.SequenceNode) else [value_node]
                ):
                    value = self.build(source, (*location, key))
                    if not isinstance(value, dict):
                        msg = "'<<' merges mappings only"
                        raise _Refused(msg, source.start_mark)
                    merged = value | merged
                continue
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in made:
                self.problems.append(
                    Problem(
                        path=self.path,
                        line=place[0],
                        column=place[1],
                        message=f"duplicate key '{key}'",
                        hint=f"it was given in line {self.places[*location, key][0]} already; keep one of them",
                    )
                )
                continue
            # A mistake in a key or its value is shown at the key: that is what a reader looks for.
            self.places[*location, key] = place
            made[key] = self.build(value_node, (*location, key))
        return merged | made

    def _key(self, node: Any) -> str:
        if not isinstance(node, nodes.ScalarNode):
            msg = "a key has to be plain text"
            raise _Refused(msg, node.start_mark)
        return str(node.value)

    def _scalar(self, node: Any) -> Value:
        text = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text[0] in "tT"
            case "int":
                return _integer(text, node)
            case "float":
                return _real(text, node)
        self._check_tag(node, "str")
        return text

    def _check_tag(self, node: Any, kind: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{kind}":
            msg = f"the YAML tag '{node.tag.replace('tag:yaml.org,2002:', '!!')}' is not allowed"
            raise _Refused(msg, node.start_mark, "write plain values")


def _integer(text: str, node: Any) -> int:
    try:
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    except ValueError:
        msg = "not a number that fits"
        raise _Refused(msg, node.start_mark) from None


def _real(text: str, node: Any) -> float:
    lowered = text.lower()
    if lowered.endswith(".inf"):
        return -math.inf if text.startswith("-") else math.inf
    if lowered == ".nan":
        return math.nan
    try:
        return float(text)
    except ValueError:
        msg = f"'{text[:40]}' is not a number"
        raise _Refused(msg, node.start_mark) from None

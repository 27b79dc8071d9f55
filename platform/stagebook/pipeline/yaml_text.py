"""Writing the text of a pipeline file: values in one line where they fit, else in several."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from stagebook.pipeline.types import Value

_PLAIN = re.compile(r"(?:\./)?[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", ".nan", ".inf"}
_WIDTH = 100  # columns of a line that holds more than one value


def yaml(value: Value) -> str:
    """A value as YAML in one line."""
    match value:
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
            return value if plain else json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(yaml, value))}]"
        case dict():
            return f"{{{', '.join(f'{yaml(key)}: {yaml(item)}' for key, item in value.items())}}}"
        case float() if "e" in (text := repr(value)):
            digits, _, power = text.partition("e")
            return f"{digits if '.' in digits else digits + '.0'}e{power}"  # YAML 1.1 wants the point
    return json.dumps(value)


def entry_lines(key: str, value: Value, indent: str = "", *, block: bool = False) -> Iterator[str]:
    """The lines of one entry of a mapping. `block`: a line for each entry of the value, though it would fit in one."""
    line = f"{indent}{yaml(key)}: {yaml(value)}"
    if not isinstance(value, Mapping | list) or not value or (len(line) <= _WIDTH and not block):
        yield line
        return
    yield f"{indent}{yaml(key)}:"
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from entry_lines(str(name), item, indent + "  ")
    else:
        yield from (f"{indent}  - {yaml(item)}" for item in value)


def one_line(text: str) -> str:
    """A text without what would end its line."""
    return "".join(c if c.isprintable() else "?" for c in text)

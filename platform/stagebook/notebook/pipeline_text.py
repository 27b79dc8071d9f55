"""Edits of a pipeline file as text: comments, order and layout stay as they are, and the result has to say what the file said
before, and what is new besides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError
from stagebook.pipeline.forms import names_alone
from stagebook.pipeline.model import Location
from stagebook.pipeline.yaml import Document, read_document

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]")  # needs no quotes in YAML
_WORDS = {"true", "false", "null"}
_INDENT = 2
_KEY = re.compile(
    r"""(?:"[^"]*"|'[^']*'|[^\s:#{}\[\],][^:#{}\[\],]*?)\s*:(?:\s*$|\s+(?=#)|\s+(?P<open>[{\[])?)"""
)
_QUOTED = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|(?<!\S)#[^\n]*""")


def with_stage(text: str, path: str, name: str, stage: Mapping[str, Any]) -> tuple[str, int]:
    """The text of a pipeline file with one more stage at the end of `stages`, and its line there.

    Raises:
        UsageError: the file is not readable, or is written so that it cannot be added to.
    """
    before = read_document(text, path)
    data = before.data if isinstance(before.data, dict) else {}
    if before.problems or not all(
        isinstance(item, dict | None) for item in (before.data, data.get("stages"))
    ):
        msg = f"'{path}' cannot be added to: it has mistakes"
        raise UsageError(msg, hint=f"see them with: stagebook check {Path(path).stem}")
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    at, indent = _place(before, data, lines)
    block = _block(name, stage, indent)
    if at is None:
        at, block = len(lines), ["stages:", *block]
    made = "".join([*lines[:at], *(f"{line}{end}" for line in block), *lines[at:]])
    after = read_document(made, path)
    wanted = {**data, "stages": {**(data.get("stages") or {}), name: stage}}
    if after.problems or after.data != wanted or list(after.data["stages"]) != list(wanted["stages"]):
        msg = f"'{path}' is written in a way that cannot be added to"
        raise UsageError(msg, hint=f"add it by hand: {json.dumps({name: stage}, ensure_ascii=False)}")
    return made, after.positions["stages", name][0]


def with_input(text: str, path: str, stage: str, name: str, ref: str) -> tuple[str, int]:
    """The text of a pipeline file in which a stage has one more input, and the line where it is now. Without a name it is
    declared by path alone.

    Raises:
        UsageError: the file is not readable, has no such stage, or is written so that it cannot be added to.
    """
    before = read_document(text, path)
    data = before.data if isinstance(before.data, dict) else {}
    stages: Any = data.get("stages")
    found = stages.get(stage) if isinstance(stages, dict) else None
    known: Any = found.get("inputs") if isinstance(found, dict) else None
    if before.problems or not isinstance(found, dict) or not isinstance(known, dict | list | None):
        msg = f"'{path}' cannot be added to: it has mistakes"
        raise UsageError(msg, hint=f"see them with: stagebook check {Path(path).stem}")
    inputs, key = _one_more(known, name, ref, is_there="inputs" in found)
    made = _added(text, before, ("stages", stage), inputs, key)
    after = read_document(made, path)
    wanted = {**data, "stages": {**stages, stage: {**found, "inputs": inputs}}}
    if key is None or after.problems or after.data != wanted:
        msg = f"'{path}' is written in a way that cannot be added to"
        by_hand = json.dumps({"inputs": {name: ref} if name else [ref]}, ensure_ascii=False)
        raise UsageError(msg, hint=f"add it to the stage '{stage}' by hand: {by_hand}")
    return made, after.positions["stages", stage, "inputs", key][0]


def _one_more(known: Any, name: str, ref: str, *, is_there: bool) -> tuple[Any, str | int | None]:
    """Inputs with one more, and its key among them; `None` where they take none of that form."""
    if isinstance(known, list):
        return ([*known, ref], len(known)) if not name else (known, None)
    if not name and not is_there:
        return [ref], 0
    held = known or {}
    entry: Any = ref
    if not name:
        (name,), entry = names_alone([ref]), {"path": ref, "inject": False}
        while name in held:
            name += "_"
    return {**held, name: entry}, name


def _place(document: Document, data: Mapping[str, Any], lines: list[str]) -> tuple[int | None, int]:
    """After which line the stage goes, and how far it is indented."""
    if "stages" not in data:
        return None, _INDENT
    head = document.positions["stages",][0]
    stages = data["stages"] or {}
    columns = [document.positions["stages", name][1] for name in stages]
    indent = columns[-1] - 1 if columns else _INDENT
    below = [line for key in data if (line := document.positions[key,][0]) > head]
    at = min(below) - 1 if below else len(lines)
    # What stands between the last stage and the next key, and is no part of the stage, belongs to the key.
    while at > head and _is_between(lines[at - 1], indent):
        at -= 1
    return at, indent


def _is_between(line: str, indent: int) -> bool:
    bare = line.strip()
    return (
        not bare
        or (bare.startswith("#") and len(line) - len(line.lstrip()) < indent)
        or bare in {"---", "..."}
    )


def _block(name: str, stage: Mapping[str, Any], indent: int) -> list[str]:
    lines = [f"{' ' * indent}{name}:"]
    for key, value in stage.items():
        start = " " * (indent + _INDENT)
        if isinstance(value, Mapping):
            lines.append(f"{start}{key}:")
            lines += [f"{start}{' ' * _INDENT}{_quoted(one)}: {_quoted(item)}" for one, item in value.items()]
        else:
            lines.append(f"{start}{key}: {_quoted(value)}")
    return lines


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quoted(key)}: {_quoted(item)}' for key, item in value.items())}}}"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = value
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.replace("_", "").isdigit()
    return text if is_plain and not text[0].isdigit() else json.dumps(text, ensure_ascii=False)


def _added(text: str, document: Document, stage: Location, inputs: Any, new: str | int | None) -> str:
    """The text with the input in the place that it probably has: what came of it is read again by who asks. `new` is its key
    among the `inputs`."""
    if new is None:
        return text
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    end = "\r\n" if "\r\n" in text else "\n"
    item = _quoted(inputs[new])
    item = item if isinstance(new, int) else f"{_quoted(new)}: {item}"
    whole = f"inputs: [{item}]" if isinstance(new, int) else f"inputs: {{{item}}}"
    place = (*stage, "inputs")
    for key, entry in ((place, item), (stage, whole)):
        if key not in document.positions:
            continue
        line, column = document.positions[key]
        match = _KEY.match(lines[line - 1], column - 1)
        if match and match["open"]:
            return _in_braces("".join(lines), sum(map(len, lines[: line - 1])) + match.end() - 1, entry)
        children = [at for at in document.positions if at[:-1] == key]
        indent = document.positions[children[-1]][1] - 1 if children else column - 1 + _INDENT
        below = [entry]
        if key == place and isinstance(new, int):
            indent, below = indent - len("- "), [f"- {item}"]
        elif key == stage and not isinstance(new, int):
            below = ["inputs:", f"{' ' * _INDENT}{item}"]
        at = _end_of_block(lines, line, indent)
        return "".join([*lines[:at], *(f"{' ' * indent}{one}{end}" for one in below), *lines[at:]])
    return text


def _end_of_block(lines: list[str], head: int, indent: int) -> int:
    """After how many lines the block ends whose key is in the line `head`, and whose entries are indented so far."""
    at = last = head
    while at < len(lines):
        bare = lines[at].strip()
        if bare and len(lines[at]) - len(lines[at].lstrip()) < indent:
            break
        at += 1
        last = at if bare else last
    return last


def _in_braces(text: str, start: int, entry: str) -> str:
    """The text with an entry at the end of the mapping in braces that opens at `start`."""
    masked = _QUOTED.sub(
        lambda match: "_" * len(match[0]), text[start:]
    )  # of the same length, without its braces
    depth = 0
    for offset, character in enumerate(masked):
        depth += (character in "{[") - (character in "}]")
        if depth == 0:
            inside = text[start + 1 : start + offset]
            kept = inside.rstrip()
            comma = ", " if kept.strip() and not kept.endswith(",") else " " if kept.strip() else ""
            return f"{text[: start + 1]}{kept}{comma}{entry}{inside[len(kept) :]}{text[start + offset :]}"
    return text

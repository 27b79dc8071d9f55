"""What the result of a stage depends on, by named parts, and what changed between two of them.

Two stages with equal fingerprints have equal results, as far as notebooks are deterministic. A
fingerprint keeps its parts, so that a decision can say what changed, and not only that something did:

    code       the digests of the code cells, normalised: comments and formatting do not count
    params     each parameter's value
    inputs     each input's paths with the digests of their contents
    shapes     which inputs are passed as a list of paths
    modules    the local modules that the code imports, however far, with their digests
    files      files that magics such as %run read
    libraries  the distributions that the code imports, with their versions
    kernel     the kernel, and the version of its language; and where its cells do not run in the project folder, in which
    env        the declared environment variables, as keyed hashes; those with values, with the names of secrets
    connections  how those that the stage names are declared, with the names of secrets; not there if it names none
    outputs    the names of outputs, and of their files
    program    what a stage runs that is no notebook; not there if it is one

Values are compared as the JSON that they are kept as: a notebook can tell 1 from 1.0 and from true, and
it sees the order of a mapping.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.pipeline.arguments import as_written
from stagebook.pipeline.types import shorten
from stagebook.pipeline.workdir import ROOT, shown

VERSION = 1
FOLDER = "folder"  # in the part of the kernel: the one in which the cells run
# The order in which changes are told: first what a person does on purpose.
PARTS = (
    "program", "code", "params", "modules", "files", "inputs", "shapes", "env", "connections", "libraries", "kernel", "outputs"
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The parts, as plain data. `open` names the parameters that come from scraps or the run, `made`
    the inputs that other stages make."""

    parts: Mapping[str, Any]
    open: tuple[str, ...] = ()
    made: tuple[str, ...] = ()

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all parts, in hex."""
        return _digest(self.parts)

    @functools.cached_property
    def head(self) -> str:
        """The SHA-256 of what is known before any other stage ran: of open parameters, and of inputs that
        are made, there are the names alone."""
        params = {name: value for name, value in self.parts["params"].items() if name not in self.open}
        inputs = {name: None if name in self.made else pairs for name, pairs in self.parts["inputs"].items()}
        return _digest({**self.parts, "params": params, "inputs": inputs, "open": sorted(self.open)})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed: in which part, its name there, and a text for a person.

    `old` and `new` are plain data, None where it is new or gone. Of a cell they are its places among the
    digests, from 1; its name is its number in the notebook.
    """

    part: str
    name: str
    text: str
    old: Any = None
    new: Any = None

    def to_json(self) -> dict[str, Any]:
        """The change as plain data."""
        return dataclasses.asdict(self)


def _digest(parts: Mapping[str, Any]) -> str:
    # The order of names says nothing; that within a value does, so the values are not sorted. Most parts are dicts, which are
    # told sooner than any other mapping.
    sorted_parts = {
        name: dict(sorted(part.items())) if isinstance(part, dict | Mapping) else part
        for name, part in sorted(parts.items())
    }
    return hashlib.sha256(_text({"v": VERSION, **sorted_parts}).encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def changes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    chains: Mapping[str, Sequence[str]] | None = None,
    numbers: Sequence[int] = (),
) -> list[Change]:
    """What changed from one fingerprint's parts to another's, the most telling first. There is none
    exactly where their digests are equal.

    `chains` says how the code comes to a module or file, by its path; `numbers` are those that the
    cells have in the notebook as it is now.
    """
    found: list[Change] = []
    for part in PARTS:
        before, after = old.get(part) or {}, new.get(part) or {}
        if part == "code":
            found += _cells(list(before), list(after), numbers)
            continue
        if part != "params" and before == after:
            continue  # of texts, lists and None alone, which are equal as they are kept, too
        if part == "params" and _text(before) != _text(after):
            before, after = as_written(before), as_written(after)
        names = [*after, *(name for name in before if name not in after)]
        found += [
            _change(part, name, before, after, chains or {})
            for name in names
            if (name in before) != (name in after) or _text(before[name]) != _text(after[name])
        ]
    return found


def _cells(old: Sequence[str], new: Sequence[str], numbers: Sequence[int]) -> list[Change]:
    def change(how: str, before: int | None, after: int | None) -> Change:
        number = numbers[after - 1] if after and after <= len(numbers) else after or before
        return Change(part="code", name=str(number), text=f"cell {number} {how}", old=before, new=after)

    found: list[Change] = []
    if old == new:
        return found
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for how, a, b, c, d in matcher.get_opcodes():
        if how == "equal":
            continue
        both = min(b - a, d - c)
        found += [change("changed", a + at + 1, c + at + 1) for at in range(both)]
        found += [change("is new", None, at + 1) for at in range(c + both, d)]
        found += [change("is gone", at + 1, None) for at in range(a + both, b)]
    return found


def _change(
    part: str,
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    chains: Mapping[str, Sequence[str]],
) -> Change:
    old, new = before.get(name), after.get(name)
    is_new, is_gone = name not in before, name not in after
    how = "is new" if is_new else "is gone" if is_gone else "changed"
    match part:
        case "program":
            text = _program(name, how, old, new)
        case "params":
            texts = _apart(_value(old, before, name), _value(new, after, name))
            text = f"{name}: {' → '.join(texts)}"
        case "inputs":
            text = _input(name, old, new)
        case "shapes":
            text = f"the input {name} is {'one path' if is_gone else 'a list of paths'} now"
        case "modules" | "files":
            text = _file(part, name, how, chains)
        case "libraries":
            text = f"the library {name} {how}" if is_new or is_gone else f"{name} {old} → {new}"
        case "kernel":
            text = _kernel(name, old, new)
        case "env":
            text = f"the environment variable {name} {_variable(how, old, new)}"
        case "outputs":
            text = _output(name, old, new) if old and new else f"the output {name} {how}"
        case _:
            text = f"the connection {name} {how}"
    return Change(part=part, name=name, text=text, old=old, new=new)


def _value(value: Any, held: Mapping[str, Any], name: str) -> str:
    return json.dumps(value, ensure_ascii=False) if name in held else "not given"


_SHOWN = 60  # characters of a value
_CONTEXT = 12  # of what two values have in common


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two different values as texts, each cut to what tells them apart."""
    if max(len(old), len(new)) <= _SHOWN:
        return old, new
    same = next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    start = max(0, same - _CONTEXT) if same > _SHOWN // 2 else 0
    cut = [f"{'…' if start else ''}{text[start:]}" for text in (old, new)]
    return shorten(cut[0], _SHOWN), shorten(cut[1], _SHOWN)


def _file(part: str, name: str, how: str, chains: Mapping[str, Sequence[str]]) -> str:
    way = " → ".join(chains.get(name, ()))
    verbs = {"is new": "is imported now", "is gone": "is not imported any more"}
    text = f"{name} {verbs.get(how, how) if part == 'modules' else how}"
    return f"{text} ({way})" if way else text


def _program(kind: str, how: str, old: str | None, new: str | None) -> str:
    if old and new:
        return f"the {kind} is {new}, before {old}"
    if how == "changed":
        how = f"is {new} now" if new else "is another one"
    return f"it runs {'a ' if kind != 'sql' else ''}{kind} now" if how == "is new" else f"the {kind} {how}"


def _kernel(name: str, old: str | None, new: str | None) -> str:
    if name == "kernel":
        return f"the kernel {old} → {new}"
    if name == FOLDER:
        return f"the cells run in {shown(new or ROOT)}, before in {shown(old or ROOT)}"
    if name == "python":
        return f"{old} → {new}" if old and new else f"Python is {new or 'that of another environment'} now"
    return "the kernel has another specification or program"


def _variable(how: str, old: str | None, new: str | None) -> str:
    if how != "changed":
        return "is declared now" if how == "is new" else "is not declared any more"
    return "is set now" if old is None else "is not set any more" if new is None else "changed"


_KINDS_OF_OUTPUT = {
    "external": "external",
    "delta": "a Delta table",
    "in place": "written in its place",
    "notebook": "the executed notebook",
}


def _output(name: str, old: Sequence[str], new: Sequence[str]) -> str:
    if old[0] != new[0]:
        return f"the output {name} is {_KINDS_OF_OUTPUT.get(new[0], 'a file')} now"
    if new[0] == "notebook" and old[1:3] == new[1:3]:
        return f"the text of the notebook changed, which the output {name} shows"
    if new[0] == "notebook" and old[1] == new[1]:
        return f"the output {name} is {new[2]} now"
    for what, before, after in zip(("mode", "partition_by", "key"), old[2:], new[2:], strict=False):
        if before != after:
            return f"the output {name} has {what} {after or 'nothing'}, before {before or 'nothing'}"
    return f"the output {name} is {new[1]}, before {old[1]}"


def _input(name: str, old: Sequence[Sequence[str]] | None, new: Sequence[Sequence[str]] | None) -> str:
    if old is None or new is None:
        return f"the input {name} is {'new' if old is None else 'gone'}"
    before = {path: digest for path, digest in old}  # noqa: C416 - pairs are lists, from JSON
    after = {path: digest for path, digest in new}  # noqa: C416
    changed = [path for path in after if path in before and before[path] != after[path]]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"{changed[0]}{more} changed (input {name})"
    more_paths = [path for path in after if path not in before]
    gone = [path for path in before if path not in after]
    if more_paths and gone and len(before) == len(after) == 1:
        return f"the input {name} is {more_paths[0]}, before {gone[0]}"
    if more_paths:
        return f"the input {name} has {'other files' if gone else f'{more_paths[0]} as well'}"
    return f"the input {name} has {f'no {gone[0]} any more' if gone else 'another order'}"

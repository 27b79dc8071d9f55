"""What the result of a stage depends on, by named parts, and what changed between two of them.

Two stages with equal fingerprints have equal results, as far as notebooks are deterministic. A
fingerprint keeps its parts, so that a decision can say what changed, and not only that something did:

    code       the digests of the code cells, normalised: comments and formatting do not count
    params     each parameter's value
    inputs     each input's paths with the digests of their contents
    modules    the local modules that the code imports, however far, with their digests
    files      files that magics such as %run read
    libraries  the distributions that the code imports, with their versions
    kernel     the kernel, and the version of its language
    env        the declared environment variables, as keyed hashes
    outputs    the names of outputs, and of their files
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.definition.values import shorten

VERSION = 1
# The order in which changes are told: first what a person does on purpose.
PARTS = ("code", "params", "modules", "files", "inputs", "env", "libraries", "kernel", "outputs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The parts, as plain data. `open` names the parameters that come from scraps or the run."""

    parts: Mapping[str, Any]
    open: tuple[str, ...] = ()

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all parts, in hex."""
        return _digest(self.parts)

    @functools.cached_property
    def head(self) -> str:
        """The SHA-256 of what is known before any other stage ran: all but inputs and open parameters."""
        params = {name: value for name, value in self.parts["params"].items() if name not in self.open}
        return _digest({**self.parts, "inputs": sorted(self.parts["inputs"]), "params": params})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed: in which part, its name there, and a text for a person. `old` and `new`
    are plain data, None where it is new or gone."""

    part: str
    name: str
    text: str
    old: Any = None
    new: Any = None

    def to_json(self) -> dict[str, Any]:
        """The change as plain data."""
        return dataclasses.asdict(self)


def _digest(parts: Mapping[str, Any]) -> str:
    text = json.dumps({"v": VERSION, **parts}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, chains: Mapping[str, Sequence[str]] | None = None
) -> list[Change]:
    """What changed from one fingerprint's parts to another's, the most telling first.

    `chains` says how the code comes to import a module, by its path.
    """
    found: list[Change] = []
    for part in PARTS:
        before, after = old.get(part) or {}, new.get(part) or {}
        if before == after:
            continue
        if part == "code":
            found += _cells(list(before), list(after))
            continue
        for name in [*after, *(name for name in before if name not in after)]:
            if before.get(name) != after.get(name) or (name in before) != (name in after):
                found.append(_change(part, name, before, after, chains or {}))
    return found


def _cells(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    found = []
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for how, a, b, c, d in matcher.get_opcodes():
        if how == "equal":
            continue
        both = min(b - a, d - c)
        for at in range(c, c + both):
            found.append(Change(part="code", name=str(at + 1), text=f"cell {at + 1} changed", new=at + 1))
        for at in range(c + both, d):
            found.append(Change(part="code", name=str(at + 1), text=f"cell {at + 1} is new", new=at + 1))
        for at in range(a + both, b):
            found.append(Change(part="code", name=str(at + 1), text=f"cell {at + 1} is gone", old=at + 1))
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
        case "params":
            text = f"{name}: {_value(old, before, name)} → {_value(new, after, name)}"
        case "inputs":
            text = _input(name, old, new)
        case "modules":
            way = " → ".join(chains.get(name, ()))
            text = f"{name} {'is not imported any more' if is_gone else 'is imported now' if is_new else how}"
            text += f" ({way})" if way else ""
        case "libraries":
            text = f"{name} {old} → {new}" if not (is_new or is_gone) else f"the library {name} {how}"
        case "kernel":
            text = f"{name} {old} → {new}"
        case "env":
            text = f"the environment variable {name} changed"
            if not (is_new or is_gone) and (old is None or new is None):
                text = (
                    f"the environment variable {name} is {'not set any more' if new is None else 'set now'}"
                )
        case "outputs":
            text = f"the output {name} {how}"
        case _:
            text = f"{name} {how}"
    return Change(part=part, name=name, text=text, old=old, new=new)


def _value(value: Any, held: Mapping[str, Any], name: str) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 60) if name in held else "not given"


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
        return (
            f"the input {name} has {more_paths[0]} as well"
            if not gone
            else f"the input {name} has other files"
        )
    return f"the input {name} has no {gone[0]} any more" if gone else f"the input {name} has another order"

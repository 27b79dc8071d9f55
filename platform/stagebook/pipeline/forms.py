"""The forms in which a stage names its inputs and outputs, brought into one: a name for each.

inputs: {raw: data/raw.csv}                     by name: the variable `raw` of the notebook gets the path
inputs: [data/raw.csv, get.data]                by path alone: no variable gets it
inputs: {raw: {path: data/raw.csv, inject: false}}    the same, with a name of one's own
inputs: {upstream: {get: {data: get.data}}}     as a mapping: the variable `upstream` gets {"get": {"data": path}}
"""

from __future__ import annotations

import dataclasses
import difflib
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stagebook.pipeline.model import Location, Position
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import describe

Variable = tuple[str, ...]
"""The variable of a notebook that gets a path, and the keys within it; empty where none does."""

_EXPRESSION = re.compile(r"\$\{[^}]*\}")
_SIGNS = frozenset("*?[")  # of a pattern
_NO_NAME = re.compile(r"\W+", re.ASCII)
_KEY = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_PATH = "path"  # the key by which an entry in its long form is told from a mapping of entries
_OTHER_KEYS = {
    "inputs": frozenset({"inject"}),
    "outputs": frozenset({"inject", "kind", "contract", "mode", "partition_by", "key", "code"}),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One input or output as the file has it. `value`: a text, a list, or a mapping with the key `path`; `variable` gets its
    path; `location`: its place below `inputs` or `outputs`."""

    value: Any
    variable: Variable
    location: Location


class Forms:
    """Brings the inputs and the outputs of the stages of a file into one form, and reports what has none."""

    def __init__(self, problems: ProblemCollector, positions: dict[Location, Position]) -> None:
        """`positions`: those of the file; the names that are made here get theirs."""
        self._problems = problems
        self._positions = positions

    def read(self, raw: Any, base: Location) -> tuple[Any, dict[str, Variable]]:
        """Inputs or outputs as a mapping of names, and the variable of each; what is no such thing stays as it is, to be
        reported. `base`: where it stands."""
        if raw is None:
            return {}, {}
        if isinstance(raw, list | str):
            entries = list(self._listed(raw, base))
            names = names_alone([_path_of(entry.value) for entry in entries])
        elif isinstance(raw, Mapping):
            others = _OTHER_KEYS[str(base[-1])]
            entries = [
                entry
                for name, value in raw.items()
                for entry in self._entries(value, (str(name),), base, others)
            ]
            names = _of_mapping(entries)
        else:
            return raw, {}
        for name, entry in zip(names, entries, strict=True):
            place = (*base, *entry.location)
            if place in self._positions:
                self._positions.setdefault((*base, name), self._positions[place])
        values = {name: entry.value for name, entry in zip(names, entries, strict=True)}
        return values, {name: entry.variable for name, entry in zip(names, entries, strict=True)}

    def _listed(self, raw: list[Any] | str, base: Location) -> Iterator[Entry]:
        for at, value in enumerate([raw] if isinstance(raw, str) else raw):
            location = () if isinstance(raw, str) else (at,)
            if isinstance(value, str) or (isinstance(value, Mapping) and _PATH in value):
                yield Entry(value=value, variable=(), location=location)
            else:
                message = f"an item of '{base[-1]}' has to be a path, not {describe(value)}"
                hint = f"to pass paths to the notebook, give them names: {base[-1]}: {{name: …}}"
                self._problems.report((*base, *location), message, hint)

    def _entries(self, value: Any, keys: Variable, base: Location, others: frozenset[str]) -> Iterator[Entry]:
        if not isinstance(value, Mapping) or not value or _is_long_form(value, others):
            inject = not isinstance(value, Mapping) or value.get("inject") is not False
            yield Entry(value=value, variable=keys if inject else (), location=keys)
            return
        for key, inner in value.items():
            if _KEY.fullmatch(str(key)):
                yield from self._entries(inner, (*keys, str(key)), base, others)
            else:
                hint = "use letters, digits, '_' and '-', and start with a letter"
                self._problems.report((*base, *keys, key), f"'{str(key)[:60]}' cannot be a key here", hint)


def _is_long_form(value: Mapping[Any, Any], others: frozenset[str]) -> bool:
    """Whether a mapping says more of one path, or would if it were not misspelt; else it is one of several paths."""
    return _PATH in value or all(
        key in others or difflib.get_close_matches(str(key), [_PATH], cutoff=0.7) for key in value
    )


def _of_mapping(entries: list[Entry]) -> list[str]:
    """The names of the entries of a mapping: the last key, where it is the only one of that name; else all keys."""
    last = [_identifier(str(entry.location[-1])) if len(entry.location) > 1 else "" for entry in entries]
    names = []
    for entry, short in zip(entries, last, strict=True):
        first = str(entry.location[0])
        if len(entry.location) == 1:
            names.append(first)
        elif last.count(short) > 1 or any(it.location == (short,) for it in entries):
            names.append("_".join(_identifier(str(key)) for key in entry.location))
        else:
            names.append(short)
    return names if len({*names}) == len(names) else _names_of(names)


def names_alone(paths: list[str]) -> list[str]:
    """What entries without a name are called: a file by its name without the ending, a pattern by its folder, an output of
    another stage by that stage; later ones of a name with a number."""
    return _names_of([_name_of(path) for path in paths])


def _path_of(value: Any) -> str:
    return str(value[_PATH]) if isinstance(value, Mapping) else str(value)


def _name_of(text: str) -> str:
    for part in reversed(_EXPRESSION.sub("", text).split("/")):
        if _SIGNS.isdisjoint(part) and (name := _identifier(part.partition(".")[0])):
            return name
    return "files"


def _identifier(text: str) -> str:
    name = _NO_NAME.sub("_", text).strip("_")
    if not name:
        return ""
    return f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


def _names_of(names: list[str]) -> list[str]:
    """The names, those that are there before with a number."""
    used: dict[str, int] = {}
    taken, found = {*names}, []
    for name in names:
        used[name] = used.get(name, 0) + 1
        made = name if used[name] == 1 else f"{name}_{used[name]}"
        while made != name and made in taken:
            used[name] += 1
            made = f"{name}_{used[name]}"
        taken.add(made)
        found.append(made)
    return found

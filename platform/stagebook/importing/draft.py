"""A pipeline that is being taken over, and its text."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterator
from typing import Any

from stagebook.pipeline.model import Location, Position
from stagebook.pipeline.yaml_text import entry_lines, one_line

_ORDER = (
    "notebook", "script", "function", "sql", "command", "args", "connection", "description", "inject", "workdir",
    "kernel", "matrix", "instances", "foreach", "when", "params", "inputs", "outputs", "after", "trigger", "env", "retries",
    "retry_delay", "timeout", "cache", "frozen",
)  # fmt: skip
_LONGEST = 60  # characters of a name that is made
_WIDTH = 96  # columns of a comment


@dataclasses.dataclass(slots=True, kw_only=True)
class StageDraft:
    """A stage. `keys`: as a pipeline file has them; `notes`: what could not be carried over; `place`: where the other tool's
    file has it, by its keys or by line and column."""

    name: str
    place: Location | Position = ()
    keys: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def put(self, key: str, value: Any) -> None:
        """Set a key, if there is something to set."""
        if value not in (None, "", [], {}):
            self.keys[key] = value


@dataclasses.dataclass(slots=True, kw_only=True)
class Draft:
    """A pipeline. `tool`: which it was of; `source`: its file, from the root of the project."""

    name: str
    tool: str
    source: str
    description: str = ""
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    defaults: dict[str, Any] = dataclasses.field(default_factory=dict)
    schedules: dict[str, Any] = dataclasses.field(default_factory=dict)
    stages: list[StageDraft] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def left(self) -> int:
        """How many things were not carried over."""
        return len(self.notes) + sum(len(stage.notes) for stage in self.stages)

    def text(self) -> str:
        """The text of the pipeline file."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# Taken over from {one_line(self.source)} by 'stagebook import {self.tool}'."
        if self.left:
            yield "# What stands after 'Not carried over' is to be looked at."
        yield from _comments(self.notes, "")
        if self.description:
            yield from entry_lines("description", one_line(self.description))
        for key in ("params", "defaults", "schedules"):
            if value := getattr(self, key):
                yield from entry_lines(key, value, block=key != "defaults")
        yield "stages:"
        for stage in self.stages:
            yield f"  {stage.name}:"
            yield from _comments(stage.notes, "    ")
            for key, value in sorted(stage.keys.items(), key=lambda entry: _ORDER.index(entry[0])):
                yield from entry_lines(key, value, "    ")


def _comments(notes: list[str], indent: str) -> Iterator[str]:
    for note in dict.fromkeys(notes):
        words = f"Not carried over: {one_line(note)}".split(" ")
        line = f"{indent}#"
        for word in words:
            if len(line) + 1 + len(word) > _WIDTH and line.strip() != "#":
                yield line
                line = f"{indent}#  "
            line = f"{line} {word}"
        yield line


def listed(value: Any) -> list[Any]:
    """A value as a list: nothing as an empty one, and what is no list as the one thing in it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def name_from(text: str, taken: Collection[str] = (), default: str = "stage") -> str:
    """A name for a stage or pipeline, made of a text; one that is not among `taken`."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")
    name = re.sub(r"^[^A-Za-z]+", "", name)[:_LONGEST] or default
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(it for it in itertools.chain([name], numbered) if it not in taken)


def variable_from(text: str, taken: Collection[str] = ()) -> str:
    """As `name_from`, for the name of a parameter or axis."""
    return (
        name_from(text, default="value").replace("-", "_")
        if not taken
        else (name_from(text, {it.replace("_", "-") for it in taken}, "value").replace("-", "_"))
    )

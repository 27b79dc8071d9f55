"""The arguments of a script or command, as a value of its stage, which is called `args` or `command`.

In it, `{"input": NAME}` and `{"output": NAME}` stand for `${inputs.NAME}` and `${outputs.NAME}`, whose paths are known once
the stage starts; `{"join": [PART, …]}` for a text with one of them within it; and `{"shell": [TEXT, VALUE, TEXT, …]}` for a
command that a shell reads, in which the values are quoted. `stagebook_program` makes words of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from stagebook.pipeline.model import Program
from stagebook.pipeline.types import Value

ARGUMENTS: Mapping[str, str] = {
    "script": "args",
    "command": "command",
}  # kind → the value that holds its arguments


def is_argument(program: Program | None, name: str) -> bool:
    """Whether a value of a stage holds the arguments of its program, and is no parameter."""
    return program is not None and ARGUMENTS.get(program.kind) == name


def as_written(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values of a stage as people wrote them: the arguments of its program, if they are among them, as texts."""
    return {
        name: _written(value) if name in ARGUMENTS.values() and isinstance(value, list | dict) else value
        for name, value in values.items()
    }


def _written(value: Value) -> Value:
    match value:
        case {"shell": list() as parts}:
            return "".join(map(str, map(_written, parts))).strip()
        case {"join": list() as parts}:
            return "".join(map(str, map(_written, parts)))
        case {"input": str() as name}:
            return f"${{inputs.{name}}}"
        case {"output": str() as name}:
            return f"${{outputs.{name}}}"
        case list():
            return [_written(item) for item in value]
    return value

"""Write the TypeScript types of the wire format from its Python classes: `tools/wire.py [--check]`.

Each module of `stagebook_lab.wire` becomes one of `jupyter_extension/src/wire/`. With `--check` nothing is
written, and the exit code is 1 if one differs.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "jupyter_extension"), str(ROOT / "platform")]

from stagebook_lab import wire  # noqa: E402 - the paths come first
from stagebook_lab.wire import (  # noqa: E402
    actions,
    backfills,
    environments,
    figures,
    files,
    incidents,
    projects,
    runs,
    schedules,
    timeline,
)

TARGET = "jupyter_extension/src/wire"
MODULES = {
    "actions": actions,
    "backfills": backfills,
    "environments": environments,
    "figures": figures,
    "files": files,
    "incidents": incidents,
    "projects": projects,
    "runs": runs,
    "schedules": schedules,
    "timeline": timeline,
}
HEAD = "// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.\n"
_SCALARS = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "unknown",
}


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with what they should be. The exit code."""
    folder, texts = ROOT / TARGET, generate()
    if "--check" not in arguments:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return 0
    if {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")} == texts:
        return 0
    print(f"{TARGET} differs from the Python side; run: .venv/bin/python tools/wire.py", file=sys.stderr)
    return 1


def generate() -> dict[str, str]:
    """The TypeScript modules: file name → text."""
    index = "".join(f"export type * from './{name}';\n" for name in MODULES)
    texts = {f"{name}.ts": _module(module) for name, module in MODULES.items()}
    return {"index.ts": f"{HEAD}\n{index}", **texts}


def _module(module: types.ModuleType) -> str:
    parts = []
    for name, value in _declared(module).items():
        parts.append(_alias(name, value) if get_origin(value) is Literal else _interface(value))
    text = "\n".join(parts)
    return "\n".join([HEAD, *_imports(module, text), text])


def _declared(module: types.ModuleType) -> dict[str, Any]:
    """The types that a module declares itself, by name."""
    source = inspect.getsource(module)
    return {
        name: value
        for name, value in vars(module).items()
        if (get_origin(value) is Literal and f"\n{name} = Literal[" in source)
        or (
            isinstance(value, type)
            and dataclasses.is_dataclass(value)
            and value.__module__ == module.__name__
        )
    }


def _imports(module: types.ModuleType, text: str) -> list[str]:
    """The lines that import what a text names and other modules declare."""
    lines = []
    named = set(re.findall(r"\w+", "".join(re.findall(r"^  readonly \w+\??:(.*)$", text, re.MULTILINE))))
    for file, other in MODULES.items():
        used = sorted(named & _declared(other).keys())
        if other is not module and used:
            lines.append(f"import type {{ {', '.join(used)} }} from './{file}';\n")
    return ["".join(lines)] if lines else []


def _alias(name: str, value: Any) -> str:
    members = "\n".join(f"  | '{word}'" for word in get_args(value))
    one_line = f"export type {name} = {' | '.join(repr(word) for word in get_args(value))};\n"
    return one_line if len(one_line) <= 81 else f"export type {name} =\n{members};\n"


def _interface(kind: type) -> str:
    hints = get_type_hints(kind)
    is_request = kind.__name__.endswith("Request")
    lines = [_comment(kind), f"export interface {kind.__name__} {{"]
    for field in dataclasses.fields(kind):
        has_default = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        mark = "?" if is_request and has_default else ""
        lines.append(f"  readonly {field.name}{mark}: {_type(hints[field.name])};")
    return "\n".join([*lines, "}"]) + "\n"


def _comment(kind: type) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split())
    lines = textwrap.wrap(text, 76)
    return "\n".join(["/**", *(f" * {line}" for line in lines), " */"])


def _type(wanted: Any) -> str:
    if wanted in _SCALARS:
        return _SCALARS[wanted]
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in {types.UnionType, Union}:
        return " | ".join(_type(one) for one in arguments)
    if origin is tuple:
        item = _type(arguments[0])
        return f"readonly ({item})[]" if item.startswith("readonly ") else f"readonly {item}[]"
    if origin is dict:
        return f"Readonly<Record<string, {_type(arguments[1])}>>"
    if origin is Literal:
        return _name_of(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return wanted.__name__
    msg = f"no TypeScript type for {wanted}"
    raise TypeError(msg)


def _name_of(wanted: Any) -> str:
    for name, value in vars(wire).items():
        if value == wanted:
            return name
    return " | ".join(repr(word) for word in get_args(wanted))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

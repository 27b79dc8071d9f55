"""Write the generated parts of the reference from the code: `python tools/reference.py [--check]`.

A generated part stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->`; the prose
around it is written by hand and stays. The JSON Schema of a pipeline file is generated whole. With
`--check` nothing is written: the exit code is 1 where a file differs from what the code says.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import typer.main

from stagebook import errors, events
from stagebook.cli.app import COMMANDS, app, load
from stagebook.event_reading import KINDS
from stagebook.pipeline import differences, evaluator, expressions, notebook_file, yaml
from stagebook.pipeline.schema import json_schema
from stagebook.planning import matrix, scopes
from stagebook.workspace import paths, settings

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "docs/reference/pipeline.schema.json"
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
REMEDY = "run: .venv/bin/python tools/reference.py"


class MarkersMissing(Exception):
    """A file lacks the pair of markers of one of its generated parts."""


def main(arguments: Sequence[str]) -> int:
    """Write or check; the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print(f"usage: {sys.argv[0]} [--check]", file=sys.stderr)
        return 2
    try:
        stale = {path: text for path, text in generate().items() if _read(path) != text}
    except MarkersMissing as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    if not arguments:
        for path, text in stale.items():
            (ROOT / path).write_text(text, encoding="utf-8")
            print(f"wrote {path}")
        return 0
    for path in stale:
        print(f"✗ {path} differs from what the code says; {REMEDY}", file=sys.stderr)
    return 1 if stale else 0


def generate() -> dict[str, str]:
    """The text of every file that is generated, whole or in part, by its path below the root.

    Raises:
        MarkersMissing: a file has no place for one of its parts.
    """
    schema = {"$schema": SCHEMA_DIALECT, **json_schema()}
    files = {SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}
    for path, parts in PARTS.items():
        text = _read(path)
        for name, make in parts.items():
            text = _replace(path, text, name, make())
        files[path] = text
    return files


def _read(path: str) -> str:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _replace(path: str, text: str, name: str, made: str) -> str:
    start, end = f"<!-- generated:{name} -->", f"<!-- /generated:{name} -->"
    if text.count(start) != 1 or text.count(end) != 1:
        msg = f"{path} needs one '{start}' and one '{end}'"
        raise MarkersMissing(msg)
    head, rest = text.split(start)
    _, tail = rest.split(end)
    return f"{head}{start}\n\n{made.strip()}\n\n{end}{tail}"


# -- commands -------------------------------------------------------------------------------------


def commands() -> Mapping[str, Any]:
    """The commands of the command line by name, as typer has them."""
    return {name: load(name) for name in COMMANDS}


def common_options() -> Sequence[Any]:
    """The options that stand before a command."""
    group: Any = typer.main.get_command(app)
    return [item for item in group.params if item.param_type_name == "option"]


def _overview() -> str:
    rows = [(f"`stagebook {name}`", _sentence(command.help)) for name, command in commands().items()]
    return _table(("command", "what it does"), rows)


def _options() -> str:
    parts = ["### Before the command", _table(("option", "meaning"), _rows_of(common_options()))]
    for name, command in commands().items():
        taken = [item for item in command.params if item.param_type_name == "argument"]
        options = [item for item in command.params if item.param_type_name == "option"]
        usage = " ".join(["stagebook", name, *(_argument(item) for item in taken), "[OPTIONS]"])
        parts += [f"### `{name}`", _sentence(command.help), f"```text\n{usage}\n```"]
        if taken:
            parts.append(_table(("argument", "meaning"), _rows_of(taken)))
        parts.append(_table(("option", "meaning"), _rows_of(options)))
    return "\n\n".join(parts)


def _argument(item: Any) -> str:
    return f"[{item.name.upper()}{'…' if item.nargs == -1 else ''}]"


def _rows_of(items: Iterable[Any]) -> list[tuple[str, str]]:
    return [(_name_of(item), _meaning_of(item)) for item in items]


def _name_of(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{item.name.upper()}`"
    value = f" {item.metavar}" if item.metavar and not item.is_flag else ""
    return ", ".join(f"`{name}{value}`" for name in item.opts)


def _meaning_of(item: Any) -> str:
    meaning = item.help or ""
    if getattr(item, "multiple", False):
        meaning += " May be repeated."
    if item.default not in (None, False, (), []):
        meaning += f" Default: `{item.default}`."
    return meaning


# -- settings -------------------------------------------------------------------------------------


def _settings() -> str:
    parts = []
    for section, field in settings.Settings.model_fields.items():
        model: Any = field.annotation
        named = "NAME." if get_origin(model) is dict else ""  # a section of what a person names
        model = get_args(model)[1] if named else model
        if not hasattr(model, "model_json_schema"):
            continue  # read elsewhere, and described by hand
        rows = [
            (f"`{section}.{named}{name}`", _kind(entry), _default(entry))
            for name, entry in model.model_json_schema()["properties"].items()
        ]
        text = _doc(model).removeprefix(f"`[{section}]`. ")
        parts += [f"### `[{section}]`", text, _table(("setting", "kind", "default"), rows)]
    return "\n\n".join(parts)


_KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
    "object": "table",
}


def _kind(entry: Mapping[str, Any]) -> str:
    kinds = [item for item in entry.get("anyOf", [entry]) if item.get("type") != "null"]
    if len(kinds) > 1 and kinds[-1]["type"] == "array":
        return f"text or list of {_KINDS[kinds[-1]['items']['type']]}s"
    if any(item["type"] == "array" for item in kinds):
        return "list of " + " or ".join(_KINDS[item["items"]["type"]] for item in kinds) + "s"
    return " or ".join(
        _KINDS[item["type"]] + (f", {item['minimum']} or more" if "minimum" in item else "") for item in kinds
    )


def _default(entry: Mapping[str, Any]) -> str:
    value = entry.get("default")
    return "" if value is None else f"`{json.dumps(value)}`"


# -- events ---------------------------------------------------------------------------------------


def _events() -> str:
    common = [field.name for field in dataclasses.fields(events.Event)]
    parts = []
    for name, kind in KINDS.items():
        rows = [
            (f"`{field.name}`", f"`{field.type}`", _field_default(field))
            for field in dataclasses.fields(kind)
            if field.name not in common
        ]
        parts += [f"### `{name}`", _doc(kind), _table(("field", "type", "default"), rows)]
    return "\n\n".join(parts)


def _field_default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "`{}`"  # in JSON; each part has a default
    return "" if field.default is dataclasses.MISSING else f"`{json.dumps(field.default)}`"


# -- errors ---------------------------------------------------------------------------------------


def _exit_codes() -> str:
    rows = [(f"`{int(code)}`", f"`{code.name}`") for code in errors.ExitCode]
    return _table(("code", "name"), rows)


def error_classes() -> list[type[errors.StagebookError]]:
    """Every error of the platform, each after the one that it derives from. Whoever imported the extension of JupyterLab before has its
    own ones, too."""
    found: list[type[errors.StagebookError]] = []
    todo: list[type[errors.StagebookError]] = [errors.StagebookError]
    while todo:
        kind = todo.pop(0)
        if kind.__module__.startswith("stagebook.") and not kind.__name__.startswith("_"):
            found.append(kind)
        todo = [*kind.__subclasses__(), *todo]
    return found


def _errors() -> str:
    rows = [
        (f"`{kind.__name__}`", f"`{kind.__bases__[0].__name__}`", f"`{int(kind.exit_code)}`", _doc(kind))
        for kind in error_classes()
    ]
    return _table(("error", "is a", "exit code", "meaning"), rows)


# -- expressions ----------------------------------------------------------------------------------


def _functions() -> str:
    return ", ".join(f"`{name}`" for name in evaluator.FUNCTIONS)


def _limits() -> str:
    rows = [
        ("size of a pipeline file", f"{yaml.MAX_BYTES:,} bytes"),
        ("nesting of a pipeline file", f"{yaml.MAX_DEPTH} levels"),
        ("values in a pipeline file, its aliases followed", f"{yaml.MAX_NODES:,}"),
        ("whole number in a pipeline file", f"{yaml.MAX_DIGITS} digits"),
        ("length of one expression", f"{expressions.MAX_LENGTH:,} characters"),
        ("items or characters of a value that an expression makes", f"{evaluator.MAX_SIZE:,}"),
        ("steps of one value with its expressions", f"{evaluator.MAX_STEPS:,}"),
        ("steps of all expressions of a pipeline", f"{scopes.MAX_EFFORT:,}"),
        ("whole number that an expression makes", f"{len(str(evaluator.MAX_NUMBER)) - 1} digits"),
        ("length of a path", f"{paths.MAX_LENGTH:,} characters"),
        ("length of one name in a path", f"{paths.MAX_NAME} bytes"),
        ("size of a notebook", f"{notebook_file.MAX_BYTES // 1_000_000} MB"),
        ("stage instances of a pipeline", f"{matrix.MAX_INSTANCES:,}"),
    ]
    return _table(("what", "limit"), rows)


# -- text -----------------------------------------------------------------------------------------


def _doc(item: object) -> str:
    return re.sub(r"\s*\n\s*", " ", inspect.getdoc(item) or "")


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# -- executors ------------------------------------------------------------------------------------


def _without_kernel() -> str:
    rows = [(row.what, row.kernel, row.inprocess) for row in differences.WITHOUT_KERNEL.values()]
    return _table(("in the notebook", "`kernel`", "`inprocess`"), rows)


def _from_papermill() -> str:
    rows = [(row.what, row.papermill, row.stagebook) for row in differences.FROM_PAPERMILL.values()]
    return _table(("what", "papermill", "Stagebook"), rows)


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"commands": _overview},
    "docs/executors.md": {"without-kernel": _without_kernel, "from-papermill": _from_papermill},
    "docs/reference/commands.md": {"commands": _overview, "options": _options},
    "docs/reference/settings.md": {"settings": _settings},
    "docs/reference/events.md": {"events": _events},
    "docs/reference/exit-codes.md": {"exit-codes": _exit_codes, "errors": _errors},
    "docs/reference/pipeline.md": {"functions": _functions, "limits": _limits},
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

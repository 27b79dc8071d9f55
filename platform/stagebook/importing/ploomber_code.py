"""What tasks of Ploomber say in their code: which tasks they come after, and what they make. The code is read, not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from stagebook.importing.source import Source
from stagebook.pipeline.types import parse_python

_USED = re.compile(r"upstream\s*\[\s*['\"]([^'\"]+)['\"]\s*\]")
_SET = re.compile(r"\{%-?\s*set\s+(upstream|product)\s*=\s*(.*?)-?%\}", re.DOTALL)


def upstream_in(source: Source, kind: str, path: str) -> list[str]:
    """The names of the tasks that the code of a task names as `upstream`."""
    if kind == "notebook":
        found = _declared(source, path, "upstream")
        return [found] if isinstance(found, str) else list(found or ())
    if kind == "function":
        return list(dict.fromkeys(_used(_function(source, path))))
    text = source.content(path)
    names = _listed(_set(text, "upstream"))
    return list(dict.fromkeys([*names, *_USED.findall(text)]))


def products_in(source: Source, kind: str, path: str) -> Any:
    """The product that the code of a task names; `None` where it names none."""
    if kind == "notebook":
        return _declared(source, path, "product")
    return _set(source.content(path), "product") if kind in {"sql", "command"} else None


def code_of(source: Source, kind: str, path: str) -> str:
    """The text of the file with the code of a task; empty where there is none."""
    if kind != "function":
        return source.content(path)
    return next(filter(None, map(source.content, _modules(source, path.partition(":")[0]))), "")


def mentions(code: str, key: str) -> bool:
    """Whether a text of code has a key as a constant, also within the JSON of a notebook."""
    return any(f"{quote}{key}{quote}" in code for quote in ("'", '"', '\\"'))


def _declared(source: Source, path: str, name: str) -> Any:
    facts = source.facts(path)
    declared = (facts.parameters or {}).get(name) if facts is not None else None
    return None if declared is None else declared.default


def _set(text: str, name: str) -> Any:
    """What a template sets a name to, as plain data; `SQLRelation([...])` counts as its list."""
    for key, value in _SET.findall(text):
        if key == name:
            inner = re.sub(r"^\w+\((.*)\)\s*$", r"\1", value.strip(), flags=re.DOTALL)
            try:
                return ast.literal_eval(inner)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return None
    return None


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list | tuple | dict) else []


def _function(source: Source, dotted: str) -> ast.AST | None:
    """The function `package.module:name`, looked for below the folder of the file, and in its `src`."""
    module, _, name = dotted.partition(":")
    for path in _modules(source, module):
        try:
            tree = parse_python(source.content(path))
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                return node
    return None


def _modules(source: Source, module: str) -> Iterator[str]:
    """Where a module may be."""
    for start in ("", "src/"):
        stem = "/".join(filter(None, [source.folder, start + module.replace(".", "/")]))
        yield from (f"{stem}.py", f"{stem}/__init__.py")


def _used(tree: ast.AST | None) -> Iterator[str]:
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Subscript(value=ast.Name(id="upstream"), slice=ast.Constant(value=str() as name)):
                yield name

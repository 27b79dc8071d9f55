"""What looks like a secret in the files of a project: its pipelines, notebooks and settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.code.leaks import SILENCE, Leak, leaks_in
from stagebook.errors import Problem
from stagebook.pipeline.notebook_file import NotebookUnreadable, parse_notebook, read_bytes

_HINT = f"take it out, and renew it; use ${{secret.NAME}}. If it is none, end the line with: # {SILENCE}"
_TEXT = ("text/plain", "text/html", "text/markdown")


def find_leaks(root: Path, paths: Iterable[str]) -> list[Problem]:
    """What looks like a secret in these files of the project, each with its place and never with its value."""
    found = []
    for path in dict.fromkeys(paths):
        leaks = _in_notebook(root / path) if path.endswith(".ipynb") else _in_text(root / path)
        for where, leak in leaks:
            place = {} if where else {"line": leak.line, "column": leak.column}
            message = f"{where}what looks like {leak.what}"
            found.append(Problem(path=path, message=message, hint=_HINT, **place))
    return found


def _in_text(path: Path) -> Iterator[tuple[str, Leak]]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
        yield from (("", leak) for leak in leaks_in(text, is_yaml=path.suffix in {".yaml", ".yml"}))


def _in_notebook(path: Path) -> Iterator[tuple[str, Leak]]:
    try:
        data = read_bytes(path)
        notebook, saved = parse_notebook(data), json.loads(data.decode("utf-8-sig")).get("cells")
    except NotebookUnreadable:  # which is reported
        return
    number = 0
    for at, cell in enumerate(notebook["cells"], start=1):
        is_code = cell["cell_type"] == "code" and bool(cell["source"].strip())
        number += is_code
        name = f"cell {number}" if is_code else f"the {cell['cell_type']} cell at place {at}"
        for leak in leaks_in(cell["source"]):
            yield f"{name}, line {leak.line}: ", leak
        for text in _texts(saved[at - 1] if saved else {}):  # without outputs of older formats
            for leak in leaks_in(text, only_formats=True):
                yield f"an output of {name}: ", leak
                break


def _texts(cell: Mapping[str, Any]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, Mapping):
            data = output.get("data")
            shown = [data.get(kind) for kind in _TEXT] if isinstance(data, Mapping) else []
            for text in (output.get("text"), output.get("traceback"), *shown):
                if isinstance(text, str | list):
                    yield text if isinstance(text, str) else "".join(map(str, text))

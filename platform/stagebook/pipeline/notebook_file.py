"""The file of a notebook as plain data: upgraded to nbformat 4, and repaired where what is meant is plain.

Notebooks come from JupyterLab, Colab, Kaggle, Databricks, VS Code, papermill, nbformat and scripts that write JSON.
What nbformat and papermill repair is repaired here, for planning and execution alike; the rest is refused, with its
place. Outputs are left out: a run makes its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from stagebook.pipeline.types import describe

MAX_BYTES = 100_000_000
PARAMETERS_TAG = "parameters"
DATABRICKS = "application/vnd.databricks.v1+notebook"  # in the metadata of what Databricks exports
_KINDS = ("code", "markdown", "raw")
_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"{\x00", "UTF-16"), (b"\x00{", "UTF-16"))
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONE = re.compile("[\ud800-\udfff]")
_OPEN_AND_SAVE = "open and save it in JupyterLab, or name another file"
_UPGRADE = "open and save it in JupyterLab, which upgrades it"


class NotebookUnreadable(ValueError):
    """The file is not a notebook. `hint` may say what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def parse_notebook(content: bytes) -> dict[str, Any]:
    """A notebook from the content of its file, as `repair` returns it. Raises `NotebookUnreadable`."""
    if len(content) > MAX_BYTES:
        _refuse_size()
    if name := next((name for mark, name in _MARKS if content.startswith(mark)), ""):
        raise NotebookUnreadable(f"is {name} and not UTF-8 text", "save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text)
    except UnicodeDecodeError as error:
        raise NotebookUnreadable("is not UTF-8 text", _OPEN_AND_SAVE) from error
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not content.strip() else str(error)
        raise NotebookUnreadable(f"is not a notebook: {reason}", _OPEN_AND_SAVE) from error
    return repair(data)


def read_bytes(path: Path) -> bytes:
    """The content of a notebook's file. Raises `NotebookUnreadable`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            _refuse_size()
        return path.read_bytes()
    except OSError as error:
        raise NotebookUnreadable(f"cannot be read: {error.strerror}") from error


def _refuse_size() -> NoReturn:
    msg = f"the notebook is larger than {MAX_BYTES // 1_000_000} MB"
    raise NotebookUnreadable(msg, "clear its outputs")


def repair(data: Any) -> dict[str, Any]:
    """A notebook of nbformat 4 from the JSON of a file, which is left as it is.

    Every cell has `cell_type`, `metadata` and its `source` as text; `tags` are a list of texts where there are any.
    `kernelspec` and `language_info` are mappings, or not there. Raises `NotebookUnreadable`.
    """
    try:
        return _repaired(data)
    except RecursionError:
        raise NotebookUnreadable("is not a notebook: it is nested too deeply", _OPEN_AND_SAVE) from None


def _repaired(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NotebookUnreadable("is not a notebook: it has no list of cells")
    version = data.get("nbformat")
    if version in (2, 3) and isinstance(data.get("worksheets"), list):
        data = _upgraded(data)
    elif not isinstance(data.get("cells"), list):
        raise NotebookUnreadable("is not a notebook: it has no list of cells")
    elif version != 4 or isinstance(version, bool):
        msg = f"is not a notebook of nbformat 4: its 'nbformat' is {describe(version)}"
        raise NotebookUnreadable(msg, _UPGRADE)
    cells = _cells(data["cells"])
    minor = data.get("nbformat_minor")
    if not isinstance(minor, int) or isinstance(minor, bool) or minor < 0:
        minor = 5 if any("id" in cell for cell in cells) else 4
    if minor >= 5:
        _give_ids(cells)
    else:
        for cell in cells:
            cell.pop("id", None)  # the format has none before 4.5
    metadata = _sound(_mapping(data, "metadata"))
    _repair_metadata(metadata)
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": cells}


def language_of(notebook: dict[str, Any]) -> str:
    """The language of the cells of a repaired notebook, in lower case."""
    metadata = notebook["metadata"]
    spec, info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    return str(spec.get("language") or info.get("name") or "python").lower()


def tags_of(cell: dict[str, Any]) -> Sequence[str]:
    """The tags of a cell."""
    tags = _mapping(cell, "metadata").get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def source_of(cell: dict[str, Any]) -> str:
    """The source of a cell; nbformat allows a text or a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _mapping(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """A notebook of nbformat 3 as one of 4, as `nbformat.v4.convert` makes it."""
    cells = []
    for sheet in data["worksheets"]:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        cells += found if isinstance(found, list) else []
    code = [cell for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    language = next((cell.get("language") for cell in code), None)
    metadata = {**_mapping(data, "metadata")}
    metadata.pop("name", None)
    if isinstance(language, str) and language != "python":
        metadata.setdefault("language_info", {"name": language})
    return {"metadata": metadata, "cells": cells}


def _cells(found: Sequence[Any]) -> list[dict[str, Any]]:
    cells, number = [], 0
    for at, cell in enumerate(found, start=1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        kind = "markdown" if kind in ("heading", "html") else kind  # nbformat 3 had these
        if kind not in _KINDS:
            what = f"has the type {describe(kind)}" if kind is not None else "has no type"
            msg = f"is not a notebook: the cell at place {at} {what}; there are {', '.join(_KINDS)}"
            raise NotebookUnreadable(msg, _OPEN_AND_SAVE)
        source = _source(cell, at)
        number += kind == "code" and bool(source.strip())
        if lone := _LONE.search(source):
            where = f"cell {number}" if kind == "code" else f"the {kind} cell at place {at}"
            msg = f"holds half a character (\\u{ord(lone[0]):04x}) in {where}"
            raise NotebookUnreadable(msg, "remove it, or write the whole character")
        cells.append(_cell(cell, kind, source))
    return cells


def _source(cell: dict[str, Any], at: int) -> str:
    source = cell.get("source", cell.get("input"))  # nbformat 3 had `input`
    lines = source if isinstance(source, list) else ["" if source is None else source]
    if not all(isinstance(line, str) for line in lines):
        msg = f"is not a notebook: the source of the cell at place {at} is {describe(source)}, not text"
        raise NotebookUnreadable(msg, _OPEN_AND_SAVE)
    text = "".join(lines)
    if cell.get("cell_type") == "heading":
        level = cell.get("level")
        signs = "#" * level if isinstance(level, int) and 0 < level < 7 else "#"
        return f"{signs} {' '.join(text.splitlines())}"
    return text


def _cell(cell: dict[str, Any], kind: str, source: str) -> dict[str, Any]:
    metadata = _sound(_mapping(cell, "metadata"))
    _repair_tags(metadata, is_code=kind == "code")
    if not isinstance(metadata.get("papermill", {}), dict):
        del metadata["papermill"]
    made: dict[str, Any] = {"cell_type": kind, "metadata": metadata, "source": source}
    if "id" in cell:
        made["id"] = cell["id"]
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    elif isinstance(cell.get("attachments"), dict):
        made["attachments"] = _sound(cell["attachments"])
    return made


def _repair_tags(metadata: dict[str, Any], *, is_code: bool) -> None:
    """Tags as a list of texts; one text is a list of words. The parameters cell is a code cell."""
    tags = metadata.pop("tags", None)
    tags = re.split(r"[\s,]+", tags.strip()) if isinstance(tags, str) else tags
    if isinstance(tags, list):
        known = dict.fromkeys(tag for tag in tags if isinstance(tag, str) and tag)
        metadata["tags"] = [tag for tag in known if is_code or tag != PARAMETERS_TAG]


def _repair_metadata(metadata: dict[str, Any]) -> None:
    spec = metadata.pop("kernelspec", None)
    spec = {"name": spec} if isinstance(spec, str) else spec
    if isinstance(spec, dict):
        texts = ("name", "display_name", "language")
        metadata["kernelspec"] = {
            key: value
            for key, value in spec.items()
            if key not in texts or (isinstance(value, str) and value)
        }
    info = metadata.pop("language_info", None)
    info = {"name": info} if isinstance(info, str) else info
    if isinstance(info, dict) and isinstance(info.get("name"), str) and info["name"]:
        metadata["language_info"] = info
    for key in ("papermill", "stagebook"):
        if not isinstance(metadata.get(key, {}), dict):
            del metadata[key]


def _give_ids(cells: Sequence[dict[str, Any]]) -> None:
    """An id of its own for each cell, as nbformat 4.5 wants it."""
    taken: set[str] = set()
    for at, cell in enumerate(cells):
        known = cell.get("id")
        if not (isinstance(known, str) and _ID.fullmatch(known)) or known in taken:
            known = f"cell-{at}"
            while known in taken:
                known += "-"
        cell["id"] = known
        taken.add(known)


def _sound(value: Any) -> Any:
    """Plain data with a `?` in the place of each half of a character, which no file can hold. Does not change `value`."""
    match value:
        case str():
            return value if value.isascii() else _LONE.sub("?", value)
        case list():
            return [_sound(item) for item in value]
        case dict():
            return {_sound(key): _sound(item) for key, item in value.items()}
    return value

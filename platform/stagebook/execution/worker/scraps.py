"""Scraps: the named values that a notebook glued with scrapbook, read from its outputs.

scrapbook's own reader drops the value of a scrap that is also displayed, and needs pandas; the
format is simple: an output of MIME type `application/scrapbook.scrap.{json,text,pandas}+json`
holds `{name, data, encoder, version}`, and a displayed scrap is an ordinary output whose metadata
has `{"scrapbook": {"name": …, "display": true}}`
(https://nteract-scrapbook.readthedocs.io/en/latest/models.html).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PREFIX = "application/scrapbook.scrap."
MAX_INLINE = 20_000  # characters of JSON; a larger value is kept as a file
_DISPLAYS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/svg+xml": ".svg",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


def read_scraps(
    cells: Sequence[Mapping[str, Any]], folder: Path, root: Path | None = None
) -> dict[str, dict[str, Any]]:
    """The scraps of executed cells; of two with one name the later wins. Paths within the project, `root`, become
    relative to it, as pipelines have them: a notebook makes them of the absolute ones that it gets.

    Returns name → `{kind: json | text | pandas | display, value | file}`. Large values, tables
    (Parquet) and displays are written to `folder`, and `file` is the name there.
    """
    scraps: dict[str, dict[str, Any]] = {}
    for output in _outputs(cells):
        data = output.get("data") or {}
        for mime, payload in data.items():
            if mime.startswith(PREFIX) and isinstance(payload, Mapping) and "name" in payload:
                name = str(payload["name"])
                kind = mime.removeprefix(PREFIX).removesuffix("+json")
                scraps[name] = _keep(name, kind, _relative(payload.get("data"), root), folder)
        mark = (output.get("metadata") or {}).get("scrapbook") or {}
        if mark.get("display") and mark.get("name"):
            name = str(mark["name"])
            shown = _keep_display(name, data, folder)
            if shown and scraps.get(name, {}).get("kind") in {None, "display"}:
                scraps[name] = shown
    return scraps


def _outputs(cells: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for cell in cells:
        for output in cell.get("outputs") or ():
            if output.get("output_type") in {"display_data", "execute_result"}:
                yield output


def _keep(name: str, kind: str, value: Any, folder: Path) -> dict[str, Any]:
    if kind == "pandas":
        try:
            table = base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            return {"kind": "text", "value": "a table that could not be read"}
        return {"kind": kind, "file": _write(folder, name, ".parquet", table)}
    text = json.dumps(value, default=str)
    if len(text) <= MAX_INLINE:
        return {"kind": kind, "value": value}
    return {"kind": kind, "file": _write(folder, name, ".json", text.encode())}


def _relative(value: Any, root: Path | None) -> Any:
    match value:
        case str() if root is not None and value.startswith(f"{root}{os.sep}") and value.isprintable():
            return value[len(str(root)) + 1 :].replace(os.sep, "/")
        case list():
            return [_relative(item, root) for item in value]
        case dict():
            return {name: _relative(item, root) for name, item in value.items()}
    return value


def _keep_display(name: str, data: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    for mime, suffix in _DISPLAYS.items():
        if mime not in data:
            continue
        text = data[mime]
        text = "".join(text) if isinstance(text, list) else str(text)
        binary = mime in {"image/png", "image/jpeg"}
        try:
            raw = base64.b64decode(text) if binary else text.encode()
        except (binascii.Error, ValueError):
            continue
        return {"kind": "display", "mime": mime, "file": _write(folder, name, suffix, raw)}
    return None


def _write(folder: Path, name: str, suffix: str, data: bytes) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:80] or "scrap"
    file = folder / f"{stem}{suffix}"
    file.write_bytes(data)
    return file.name

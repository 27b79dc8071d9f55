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
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.planning.result import MAX_INLINE
from stagebook.scraps import file_of, in_file, kinds_in_files, values_of, with_value

PREFIX = "application/scrapbook.scrap."
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
                scraps[name] = _keep(_File(name, folder, scraps), kind, _relative(payload.get("data"), root))
        mark = (output.get("metadata") or {}).get("scrapbook") or {}
        if mark.get("display") and mark.get("name"):
            name = str(mark["name"])
            shown = _keep_display(_File(name, folder, scraps), data)
            if (
                shown
                and name not in values_of(scraps)
                and kinds_in_files(scraps).get(name, "display") == "display"
            ):
                scraps[name] = shown
    return scraps


def _outputs(cells: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for cell in cells:
        for output in cell.get("outputs") or ():
            if output.get("output_type") in {"display_data", "execute_result"}:
                yield output


def _keep(file: _File, kind: str, value: Any) -> dict[str, Any]:
    if kind == "pandas":
        try:
            table = base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            return with_value("text", "a table that could not be read")
        return in_file(kind, file.write(".parquet", table))
    text = json.dumps(value, default=str)
    if len(text) <= MAX_INLINE:
        return with_value(kind, value)
    return in_file(kind, file.write(".json", text.encode()))


def _relative(value: Any, root: Path | None) -> Any:
    match value:
        case str() if root is not None and value.startswith(f"{root}{os.sep}") and value.isprintable():
            return value[len(str(root)) + 1 :].replace(os.sep, "/")
        case list():
            return [_relative(item, root) for item in value]
        case dict():
            return {name: _relative(item, root) for name, item in value.items()}
    return value


def _keep_display(file: _File, data: Mapping[str, Any]) -> dict[str, Any] | None:
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
        return in_file("display", file.write(suffix, raw), mime=mime)
    return None


class _File:
    """The file of a scrap. Names that become alike get files of their own: `scraps` are those that were read before."""

    def __init__(self, name: str, folder: Path, scraps: Mapping[str, Mapping[str, Any]]) -> None:
        self._folder = folder
        self._name = name
        others = (scrap for other, scrap in scraps.items() if other != name)
        self._taken = {file_of(scrap).casefold() for scrap in others}

    def write(self, suffix: str, data: bytes) -> str:
        """Write it; its name. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", self._name).strip(".-")[:80] or "scrap"
        if f"{stem}{suffix}".casefold() in self._taken:
            mark = hashlib.sha256(self._name.encode("utf-8", "surrogatepass")).hexdigest()
            stem = f"{stem}-{mark[:8]}"
        file = self._folder / f"{stem}{suffix}"
        file.write_bytes(data)
        return file.name

"""The beginning of a file that a stage reads or writes. Nothing else can be read, and never more than a bounded part."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError
from stagebook.planning.plan import Plan
from stagebook.project import Project
from stagebook.runs.stored import connected
from stagebook.tables import sql
from stagebook.tables.duck import QueryFailed
from stagebook.tables.kinds import is_number
from stagebook.tables.source import Format, NoTable, Source, source_of
from stagebook.workspace.paths import PathRefused, inside_for_input
from stagebook_lab import wire

ROWS = 20
COLUMNS = 50
CELL = 200  # characters of a value
TEXT = 64 << 10  # bytes of a text
JSON = 1 << 20  # bytes of a JSON file that is put into lines
IMAGE = 5 << 20  # bytes of a picture
NAMES = 200  # of the files in a folder

# A browser shows these as pictures, by which no script runs.
_IMAGES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".svg": "image/svg+xml",
}  # fmt: skip
# To learn the columns of JSON DuckDB reads all of it.
_TABLES = {Format.CSV, Format.PARQUET, Format.DUCKDB, Format.DELTA}


def file_preview(project: Project, plan: Plan, text: str) -> wire.FilePreview:
    """The beginning of a file that is an input or an output of a stage of a plan.

    Raises:
        UsageError: it is neither, or a place outside of the project.
    """
    path = _place(project, plan, text)
    try:
        found = path.stat()
    except FileNotFoundError:
        return wire.FilePreview(kind="missing", note="The file is not there.")
    common = {"size": 0 if path.is_dir() else found.st_size, "modified": found.st_mtime}
    return wire.FilePreview(**{**common, **_content(project.root, path)})


def _place(project: Project, plan: Plan, text: str) -> Path:
    files = {path for stage in plan.stages for it in stage.inputs.values() for path in it.paths}
    files |= {it.path for stage in plan.stages for it in stage.outputs.values()}
    if text not in files:
        raise UsageError(f"'{text[:200]}' is no input and no output of a stage")
    try:
        return project.root / inside_for_input(project.root, text)
    except PathRefused as error:
        raise UsageError(str(error), hint=error.hint) from error


def _content(root: Path, path: Path) -> dict[str, Any]:
    if not (path.is_file() or path.is_dir()):
        return {"kind": "binary", "note": "It is no regular file."}
    note = ""
    try:
        source = source_of(path)
        if source.format in _TABLES:
            return _table(root, source)
    except (NoTable, QueryFailed) as error:
        # What is no table is shown as what it is.
        note = f"It cannot be read as a table: {error}." if path.suffix in {".csv", ".parquet"} else ""
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() in _IMAGES:
        return _image(path)
    return {"note": note, **_text(path)}


def _table(root: Path, source: Source) -> dict[str, Any]:
    with connected({"t": source}, root) as connection:
        kinds = list(connection.columns("t").items())
        shown = kinds[:COLUMNS]
        names = sql.names(name for name, _ in shown)
        rows = [
            tuple(_cell(value) for value in row)
            for row in connection.rows(f"SELECT {names} FROM t LIMIT {ROWS}")  # noqa: S608 - quoted names
        ]
        counted = source.format is Format.PARQUET  # which its metadata says
        total = int(connection.rows("SELECT count(*) FROM t")[0][0]) if counted else None
    columns = tuple(
        wire.FileColumn(
            name=_cut(name),
            type="" if source.is_text else kind[:CELL],
            is_number=_are_numbers(row[at] for row in rows) if source.is_text else is_number(kind),
        )
        for at, (name, kind) in enumerate(shown)
    )
    note = f"The first {COLUMNS} of {len(kinds):,} columns." if len(kinds) > COLUMNS else ""
    return {"kind": "table", "columns": columns, "rows": tuple(rows), "total": total, "note": note}


def _cell(value: Any) -> str:
    return "" if value is None else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def _are_numbers(values: Any) -> bool:
    given = [value for value in values if value]
    try:
        return [float(value) for value in given] != []
    except ValueError:
        return False


def _image(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(IMAGE + 1)
    if len(data) > IMAGE:
        return {"kind": "binary", "note": f"Pictures of more than {IMAGE >> 20} MB are not shown here."}
    media = _IMAGES[path.suffix.lower()]
    return {"kind": "image", "media": media, "data": base64.b64encode(data).decode()}


def _folder(path: Path) -> dict[str, Any]:
    with os.scandir(path) as entries:
        names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries)
    note = f"The first {NAMES} of {len(names):,} files." if len(names) > NAMES else ""
    return {"kind": "folder", "text": "\n".join(names[:NAMES]), "note": note}


def _text(path: Path) -> dict[str, Any]:
    is_json = path.suffix.lower() in {".json", ".geojson", ".ipynb"}
    with path.open("rb") as file:
        data = file.read((JSON if is_json else TEXT) + 1)
    if is_json and len(data) <= JSON and (lines := _as_lines(data)) is not None:
        return {"kind": "json", **_shortened(lines)}
    if b"\0" in data[:TEXT]:
        return {"kind": "binary", "note": "What is in it is no text."}
    return {"kind": "text", **_shortened(data[: TEXT + 1].decode("utf-8", "replace"))}


def _as_lines(data: bytes) -> str | None:
    """JSON in lines; `None` where it is none."""
    try:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _shortened(text: str) -> dict[str, Any]:
    is_long = len(text) > TEXT
    return {"text": text[:TEXT], **({"note": f"The first {TEXT >> 10} kB."} if is_long else {})}

"""The beginnings of files that stages read or write."""

from __future__ import annotations

import dataclasses
from typing import Literal

FileKind = Literal["table", "image", "text", "json", "folder", "binary", "missing"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileColumn:
    """A column of a table with its type, which is empty where the file has none. `is_number`: its values are numbers."""

    name: str
    type: str
    is_number: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilePreview:
    """The beginning of a file. `modified` is null where it is not there; `size` is in bytes. A `table` has `columns` and
    `rows` of text, and `total` rows where that is known without reading it all; an `image` its `media` type and its `data`
    in base64; `text`, `json` and a `folder` have `text`. `note` says what is missing, and why."""

    kind: FileKind
    size: int = 0
    modified: float | None = None
    note: str = ""
    text: str = ""
    columns: tuple[FileColumn, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    total: int | None = None
    media: str = ""
    data: str = ""

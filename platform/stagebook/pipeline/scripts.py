"""Percent scripts (`.py`) and Markdown (`.md`) as notebooks. The only door to jupytext.

A converted notebook is kept under the content of its script: it costs nothing to read again, and its
cells keep their ids, which jupytext makes anew at each read.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.system.files import make_private, write_whole

_CHECKSUM = "stagebook_sum"  # in the metadata: the checksum of the cells


def is_intact(content: bytes) -> bool:
    """Whether the content of a converted notebook has the cells that `convert` wrote."""
    try:
        data = json.loads(content)
        return bool(data["metadata"][_CHECKSUM] == _checksum(data["cells"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def convert(content: bytes, suffix: str, target: Path) -> None:
    """Convert the content of a script, and write the notebook to `target`, whole or not at all.

    Raises:
        NotebookUnreadable: jupytext cannot read the script, or the notebook cannot be written.
    """
    notebook = _read(content, suffix)
    spec = notebook.metadata.setdefault("kernelspec", {})
    spec.setdefault("name", "python3")
    spec.setdefault("display_name", "Python 3")
    spec.setdefault("language", "python")
    for at, cell in enumerate(notebook.cells):
        digest = hashlib.sha256(f"{at}\0{cell.source}".encode()).hexdigest()
        cell["id"] = digest[:12]
    notebook.metadata[_CHECKSUM] = _checksum(notebook.cells)
    try:
        make_private(target.parent)
        write_whole(target, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        msg = f"cannot be converted to a notebook: {error.strerror}: {error.filename}"
        raise NotebookUnreadable(msg) from error


def _read(content: bytes, suffix: str) -> Any:
    # jsonschema, which jupytext imports, imports rfc3987_syntax where it is installed, for checks of URLs
    # that nothing here uses. That takes over a second; a None in sys.modules makes it fail at once.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import jupytext  # noqa: PLC0415 - takes a second, which only a new or changed script is worth

    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()
        return jupytext.reads(text, fmt=f"{suffix[1:]}:{'percent' if suffix == '.py' else 'markdown'}")
    except UnicodeDecodeError as error:
        raise NotebookUnreadable("is not UTF-8 text", "save the file as UTF-8") from error
    except Exception as error:  # jupytext lets through whatever its YAML reader and nbformat raise
        msg = f"is not a notebook script: {error}"
        raise NotebookUnreadable(msg, "start its cells with '# %%'") from error


def _checksum(cells: Any) -> str:
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()

"""Scripts (`.py`) and Markdown (`.md`) as notebooks. The only door to jupytext.

A script is in the percent format, or in the one of jupytext's that its header names or its cells show, or a
source of Databricks. A converted notebook is kept under the content of its script: it costs nothing to read again,
and its cells keep their ids, which jupytext makes anew at each read.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from stagebook.pipeline.databricks import is_source, read_source
from stagebook.pipeline.notebook_file import NotebookUnreadable
from stagebook.system.files import make_private, write_whole

VERSION = 2  # of what `convert` makes of a script
_CHECKSUM = "stagebook_sum"  # in the metadata: the checksum of the cells

_PERCENT = re.compile(r"^# ?%%|^# (?:<codecell>|In\[)", re.MULTILINE)
_LIGHT = re.compile(r"^# (?:\+(?:[ \t]+(?:\{|\[|\w+=).*)?|-)[ \t]*$", re.MULTILINE)
_MARIMO = re.compile(r"^(?:import marimo|app = marimo\.App\(.*|@app\.cell.*)[ \t]*$", re.MULTILINE)
_MYST = re.compile(r"^(?:```|~~~)\{code-cell\}", re.MULTILINE)
_FENCE = re.compile(
    r"^(?:```|~~~)[ \t]*(\{\.?python\b.*\}|py|ipython3?|Python3?|python3?\.\d+)[ \t]*$", re.MULTILINE
)


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
    spec = notebook["metadata"].setdefault("kernelspec", {})
    spec.setdefault("name", "python3")
    spec.setdefault("display_name", "Python 3")
    spec.setdefault("language", "python")
    for at, cell in enumerate(notebook["cells"]):
        digest = hashlib.sha256(f"{at}\0{cell['source']}".encode()).hexdigest()
        cell["id"] = digest[:12]
    notebook["metadata"][_CHECKSUM] = _checksum(notebook["cells"])
    try:
        make_private(target.parent)
        write_whole(target, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        msg = f"cannot be converted to a notebook: {error.strerror}: {error.filename}"
        raise NotebookUnreadable(msg) from error


def doubts_of(content: bytes, suffix: str) -> tuple[tuple[str, str], ...]:
    """What of a script may not be run although it is meant to, each with what to do about it."""
    found = _FENCE.search(content.decode("utf-8", "replace")) if suffix == ".md" else None
    if found is None:
        return ()
    what = f"has code after ```{found[1]}, which is shown and not run"
    return ((what, "begin the cells that are to run with ```python"),)


def _read(content: bytes, suffix: str) -> Any:
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise NotebookUnreadable("is not UTF-8 text", "save the file as UTF-8") from error
    if suffix == ".py" and is_source(text):
        return read_source(text)
    # jsonschema, which jupytext imports, imports rfc3987_syntax where it is installed, for checks of URLs
    # that nothing here uses. That takes over a second; a None in sys.modules makes it fail at once.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import jupytext  # noqa: PLC0415 - takes a second, which only a new or changed script is worth

    form = f"{suffix[1:]}:{_format_of(text, suffix)}"
    try:
        return jupytext.reads(text, fmt=form)
    except Exception as error:  # jupytext lets through whatever its YAML reader and nbformat raise
        msg = f"is not a notebook script: {error}"
        raise NotebookUnreadable(msg, "start its cells with '# %%'") from error


def _format_of(text: str, suffix: str) -> str:
    """The format of a script whose header names none; jupytext takes one that it names."""
    if suffix == ".md":
        return "myst" if _MYST.search(text) else "markdown"
    if _PERCENT.search(text):
        return "percent"
    if len(set(_MARIMO.findall(text))) > 1:
        hint = "marimo exports it: marimo export ipynb NAME.py -o NAME.ipynb"
        raise NotebookUnreadable("is a marimo notebook, which Jupyter does not run", hint)
    return "light" if _LIGHT.search(text) else "percent"


def _checksum(cells: Any) -> str:
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()

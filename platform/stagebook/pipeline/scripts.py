"""Percent scripts (`.py`, `.md`) as notebooks. The only door to jupytext.

Converted notebooks are kept by the content of the script: reading one again costs nothing, and
its cells keep their ids, which jupytext makes anew at each read.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path

# jsonschema imports rfc3987_syntax where it is installed, for checks of URLs that nothing here
# uses, and that takes over a second. A None in sys.modules makes the import fail at once.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import jupytext  # noqa: E402 - after the line above

from stagebook.pipeline.converted import SUM, sum_of  # noqa: E402
from stagebook.pipeline.notebook import NotebookUnreadable  # noqa: E402
from stagebook.system.files import write_whole  # noqa: E402


def convert(content: bytes, suffix: str, target: Path) -> None:
    """Write the notebook that the content of a script stands for to `target`, whole or not at all.

    Raises:
        NotebookUnreadable: jupytext cannot read the script.
    """
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()
        notebook = jupytext.reads(text, fmt=f"{suffix[1:]}:{'percent' if suffix == '.py' else 'markdown'}")
    except UnicodeDecodeError as error:
        msg = "is not UTF-8 text"
        raise NotebookUnreadable(msg, "save the file as UTF-8") from error
    except Exception as error:
        msg = f"is not a notebook script: {error}"
        raise NotebookUnreadable(msg, "start its cells with '# %%'") from error
    spec = notebook.metadata.setdefault("kernelspec", {})
    spec.setdefault("name", "python3")
    spec.setdefault("display_name", "Python 3")
    spec.setdefault("language", "python")
    for at, cell in enumerate(notebook.cells):
        digest = hashlib.sha256(f"{at}\0{cell.source}".encode()).hexdigest()
        cell["id"] = digest[:12]
    notebook.metadata[SUM] = sum_of(notebook.cells)
    try:
        for folder in (*reversed(target.parent.parents), target.parent):
            # One by one: the mode of `makedirs` holds for the last folder alone.
            if not folder.is_dir():
                folder.mkdir(exist_ok=True, mode=0o700)
        write_whole(target, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        msg = f"cannot be converted to a notebook: {error.strerror}: {error.filename}"
        raise NotebookUnreadable(msg) from error

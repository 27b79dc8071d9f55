"""A notebook as nbformat writes it, turned into what JupyterLab shows."""

from __future__ import annotations

import re
from typing import Any

from stagebook.errors import StagebookError

# nbformat writes a text as a list of lines; in data of these types a list is a list.
_JSON = re.compile(r"application/(.*\+)?json")


def for_lab(content: Any) -> Any:
    """A notebook with each text in one piece, and with every cell marked as untrusted, which JupyterLab goes by.

    Raises:
        StagebookError: it is no notebook.
    """
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise StagebookError("the executed notebook is no notebook")
    for cell in _items(content["cells"]):
        metadata = cell.get("metadata")
        cell["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), "trusted": False}
        _join_lines(cell)
    return content


def _join_lines(cell: dict[str, Any]) -> None:
    """Join the lines of source, attachments and outputs. A traceback is a list of entries, and stays one."""
    if "source" in cell:
        cell["source"] = _joined(cell["source"])
    for attachment in _items(cell.get("attachments")):
        _join_data(attachment)
    for output in _items(cell.get("outputs")):
        if "text" in output:
            output["text"] = _joined(output["text"])
        _join_data(output.get("data"))
        if isinstance(output.get("traceback"), str):
            output["traceback"] = [output["traceback"]]


def _join_data(data: Any) -> None:
    if isinstance(data, dict):
        for kind, value in data.items():
            if not _JSON.fullmatch(kind):
                data[kind] = _joined(value)


def _joined(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _items(found: Any) -> list[dict[str, Any]]:
    """The items of a list, or the values of a dict, that are dicts."""
    values = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [value for value in values if isinstance(value, dict)]

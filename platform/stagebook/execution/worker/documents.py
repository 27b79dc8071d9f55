"""Executed notebooks as outputs of their stages: as notebooks, web pages or Markdown. The only door to nbconvert.

A document is the same for the same cells and outputs: what is of one execution alone (times, ids, the paths of its folder) is
not in it, so that stages that read it are not run for nothing.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import INJECTED_TAG, NOTEBOOK_FILE, Attempt, OutputSlot
from stagebook.pipeline.documents import MARKDOWN, NOTEBOOK
from stagebook.system.files import utf8, write_whole

# Of this execution, in the metadata of the notebook and of its cells.
_OF_NOTEBOOK = ("papermill", "stagebook")
_OF_CELL = ("papermill", "execution", "ExecuteTime")
_CELL_FILE = re.compile(r"[^\s\"'<>()]*/ipykernel_[0-9]+/[0-9]+\.py")  # what IPython says that a cell is in
_BINARY = re.compile(r"(?:image/(?!svg)|audio/|video/|application/(?:pdf|zip|octet-stream))")


def write_documents(attempt: Attempt) -> None:
    """Write the executed notebook of an attempt to each output of the kind `notebook`. Raises `OSError`, and
    `StageFailure` where it cannot be converted."""
    slots = [slot for slot in attempt.outputs.values() if slot.kind == "notebook"]
    if not slots:
        return
    executed = (Path(attempt.folder) / NOTEBOOK_FILE).read_text(encoding="utf-8")
    notebook: NotebookNode = nbformat.reads(executed, as_version=4)  # type: ignore[no-untyped-call]
    _settle(notebook, _without_paths(attempt))
    for slot in slots:
        write_whole(Path(attempt.root) / slot.staged, utf8(_written(notebook, slot, attempt)))


def _written(notebook: NotebookNode, slot: OutputSlot, attempt: Attempt) -> str:
    """The text of a document. Raises `StageFailure`."""
    if slot.path.endswith(NOTEBOOK):
        return str(nbformat.v4.writes(notebook)) + "\n"  # type: ignore[no-untyped-call]
    try:
        return _converted(notebook, slot, attempt)
    except Exception as error:  # whatever a template meets in an output, logged and told
        logging.getLogger(__name__).exception("the executed notebook could not be converted")
        msg = f"the executed notebook could not be written as {slot.path}: {type(error).__name__}: {error}"
        raise StageFailure(msg, cause=Cause.INTERNAL) from error


def _converted(notebook: NotebookNode, slot: OutputSlot, attempt: Attempt) -> str:
    # Only where a page is asked for: it takes half a second.
    from nbconvert import HTMLExporter, MarkdownExporter  # noqa: PLC0415

    kind = MarkdownExporter if slot.path.endswith(MARKDOWN) else HTMLExporter
    config = Config()
    config.TemplateExporter.exclude_input = not slot.code
    config.TemplateExporter.exclude_output_prompt = not slot.code
    config.HTMLExporter.embed_images = True  # a document is one file
    config.ExtractOutputPreprocessor.enabled = False
    config.ExtractAttachmentsPreprocessor.enabled = False
    if kind is MarkdownExporter:
        notebook = _with_attachments(notebook)
    beside = str((Path(attempt.root) / attempt.notebook).parent)
    about = {"metadata": {"name": Path(attempt.notebook).stem, "path": beside}}
    text, _ = kind(config=config).from_notebook_node(notebook, about)
    return str(text)


def _with_attachments(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the attachments of its cells within their texts: Markdown has no others."""
    made: NotebookNode = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    for cell in made.cells:
        for name, kinds in cell.get("attachments", {}).items():
            for mime, data in list(kinds.items())[:1]:
                cell["source"] = cell["source"].replace(f"attachment:{name}", f"data:{mime};base64,{data}")
    return made


# -- what is of one execution alone -----------------------------------------------------------------


def _settle(notebook: NotebookNode, changed: Callable[[str], str]) -> None:
    """Take out what is of this execution alone. `changed` makes a text without its paths."""
    for key in _OF_NOTEBOOK:
        notebook.metadata.pop(key, None)
    for at, cell in enumerate(notebook.cells, 1):
        for key in _OF_CELL:
            cell.metadata.pop(key, None)
        if "id" in cell:  # that of the cell with the values is by chance
            cell["id"] = f"cell-{at}"
        if INJECTED_TAG in cell.metadata.get("tags", ()):
            cell["source"] = changed(cell["source"])
        for output in cell.get("outputs", ()):
            _settle_output(output, changed)


def _settle_output(output: NotebookNode, changed: Callable[[str], str]) -> None:
    for key in ("text", "traceback", "evalue"):
        if key in output:
            output[key] = _throughout(output[key], changed)
    for mime, value in output.get("data", {}).items():
        if not _BINARY.match(mime):
            output["data"][mime] = _throughout(value, changed)


def _throughout(value: Any, changed: Callable[[str], str]) -> Any:
    match value:
        case str():
            return changed(value)
        case list():
            return [_throughout(item, changed) for item in value]
        case dict():
            return {key: _throughout(item, changed) for key, item in value.items()}
    return value


def _without_paths(attempt: Attempt) -> Callable[[str], str]:
    """A function that takes the folders of this machine out of a text: an output stands where it is published, and what is
    in the project is seen from its root."""
    places = dict(_places(attempt))
    longest = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
    # A path stands by itself: within an image in base64 the same letters mean something else.
    pattern = re.compile(rf"(?:(?<=file://)|(?<![\w+/=.~-]))({longest})(?![\w+=-])(/?)")

    def put(found: re.Match[str]) -> str:
        return (f"{places[found[1]]}{found[2]}" if places[found[1]] else "") or ("" if found[2] else ".")

    return lambda text: pattern.sub(put, _CELL_FILE.sub("cell", text))


def _places(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """Folders and files of this machine, and what stands in a document in their places."""
    for prefix in (sys.base_prefix, sys.prefix):
        if prefix.count(os.sep) > 1:  # not /usr, in which there is much else
            yield prefix, "python"
    home = os.path.expanduser("~")
    if len(home) > 1:
        yield home, "~"
    staged = [(slot.staged, slot.path) for slot in attempt.outputs.values() if slot.staged != slot.path]
    yield from staged
    for root in (attempt.root, os.path.realpath(attempt.root)):
        yield root, ""
        yield os.path.join(root, os.path.relpath(attempt.folder, attempt.root)), ""
        yield from ((os.path.join(root, path), place) for path, place in staged)

"""Python code that executes notebooks by papermill, as a pipeline file. The code is read and not run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.importing.code_values import NotRead, name_of, plain, source_of
from stagebook.importing.code_walk import Place, Walk
from stagebook.importing.command_line import executed
from stagebook.importing.draft import Draft, StageDraft, name_from
from stagebook.importing.source import Source
from stagebook.pipeline.types import parse_python

CALLS = {"papermill.execute_notebook", "papermill.execute.execute_notebook"}
_PLACES = ("input_path", "output_path", "parameters", "engine_name")
_NOWHERE = {"/dev/null", "-", "os.devnull"}
_SILENT = {"progress_bar", "log_output", "report_mode", "request_save_on_cell_execute", "autosave_cell_every"}


def read_papermill(source: Source) -> Draft | None:
    """The pipeline of Python code with calls of papermill; `None` where there are none. Mistakes are in `source.problems`."""
    tree = tree_of(source)
    if tree is None:
        return None
    reader = _Reader(source)
    Walk(tree, reader.on_call)
    if not reader.draft.stages and not source.problems:
        hint = "it is looked for as papermill.execute_notebook(…), under any name that it is imported by"
        source.report((), "no call of papermill is in the file", hint)
    return reader.draft


def tree_of(source: Source) -> ast.Module | None:
    """The syntax tree of a file; `None` where it is no Python, which is reported."""
    text = source.text()
    if text is None:
        return None
    try:
        return parse_python(text)
    except SyntaxError as error:
        source.report((error.lineno or 1, error.offset or 1), f"not Python: {error.msg}")
        return None


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.draft = Draft(
            name=name_from(source.stem, default="pipeline"), tool="papermill", source=source.path
        )

    def on_call(self, node: ast.Call, name: str, place: Place) -> Any:
        """Take a call of papermill as a stage."""
        if name not in CALLS:
            return None
        given = dict(zip(_PLACES, node.args, strict=False))
        given |= {word.arg: word.value for word in node.keywords if word.arg}
        words = {
            "notebook": given.pop("input_path", None),
            "output": given.pop("output_path", None),
            "params": given.pop("parameters", None),
        }
        before = self.draft.stages[-1].name if self.draft.stages else None
        stage = add_notebook(self.draft, self._source, node, words, place)
        if stage is None:
            return None
        for key, value in given.items():
            _option(stage, self._source, key, value, place)
        if before is not None:
            stage.keys["after"] = [before]  # the order of the code, which may matter
        return stage.name


def add_notebook(
    draft: Draft,
    source: Source,
    node: ast.Call,
    words: Mapping[str, ast.expr | None],
    place: Place,
) -> StageDraft | None:
    """A stage of a call that executes a notebook by papermill. `words`: the arguments `notebook`, `output`, `params`, and
    `name`, if the call gives one. `None` where the notebook is not known, which is reported or noted."""
    where = (node.lineno, node.col_offset + 1)
    notebook = _known(words.get("notebook"), place)
    if not isinstance(notebook, str) or "${" in notebook:
        shown = source_of(words.get("notebook") or node)
        note = f"line {node.lineno}: which notebook {shown} is, is not known without running the code"
        draft.notes.append(note)
        return None
    path = source.inside(notebook, where, folder="")
    called = _known(words.get("name"), place)
    text = called if isinstance(called, str) else PurePosixPath(path).stem
    stage = StageDraft(name=name_from(_bare(text), [one.name for one in draft.stages]), place=where)
    draft.stages.append(stage)
    stage.keys["notebook"] = path
    stage.notes += place.loops.notes
    stage.put("matrix", {axis: [plain(one) for one in values] for axis, values in place.loops.axes.items()})
    if place.loops.zipped:
        stage.keys["instances"] = {"zip": place.loops.zipped}
    _params(stage, words.get("params"), place)
    _output(stage, source, words.get("output"), place, where)
    facts = source.facts(path)
    if facts is not None and facts.parameters is None and "params" in stage.keys:
        stage.keys["inject"] = "first"
    return stage


def _bare(text: str) -> str:
    """A name without the expressions in it."""
    while "${" in text:
        start, _, rest = text.partition("${")
        text = start.rstrip("-_") + rest.partition("}")[2]
    return text


def _known(node: ast.expr | None, place: Place) -> Any:
    """What an argument comes to; `None` where it is not known."""
    if node is None:
        return None
    try:
        return plain(place.values.of(node))
    except (NotRead, RecursionError):
        return None


def _params(stage: StageDraft, node: ast.expr | None, place: Place) -> None:
    if node is None:
        return
    try:
        found = place.values.of(node)
    except (NotRead, RecursionError):
        found = None
    if not isinstance(found, dict):
        stage.notes.append(f"the parameters: {source_of(node)}")
        return
    params: dict[str, Any] = {}
    for key, value in found.items():
        try:
            params[str(key)] = plain(value)
        except NotRead as error:
            stage.notes.append(f"the parameter '{key}': {error}")
    stage.put("params", params)


def _output(
    stage: StageDraft, source: Source, node: ast.expr | None, place: Place, where: tuple[int, int]
) -> None:
    if node is None or name_of(node) in _NOWHERE:
        return
    path = _known(node, place)
    if path is None and isinstance(node, ast.Constant):
        return
    if not isinstance(path, str):
        stage.notes.append(f"where the executed notebook goes: {source_of(node)}")
    elif path not in _NOWHERE:
        inside = source.inside(path, where, folder="")
        if inside == stage.keys["notebook"]:
            stage.notes.append(f"that the executed notebook is written over {inside}")
        else:
            executed(stage, inside)


def _option(stage: StageDraft, source: Source, key: str, node: ast.expr, place: Place) -> None:
    value = _known(node, place)
    if key == "kernel_name" and isinstance(value, str):
        stage.keys["kernel"] = value
    elif key == "cwd" and isinstance(value, str):
        stage.keys["workdir"] = source.inside(value, (node.lineno, node.col_offset + 1), folder="")
        if stage.keys["workdir"] == ".":
            del stage.keys["workdir"]
    elif key not in _SILENT and value is not None:
        stage.notes.append(f"{key}={source_of(node)}")

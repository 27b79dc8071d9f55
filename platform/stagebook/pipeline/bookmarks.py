"""Reading the bookmark of a stage."""

from __future__ import annotations

from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Bookmark, Location, find_position
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.schema import BookmarkFile, StageFile

_HOW = "bookmark: INPUT, or bookmark: {param: NAME, column: OUTPUT.COLUMN}"


def read_bookmark(spec: StageFile, base: Location, problems: ProblemCollector) -> Bookmark | None:
    """The bookmark of a stage; `None` where it has none, or one that is wrong, which is reported."""
    given = spec.bookmark
    if given is None:
        return None
    if given.input and not (given.param or given.column):
        if given.input in spec.inputs:
            return Bookmark(input=given.input, place=_place(base, problems))
        hint = did_you_mean(given.input, spec.inputs) or "name an input that has several files"
        problems.report(base, f"the stage has no input '{given.input}'", hint)
    elif given.input or not (given.param and given.column):
        message = "a bookmark is of an input, or of a column and of the parameter that gets its value"
        problems.report(base, message, _HOW)
    elif problems.is_identifier(given.param, (*base, "param")):
        return _of_column(spec, given, base, problems)
    return None


def _of_column(
    spec: StageFile, given: BookmarkFile, base: Location, problems: ProblemCollector
) -> Bookmark | None:
    output, _, column = given.column.partition(".")
    known = spec.outputs.get(output)
    groups = {"params": spec.params, "inputs": spec.inputs, "outputs": spec.outputs}
    if group := next((name for name, names in groups.items() if given.param in names), ""):
        message = f"'{given.param}' is given twice, under {group} and bookmark"
        problems.report((*base, "param"), message, "the value of a bookmark has a parameter of its own")
    elif known is None or not column:
        message = f"'{given.column}' is no column of an output of the stage"
        problems.report((*base, "column"), message, did_you_mean(output, spec.outputs) or "OUTPUT.COLUMN")
    elif known.kind in {"external", "notebook"}:
        what = "external" if known.kind == "external" else "the executed notebook"
        message = f"'{output}' is {what}: its rows cannot be read"
        problems.report((*base, "column"), message, "name a column of a file or of a Delta table")
    else:
        place = _place((*base, "column"), problems)
        return Bookmark(param=given.param, output=output, column=column, place=place)
    return None


def _place(location: Location, problems: ProblemCollector) -> str:
    return f"{problems.path}:{find_position(problems.positions, location)[0]}"

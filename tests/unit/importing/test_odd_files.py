"""Files in which any value is something else than it should be: told, or passed over, but never a failure of the import."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from building import ProjectBuilder
from golden import Case, cases
from stagebook.importing.tools import take_over
from stagebook.pipeline.yaml import read_document
from stagebook.workspace.workspace import Workspace
from unit.importing.test_tools import FILE

ODD: tuple[Any, ...] = (
    None,
    0,
    -1.5,
    True,
    "",
    "x",
    "..",
    "${",
    "{{",
    [],
    [None],
    {},
    {"a": None},
    [[]],
    "a\0b",
)


def data_of(case: Case) -> Any:
    """The data of the file that is taken over; `None` where it is no mapping."""
    data = read_document(dict(FILE.findall(case.text))[case.arguments[1]], "").data
    return data if isinstance(data, dict) else None


_ALL: list[Any] = cases("importing")
_OF_DATA = [
    one
    for one in _ALL
    if one.values[0].arguments[0] not in {"papermill", "airflow"} and data_of(one.values[0])
]
_OF_CODE = [one for one in _ALL if one.values[0].arguments[0] in {"papermill", "airflow"}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values within a value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of data with another value at a place."""
    if not path:
        return value
    made = copy.deepcopy(data)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return made


@pytest.mark.parametrize("case", _OF_DATA)
def test_any_value_may_be_something_else(builder: ProjectBuilder, case: Case) -> None:
    tool, path = case.arguments
    files = dict(FILE.findall(case.text))
    for name, text in files.items():
        builder.file(name, text)
    data = data_of(case)
    workspace = Workspace(builder.root)
    for at, place in enumerate(places(data)):
        for value in ODD[at % 3 :: 3]:
            builder.file(path, json.dumps(changed(data, place, value)))
            draft, problems = take_over(tool, workspace, path)
            assert problems or draft is not None
            if draft is not None and not problems:
                assert read_document(draft.text(), "p.yaml").problems == (), draft.text()


@pytest.mark.parametrize("case", _OF_CODE)
def test_any_line_of_code_may_be_missing(builder: ProjectBuilder, case: Case) -> None:
    tool, path = case.arguments
    files = dict(FILE.findall(case.text))
    lines = files[path].splitlines(keepends=True)
    workspace = Workspace(builder.root)
    for at in range(len(lines)):
        builder.file(path, "".join([*lines[:at], *lines[at + 1 :]]))
        draft, problems = take_over(tool, workspace, path)
        assert problems or draft is not None
        if draft is not None and not problems:
            assert read_document(draft.text(), "p.yaml").problems == (), draft.text()

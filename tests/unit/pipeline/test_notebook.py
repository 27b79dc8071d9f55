"""What a notebook says of itself is read without running it, whatever it holds."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import notebook_data
from stagebook.pipeline.notebook import (
    NotebookUnreadable,
    facts_of,
    read_notebook,
    read_parameters,
)
from stagebook.pipeline.notebook_file import parse_notebook, repair
from strategies import plain_data

_lines = st.sampled_from(
    ["x = 1", "x: int = 1  # how many?", "y: 'list[int]' = []", "%matplotlib inline", "!ls 'x", "?x", "x?", "%%time", "%%bash", "import os",
     "from . import a", "from a.b import c", "  z = 2", "a = b = 3", '"""', "'''", "(", ")", "x = (", "\\", "\t", "\x0c", "\0", "\ud800", "é = 1",
     "x: Literal[1, 2]", "x: tuple[()] = ()", "'\\d'", "0777", "1if 2else 3", "f(", "# only", "x = !ls", "y = %pwd"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(source=st.lists(_lines | st.text(max_size=8), max_size=8).map("\n".join))
def test_any_cell_is_read_or_unreadable(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert all(isinstance(name, str) for name in facts_of(notebook_data(source)).imports)
            found = read_parameters(source)
        except NotebookUnreadable:
            return
        assert all(name == param.name for name, param in found.items())


_sources = st.lists(_lines, max_size=4).map("\n".join) | st.lists(_lines, max_size=3) | plain_data
_cells = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown"]), "source": _sources},
    optional={"metadata": st.just({"tags": ["parameters"]}) | plain_data},
)
_books = st.fixed_dictionaries(
    {"nbformat": st.just(4), "cells": st.lists(_cells | plain_data, max_size=4)},
    optional={
        "metadata": plain_data
        | st.fixed_dictionaries({"kernelspec": plain_data, "language_info": plain_data})
    },
)


@settings(max_examples=300, deadline=None)
@given(data=_books | plain_data)
def test_any_json_is_a_notebook_or_unreadable(data: Any) -> None:
    try:
        facts = facts_of(data)
    except NotebookUnreadable:
        return
    assert isinstance(facts.kernel, str)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=40) | st.text('[]{}",:0123456789eE\\ud8 ', max_size=40).map(str.encode))
def test_any_file_is_a_notebook_or_unreadable(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_bytes(content)
    try:
        read_notebook(path)
    except NotebookUnreadable:
        return


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, "9" * 10_000, '{"cells": NaN}'])
def test_json_that_is_too_much_is_unreadable(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(NotebookUnreadable):
        read_notebook(tmp_path / "x.ipynb")


CELL = """
from datetime import date
import datetime
count: int = 3  # how many?  # really
ratio = 0.5  # a share
name: str = "a=b"  # with = in it
limit: int | None = None
maybe: Optional[float] = 1.5
mode: Literal["fast", "exact"] = "fast"
place: Path = Path("data/x")
day: date = date(2013, 1, 31)
moment: datetime.datetime = datetime.datetime.now()
months: list[int] = [
    1,
    2,  # the second
]  # of 2013
text: "list[str]" = ["x"]
pair = (1, 2)
table = {"a": 1}
nothing = None
negative = -1
one = two = 3
required: int
own: MyType = MyType()
computed = count * 2
x, y = 1, 2
count2 += 1
if count:
    hidden = 1
"""


def test_annotations_defaults_and_comments_are_read() -> None:
    found = read_parameters(CELL)
    table = {
        name: (param.type and str(param.type), param.annotated, param.default, param.help)
        for name, param in found.items()
    }
    assert table == {
        "count": ("int", True, 3, "how many?  # really"),
        "ratio": ("float", False, 0.5, "a share"),
        "name": ("str", True, "a=b", "with = in it"),
        "limit": ("int | None", True, None, ""),
        "maybe": ("float | None", True, 1.5, ""),
        "mode": ("Literal['fast', 'exact']", True, "fast", ""),
        "place": ("Path", True, None, ""),
        "day": ("date", True, None, ""),
        "moment": ("datetime", True, None, ""),
        "months": ("list[int]", True, [1, 2], "of 2013"),
        "text": ("list[str]", True, ["x"], ""),
        "pair": ("list[int]", False, [1, 2], ""),
        "table": ("dict[str, Any]", False, {"a": 1}, ""),
        "nothing": (None, False, None, ""),
        "negative": ("int", False, -1, ""),
        "one": ("int", False, 3, ""),
        "two": ("int", False, 3, ""),
        "required": ("int", True, None, ""),
        "own": (None, True, None, ""),
        "computed": (None, False, None, ""),
        "x": ("int", False, 1, ""),
        "y": ("int", False, 2, ""),
    }


def test_magics_stand_among_parameters_without_harm() -> None:
    source = "%matplotlib inline\n!ls 'it\n?x\nx?\nfiles = !ls\nx: int = 1  # which one?\n%time x\nz = 2"
    assert {name: param.default for name, param in read_parameters(source).items()} == {
        "files": None, "x": 1, "z": 2,
    }  # fmt: skip
    assert read_parameters("y = (3\n  % 2)  # why?")["y"].help == "why?"
    assert read_parameters("%%time\nx = 1")["x"].default == 1
    assert read_parameters("%%bash\nx=1") == {}
    assert read_parameters("x = 1  # sure?\n")["x"].help == "sure?"
    assert read_parameters("x = '''\n%not a magic\n'''")["x"].default == "\n%not a magic\n"


def test_a_syntax_error_names_the_line_of_the_cell() -> None:
    with pytest.raises(NotebookUnreadable) as caught:
        read_parameters("x = 1\n%magic\ny = = 2\n")
    assert str(caught.value) == "has a parameters cell that is not Python: invalid syntax, line 3 of the cell"


def test_imports_are_found_wherever_they_stand() -> None:
    cells = ["import os, numpy as np", "from a.b import c\nfrom . import d", "def f():\n    import json.decoder", "%%time\nimport mlflow", "!pip x\nimport re",
             "%%bash\nimport nothing", "this is = not python", "#md import prose"]  # fmt: skip
    facts = facts_of(notebook_data(*cells, params="import sys\nx = 1"))
    assert facts.imports == {"os", "numpy", "a.b", "json.decoder", "mlflow", "re", "sys"}


def test_the_facts_of_a_notebook() -> None:
    data = notebook_data("x = 1", "", "#md prose", params="n = 1")
    facts = facts_of(data)
    assert (facts.kernel, facts.language, facts.is_python) == ("python3", "python", True)
    assert list(facts.parameters or {}) == ["n"]
    assert facts_of(notebook_data("x = 1")).parameters is None
    data["metadata"] = {"kernelspec": {"name": "ir", "language": "R"}}
    facts = facts_of(data)
    assert (facts.kernel, facts.language, facts.is_python, facts.parameters) == ("ir", "r", False, {})


def test_a_source_may_be_a_list_of_lines() -> None:
    data = notebook_data(params="x")
    data["cells"][0]["source"] = ["a = 1\n", "b = 2"]
    assert list(facts_of(json.loads(json.dumps(data))).parameters or {}) == ["a", "b"]


@settings(max_examples=200, deadline=None)
@given(data=_books)
def test_what_is_repaired_needs_no_repair(data: Any) -> None:
    before = json.dumps(data)
    try:
        made = repair(data)
    except NotebookUnreadable:
        return
    assert json.dumps(data) == before, "it is left as it is"
    assert repair(made) == made
    json.dumps(made, ensure_ascii=False).encode()
    assert parse_notebook(json.dumps(made).encode()) == made


def test_names_that_are_unpacked_are_parameters_each_with_its_own_default() -> None:
    found = read_parameters("a, (b, *c) = 1, f()  # both\n[d, e] = x = ['s', 2.0]\nf, g = h, *i = 1, 2")
    assert {name: (param.type and str(param.type), param.default) for name, param in found.items()} == {
        "a": ("int", 1), "b": (None, None), "c": (None, None), "d": ("str", "s"), "e": ("float", 2.0),
        "x": ("list[Any]", ["s", 2.0]), "f": ("int", 1), "g": ("int", 2), "h": (None, None), "i": (None, None),
    }  # fmt: skip
    assert found["a"].help == found["b"].help == "both"


def test_what_the_parameters_cell_sets_in_another_way_is_no_parameter() -> None:
    source = "n = 1\nif n:\n    a = 1\nfor b in range(2):\n    pass\nwith open('x') as c:\n    n = 2\nd += 1\ndef f():\n    e = 1"
    facts = facts_of(notebook_data(params=source))
    assert list(facts.parameters or {}) == ["n"]
    assert facts.nested == {"a": "if", "b": "for", "c": "with", "d": "an assignment such as +="}


def test_further_cells_with_the_tag_are_known_with_their_names() -> None:
    data = notebook_data("x = 1", "#tag parameters\nn = 2\nfor m in ():\n    pass", params="n = 1")
    facts = facts_of(data)
    assert (list(facts.parameters or {}), facts.repeated, facts.further) == (["n"], {"n": 3, "m": 3}, (3,))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("%sql\nselect 1", True), ("%md # Title", True), ("\n%python \nprint(1)", True), ("%fs ls", True),
        ("%sql select 1", False), ("%%sql\nselect 1", False), ("%mdx", False), ("x = 1\n%md", False),
    ],
)  # fmt: skip
def test_magics_that_only_databricks_knows_are_doubted(source: str, told: bool) -> None:
    assert bool(facts_of(notebook_data(source)).doubts) is told
    data = notebook_data("%sql select 1")
    data["metadata"]["application/vnd.databricks.v1+notebook"] = {"language": "python"}
    assert facts_of(data).doubts[0][0].startswith("cell 1 begins with %sql, which only Databricks knows")

"""The forms in which a stage names its inputs and outputs."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from building import load
from stagebook.pipeline.forms import Forms
from stagebook.pipeline.problems import ProblemCollector

HEAD = "stages:\n  a:\n    notebook: n.ipynb\n"


def read(key: str, text: str) -> tuple[dict[str, tuple[str, tuple[str, ...]]], list[str]]:
    """Inputs or outputs by name, each with its path and the variable that gets it; and what is wrong."""
    loaded = load(f"{HEAD}    {key}: {text}\n")
    stage = loaded.pipeline.stages["a"]
    found = {}
    for name, one in getattr(stage, key).items():
        text = "|".join(str(ref.text.source) for ref in one.refs) if key == "inputs" else str(one.path.source)
        found[name] = (text, one.passed_as)
    return found, [f"{problem.place}: {problem.message} | {problem.hint}" for problem in loaded.problems]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{raw: data/raw.csv}", {"raw": ("data/raw.csv", ("raw",))}),
        ("[data/raw.csv]", {"raw": ("data/raw.csv", ())}),
        ("data/raw.csv", {"raw": ("data/raw.csv", ())}),
        ("[data/2013-01.csv, get.data, data/raw/*.csv]", {"_2013_01": ("data/2013-01.csv", ()), "get": ("get.data", ()), "raw": ("data/raw/*.csv", ())}),
        ("[a/x.csv, b/x.csv, c/x.csv]", {"x": ("a/x.csv", ()), "x_2": ("b/x.csv", ()), "x_3": ("c/x.csv", ())}),
        ("[x_2.csv, x.csv, a/x.csv]", {"x_2": ("x_2.csv", ()), "x": ("x.csv", ()), "x_3": ("a/x.csv", ())}),
        ('["data/${env.HOME}.csv", "*.csv", class.txt]', {"data": ("data/${env.HOME}.csv", ()), "files": ("*.csv", ()), "_class": ("class.txt", ())}),
        ("{raw: {path: data/raw.csv, inject: false}}", {"raw": ("data/raw.csv", ())}),
        ("{raw: {path: [a.csv, b.csv]}}", {"raw": ("a.csv|b.csv", ("raw",))}),
        ("[{path: data/raw.csv}]", {"raw": ("data/raw.csv", ())}),
        ("{up: {get: {data: get.data}, other: get.more}}", {"data": ("get.data", ("up", "get", "data")), "other": ("get.more", ("up", "other"))}),
        ("{up: {a: {data: a.data}, b: {data: b.data}}}", {"up_a_data": ("a.data", ("up", "a", "data")), "up_b_data": ("b.data", ("up", "b", "data"))}),
        ("{data: x.csv, up: {data: y.csv}}", {"data": ("x.csv", ("data",)), "up_data": ("y.csv", ("up", "data"))}),
        ("{up: {load-all: get.data}}", {"load_all": ("get.data", ("up", "load-all"))}),
        ("{up: {a: [x.csv, y.csv]}}", {"a": ("x.csv|y.csv", ("up", "a"))}),
        ("{up: {a: x.csv, b: {path: y.csv, inject: false}}}", {"a": ("x.csv", ("up", "a")), "b": ("y.csv", ())}),
        ("[]", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_inputs(text: str, wanted: dict[str, Any]) -> None:
    assert read("inputs", text) == (wanted, [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[data/clean.parquet, reports/figures/]", {"clean": ("data/clean.parquet", ()), "figures": ("reports/figures/", ())}),
        ("{product: {nb: out/a.txt, data: {path: out/a.csv}}}", {"nb": ("out/a.txt", ("product", "nb")), "data": ("out/a.csv", ("product", "data"))}),
        ("{x: {path: a.csv, kind: external, inject: false}}", {"x": ("a.csv", ())}),
    ],
)  # fmt: skip
def test_outputs(text: str, wanted: dict[str, Any]) -> None:
    assert read("outputs", text) == (wanted, [])


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("inputs", "3", "'inputs' has to be a mapping, not 3 (int) | "),
        ("inputs", "[3]", "an item of 'inputs' has to be a path, not 3 (int) | to pass paths to the notebook, give them names: inputs: {name: …}"),
        ("outputs", "[[a, b]]", "an item of 'outputs' has to be a path, not ['a', 'b'] (list) | to pass paths to the notebook, give them names: outputs: {name: …}"),
        ("outputs", "{x: {pth: a.csv}}", "unknown key 'pth' | did you mean 'path'?"),
        ("outputs", "{x: {kind: delta}}", "'path' is missing | say where the output is written: path: data/name.parquet"),
        ("inputs", "{x: {a b: c.csv}}", "'a b' cannot be a key here | use letters, digits, '_' and '-', and start with a letter"),
        ("inputs", "{x: {}}", "the input 'x' has to be a reference or a list of them | name an output as stage.output, or a file of the project"),
        ("inputs", "{x: {path: a.csv, inject: 3}}", "'inject' has to be true or false, not 3 (int) | "),
        ("inputs", "{x: {path: a.csv, kind: file}}", "unknown key 'kind' | known: path, inject"),
        ("outputs", "{x: {path: t, kind: delta, inject: false}}", "rows of a Delta table are written to a path that is passed | let a variable of the notebook get its path: name: {path: …, kind: delta}"),
        ("inputs", "{1x: {a: b.csv}}", "'1x' cannot be the name of a variable | use the letters a to z, digits and '_', and start with a letter"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_told(key: str, text: str, message: str) -> None:
    _, problems = read(key, text)
    assert [it.split(": ", 1)[1] for it in problems] == [message]
    assert problems[0].startswith("pipelines/p.yaml:4:")


def test_a_variable_is_given_once() -> None:
    _, problems = read("inputs", "{x: {a: b.csv}}\n    outputs: {x: {c: d.csv}}")
    assert [it.split(": ", 1)[1] for it in problems] == [
        "'x' is given twice, under inputs and outputs | each is one variable of the notebook; rename one of them"
    ]
    assert read("inputs", "[x.csv]\n    outputs: [out/x.csv]")[1] == []


def test_a_mistake_in_an_entry_is_told_at_its_place() -> None:
    text = "\n      - a.csv\n      - '${nope.x}'"
    assert [it.split(" ")[0] for it in read("inputs", text)[1]] == ["pipelines/p.yaml:6:9:"]
    text = "\n      up:\n        a: a.csv\n        b: '${nope.x}'"
    assert [it.split(" ")[0] for it in read("inputs", text)[1]] == ["pipelines/p.yaml:7:9:"]


KEYS = st.text(alphabet="abc_-1", min_size=1, max_size=3).map(lambda text: f"k{text}")
PATHS = st.text(alphabet="ab.-/*1", min_size=1, max_size=6)
ENTRIES = st.recursive(
    PATHS, lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3), max_leaves=8
)


@hypothesis.given(st.dictionaries(KEYS, ENTRIES, max_size=4) | st.lists(PATHS, max_size=6))
def test_every_path_has_a_name_of_its_own_and_its_variable(raw: Any) -> None:
    problems = ProblemCollector("p.yaml", {})
    values, variables = Forms(problems, {}).read(raw, ("stages", "a", "inputs"))
    assert problems.found == []
    assert values.keys() == variables.keys()
    if isinstance(raw, list):
        assert list(values.values()) == raw
        return
    for name, keys in variables.items():
        found = raw
        for key in keys:
            found = found[key]
        assert found == values[name]
    assert len({*variables.values()}) == len(variables)


@pytest.mark.parametrize(
    ("runs", "wanted"),
    [
        ("notebook: n.ipynb", [(), ()]),
        ("sql: q.sql", [("page",), ("daily",)]),
        ("script: s.py\n    args: ['${inputs.page}']", [("page",), ()]),
        ("command: 'sort ${inputs.page} > ${outputs.daily}'", [("page",), ("daily",)]),
        ("command: [make]", [(), ()]),
        ("function: 'work:make'", [(), ()]),
    ],
)
def test_a_program_is_told_of_what_it_names_and_sql_of_all(runs: str, wanted: list[tuple[str, ...]]) -> None:
    loaded = load(
        f"stages:\n  a:\n    {runs}\n    inputs: [data/page.csv]\n    outputs: [data/daily.parquet]\n"
    )
    assert loaded.problems == ()
    stage = loaded.pipeline.stages["a"]
    assert [stage.inputs["page"].passed_as, stage.outputs["daily"].passed_as] == wanted

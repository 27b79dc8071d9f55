"""Fingerprints: what changed is said in a word, and nothing else counts."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.planning.fingerprint import PARTS, Change, Fingerprint, changes

OLD: dict[str, Any] = {
    "code": ["c1", "c2", "c3"],
    "params": {"depth": 4, "opts": {"b": 1, "a": 2}},
    "modules": {"helpers/__init__.py": "m1", "helpers/base.py": "m2"},
    "files": {"scripts/setup.py": "f1"},
    "inputs": {"data": [["data/a.csv", "d1"], ["data/b.csv", "d2"]], "one": [["x.csv", "d3"]]},
    "shapes": {"data": "list"},
    "env": {"REGION": "e1", "UNSET": None},
    "connections": {"lake": "c1"},
    "libraries": {"pandas": "3.0.1"},
    "kernel": {"kernel": "python3", "python": "CPython 3.11.7"},
    "outputs": {"model": ["file", "m.joblib"]},
}
CHAINS = {"helpers/base.py": ("cell 2", "helpers", "helpers.base"), "scripts/setup.py": ("cell 1", "scripts/setup.py")}  # fmt: skip


def with_(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(OLD), **parts}


def texts(new: dict[str, Any], old: dict[str, Any] = OLD, **more: Any) -> list[str]:
    return [change.text for change in changes(old, new, chains=CHAINS, **more)]


# -- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        (with_(), []),
        (with_(code=["c1", "c9", "c3"]), ["cell 2 changed"]),
        (with_(code=["c1", "c2", "c3", "c4"]), ["cell 4 is new"]),
        (with_(code=["c0", "c1", "c2", "c3"]), ["cell 1 is new"]),
        (with_(code=["c1", "c3"]), ["cell 2 is gone"]),
        (with_(code=[]), ["cell 1 is gone", "cell 2 is gone", "cell 3 is gone"]),
        (with_(code=["c1", "c8", "c9", "c3"]), ["cell 2 changed", "cell 3 is new"]),
        (with_(params={"depth": 8, "opts": OLD["params"]["opts"]}), ["depth: 4 → 8"]),
        (with_(params={"depth": 4.0, "opts": OLD["params"]["opts"]}), ["depth: 4 → 4.0"]),
        (with_(params={"depth": 4}), ['opts: {"b": 1, "a": 2} → not given']),
        (with_(params={"depth": 4, "opts": {"a": 2, "b": 1}}), ['opts: {"b": 1, "a": 2} → {"a": 2, "b": 1}']),
        (with_(params={**OLD["params"], "new": None}), ["new: not given → null"]),
        (with_(modules={**OLD["modules"], "helpers/base.py": "x"}), ["helpers/base.py changed (cell 2 → helpers → helpers.base)"]),
        (with_(modules={"helpers/__init__.py": "m1"}), ["helpers/base.py is not imported any more (cell 2 → helpers → helpers.base)"]),
        (with_(modules={**OLD["modules"], "more.py": "x"}), ["more.py is imported now"]),
        (with_(files={"scripts/setup.py": "x"}), ["scripts/setup.py changed (cell 1 → scripts/setup.py)"]),
        (with_(files={}), ["scripts/setup.py is gone (cell 1 → scripts/setup.py)"]),
        (with_(inputs={**OLD["inputs"], "one": [["x.csv", "new"]]}), ["x.csv changed (input one)"]),
        (with_(inputs={**OLD["inputs"], "one": [["y.csv", "d3"]]}), ["the input one is y.csv, before x.csv"]),
        (with_(inputs={"data": OLD["inputs"]["data"]}), ["the input one is gone"]),
        (with_(inputs={**OLD["inputs"], "two": []}), ["the input two is new"]),
        (with_(inputs={**OLD["inputs"], "data": [["data/a.csv", "x"], ["data/b.csv", "y"]]}), ["data/a.csv and 1 more changed (input data)"]),
        (with_(inputs={**OLD["inputs"], "data": [["data/b.csv", "d2"], ["data/a.csv", "d1"]]}), ["the input data has another order"]),
        (with_(inputs={**OLD["inputs"], "data": [*OLD["inputs"]["data"], ["c.csv", "d"]]}), ["the input data has c.csv as well"]),
        (with_(inputs={**OLD["inputs"], "data": [["data/a.csv", "d1"]]}), ["the input data has no data/b.csv any more"]),
        (with_(inputs={**OLD["inputs"], "data": [["c.csv", "d"], ["data/a.csv", "d1"]]}), ["the input data has other files"]),
        (with_(shapes={"data": "list", "one": "list"}), ["the input one is a list of paths now"]),
        (with_(shapes={}), ["the input data is one path now"]),
        (with_(env={"REGION": "e2", "UNSET": None}), ["the environment variable REGION changed"]),
        (with_(env={"REGION": None, "UNSET": None}), ["the environment variable REGION is not set any more"]),
        (with_(env={"REGION": "e1", "UNSET": "e"}), ["the environment variable UNSET is set now"]),
        (with_(env={"REGION": "e1"}), ["the environment variable UNSET is not declared any more"]),
        (with_(env={**OLD["env"], "MORE": None}), ["the environment variable MORE is declared now"]),
        (with_(libraries={"pandas": "3.0.2"}), ["pandas 3.0.1 → 3.0.2"]),
        (with_(libraries={}), ["the library pandas is gone"]),
        (with_(libraries={**OLD["libraries"], "numpy": "2"}), ["the library numpy is new"]),
        (with_(kernel={"kernel": "python3", "python": "CPython 3.12.1"}), ["CPython 3.11.7 → CPython 3.12.1"]),
        (
            with_(kernel={"kernel": "conda", "spec": "s"}),
            ["the kernel python3 → conda", "the kernel has another specification or program", "Python is that of another environment now"],
        ),
        (with_(outputs={}), ["the output model is gone"]),
        (with_(outputs={**OLD["outputs"], "more": ["file", "x"]}), ["the output more is new"]),
        (with_(outputs={"model": ["file", "n.joblib"]}), ["the output model is n.joblib, before m.joblib"]),
        (with_(outputs={"model": ["external", "db://m"]}), ["the output model is external now"]),
        (with_(outputs={"model": ["file", "m.joblib"]}), []),
    ],
)  # fmt: skip
def test_what_changed_is_said(new: dict[str, Any], wanted: list[str]) -> None:
    assert texts(new) == wanted
    assert (Fingerprint(parts=OLD).digest == Fingerprint(parts=new).digest) == (wanted == [])


def test_python_is_told_from_a_kernel_without_it() -> None:
    other = with_(kernel={"kernel": "conda", "spec": "s"})
    assert "Python is CPython 3.11.7 now" in texts(OLD, other)


def test_what_a_person_does_on_purpose_comes_first() -> None:
    new = with_(
        outputs={},
        kernel={"kernel": "r"},
        libraries={},
        connections={},
        env={},
        shapes={},
        inputs={},
        files={},
        modules={},
        params={},
        code=[],
        program={"script": "scripts/a.py"},
    )
    parts = [change.part for change in changes(OLD, new)]
    assert list(dict.fromkeys(parts)) == list(PARTS)


def test_cells_are_told_by_their_numbers_in_the_notebook() -> None:
    """Cells that do nothing have no digest, so the second digest may be that of the fifth cell."""
    new = with_(code=["c1", "c9", "c3", "c4"])
    found = changes(OLD, new, numbers=(1, 5, 6, 8))
    assert found == [
        Change(part="code", name="5", text="cell 5 changed", old=2, new=2),
        Change(part="code", name="8", text="cell 8 is new", new=4),
    ]
    gone = changes(OLD, with_(code=["c1"]), numbers=(2,))
    assert [(change.text, change.old, change.new) for change in gone] == [
        ("cell 2 is gone", 2, None),
        ("cell 3 is gone", 3, None),
    ]


def test_long_values_are_cut() -> None:
    (text,) = texts(with_(params={**OLD["params"], "depth": "x" * 1000}))
    assert len(text) < 100


def test_a_change_is_plain_data() -> None:
    (change,) = changes(OLD, with_(params={"depth": 5, "opts": OLD["params"]["opts"]}))
    assert json.loads(json.dumps(change.to_json())) == {
        "part": "params",
        "name": "depth",
        "text": "depth: 4 → 5",
        "old": 4,
        "new": 5,
    }


# -- laws -----------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c/d.py", "é"])
TEXTS = st.sampled_from(["x", "y", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, -0.0, 1.0, 1.5, "1", "a", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
PAIRS = st.lists(st.tuples(NAMES, TEXTS).map(list), max_size=3)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    some = {
        "code": st.lists(st.sampled_from("abcd"), max_size=5),
        "params": st.dictionaries(NAMES, VALUES, max_size=3),
        "inputs": st.dictionaries(NAMES, PAIRS, max_size=2),
        "env": st.dictionaries(NAMES, st.none() | TEXTS, max_size=2),
        "outputs": st.dictionaries(NAMES, st.tuples(st.sampled_from(["file", "external"]), TEXTS).map(list), max_size=2),
        "kernel": st.dictionaries(st.sampled_from(["kernel", "python", "spec"]), TEXTS, max_size=3),
    }  # fmt: skip
    plain = st.dictionaries(NAMES, TEXTS, max_size=2)
    return {part: draw(some.get(part, plain)) for part in PARTS}


def shuffled(data: dict[str, Any]) -> dict[str, Any]:
    """The same with the parts, and the names in them, in another order."""
    turned = {part: data[part] for part in reversed(data)}
    return {
        part: {name: value[name] for name in reversed(value)} if isinstance(value, dict) else value
        for part, value in turned.items()
    }


@settings(max_examples=100, deadline=None)
@given(old=parts(), new=parts(), data=st.data())
def test_there_are_changes_exactly_where_the_digests_differ(
    old: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    for part in data.draw(st.sets(st.sampled_from(PARTS), min_size=8)):
        new[part] = copy.deepcopy(old[part])  # else next to nothing is equal
    found = changes(old, new)
    same = Fingerprint(parts=old).digest == Fingerprint(parts=new).digest
    assert same == (not found)
    assert {change.part for change in found} <= set(PARTS)
    assert all(change.text for change in found)
    assert {(change.part, change.name) for change in changes(new, old)} or same


@settings(max_examples=100, deadline=None)
@given(data=parts())
def test_neither_the_order_of_names_nor_a_way_through_json_counts(data: dict[str, Any]) -> None:
    read = json.loads(json.dumps(data))
    assert changes(data, read) == changes(data, shuffled(data)) == []
    digests = {Fingerprint(parts=one).digest for one in (data, read, shuffled(data))}
    assert len(digests) == 1


@settings(max_examples=100, deadline=None)
@given(data=parts(), other=parts(), draw=st.data())
@pytest.mark.long
def test_the_head_is_what_is_known_before_other_stages_ran(
    data: dict[str, Any], other: dict[str, Any], draw: st.DataObject
) -> None:
    open_ones = tuple(draw.draw(st.sets(st.sampled_from([*data["params"], "none"]))))
    made = tuple(draw.draw(st.sets(st.sampled_from([*data["inputs"], "none"]))))
    later = copy.deepcopy(data)
    for name in open_ones:
        if name in later["params"]:
            later["params"][name] = draw.draw(VALUES)
    for name in made:
        if name in later["inputs"]:
            later["inputs"][name] = draw.draw(PAIRS)
    first = Fingerprint(parts=data, open=open_ones, made=made)
    assert first.head == Fingerprint(parts=later, open=open_ones, made=made).head
    changed = draw.draw(st.sampled_from(PARTS))
    known = {**later, changed: other[changed]}
    found = [
        change
        for change in changes(later, known)
        if (change.part, change.name) not in {*(("params", name) for name in open_ones), *(("inputs", name) for name in made)}
    ]  # fmt: skip
    if found:
        assert first.head != Fingerprint(parts=known, open=open_ones, made=made).head


def test_another_program_is_told_by_what_it_is() -> None:
    def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        return texts(with_(program=after), with_(program=before))

    script, sql = {"script": "a.py"}, {"sql": "a.sql"}
    assert told(script, {"script": "b.py"}) == ["the script is b.py, before a.py"]
    assert told({}, script) == ["it runs a script now"]
    assert told({"command": ""}, {"command": "", **sql}) == ["it runs sql now"]
    assert told({**sql, "connection": "base"}, sql) == ["the connection is gone"]
    assert told({**sql, "connection": "base"}, {**sql, "connection": "other"}) == [
        "the connection is other, before base"
    ]


def test_arguments_are_told_as_they_are_written() -> None:
    before = with_(params={"command": {"shell": ["ls ", {"input": "raw"}, " > ", {"output": "list"}, ""]}})
    after = with_(params={"command": {"shell": ["ls -l ", {"input": "raw"}, " > ", {"output": "list"}, ""]}})
    assert texts(after, before) == [
        'command: "ls ${inputs.raw} > ${outputs.list}" → "ls -l ${inputs.raw} > ${outputs.list}"'
    ]

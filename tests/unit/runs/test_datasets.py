"""What a person means by the name of a dataset, and by that of a version of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import ProjectBuilder
from stagebook.errors import UsageError
from stagebook.runs.datasets import Datasets, Version, find_version
from stagebook.runs.differences import two_of

P = """
stages:
  make:
    notebook: notebooks/make.ipynb
    outputs: {people: data/people.csv, rest: data/rest.csv, log: {path: 's3://b/log', kind: external}}
  each:
    notebook: notebooks/each.ipynb
    matrix: {month: [1, 2]}
    params: {month: "${matrix.month}"}
    outputs: {out: "data/${matrix.month}.csv"}
"""
Q = "stages: {make: {notebook: notebooks/other.ipynb, outputs: {people: data/others.csv}}}"


@pytest.fixture
def datasets(builder: ProjectBuilder) -> Datasets:
    """Those of two pipelines, of which nothing ran."""
    builder.notebook("make", "1", params="people = ''\nrest = ''\nlog = ''")
    builder.notebook("other", "1", params="people = ''")
    builder.notebook("each", "1", params="month = 0\nout = ''")
    builder.pipeline(P)
    builder.pipeline(Q, "q")
    plans = [builder.plan(name=name) for name in ("p", "q")]
    return Datasets(plans, builder.project.preparer)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("p.make.people", ["p.make.people"]),
        ("make.rest", ["p.make.rest"]),
        ("data/others.csv", ["q.make.people"]),
        ("q.make", ["q.make.people"]),
        ("p.each.out", ["p.each@1.out", "p.each@2.out"]),
        ("each", ["p.each@1.out", "p.each@2.out"]),
        ("each@2.out", ["p.each@1.out", "p.each@2.out"]),
    ],
)
def test_a_dataset_has_many_names(datasets: Datasets, text: str, names: list[str]) -> None:
    assert [one.name for one in datasets.instances(text)] == names
    if len(names) == 1:
        assert datasets.find(text).name == names[0]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("make.people", "'make.people' may be several", "p.make.people, q.make.people"),
        ("p.make", "'p.make' may be several", "p.make.people, p.make.rest"),
        ("p.make.peple", "no dataset 'p.make.peple'", "did you mean 'p.make.people'"),
        ("each@3.out", "no dataset 'each@3.out'", "did you mean 'each@"),
        ("p.make.log", "no dataset 'p.make.log'", ""),
        ("", "no dataset ''", ""),
    ],
)
def test_what_is_no_name_is_told(datasets: Datasets, text: str, said: str, hint: str) -> None:
    for asked in (datasets.find, datasets.instances):
        with pytest.raises(UsageError, match=said) as told:
            asked(text)
        assert hint in told.value.hint


def test_one_instance_is_told_from_all(datasets: Datasets) -> None:
    assert datasets.find("each@2.out").name == "p.each@2.out"
    with pytest.raises(UsageError, match="may be several") as told:
        datasets.find("p.each.out")
    assert "p.each@1.out, p.each@2.out" in told.value.hint


def version(number: int, run: str = "", stage: str = "s", **fields: bool) -> Version:
    return Version(stage=stage, number=number, run=run or f"20260102-00000{number}-a", at=0.0, **fields)


def test_a_version_is_named_by_its_number_or_its_run() -> None:
    known = [version(20, "20260103-000000-b"), version(2, "20260102-000000-a"), version(1, "")]
    for text, number in (("2", 2), ("20", 20), ("20260102", 2), ("20260103-00", 20)):
        assert find_version("d", known, text).number == number
    for text in ("3", "202", "20270101", ""):
        with pytest.raises(UsageError, match="d has no version") as told:
            find_version("d", known, text)
        assert told.value.hint == "there are: 20, 2, 1"
    written = [version(2, "20260102-000000-a", is_written=True)]
    with pytest.raises(UsageError, match="no version 'x'") as told:
        find_version("d", written, "x")
    assert told.value.hint == "runs that made one: 20260102-000000-a"


def test_two_versions_are_chosen() -> None:
    known = [version(3, is_present=True), version(2), version(1)]

    def chosen(first: str = "", second: str = "", of: Sequence[Version] = known) -> tuple[int, int]:
        before, after = two_of("d", of, (first, second))
        return before.number, after.number

    assert chosen() == (2, 3)
    assert chosen("1") == (1, 3)
    assert chosen("3") == (3, 2)
    assert chosen("3", "1") == (3, 1)
    back = [version(3), version(2, is_present=True), version(1)]
    assert chosen("1", of=back) == (1, 2), "the present one"
    for few, said in (([], "there is no version of d yet"), (known[:1], "there is only one version of d")):
        with pytest.raises(UsageError, match=said):
            chosen(of=few)


@given(
    stages=st.lists(st.sampled_from("ab"), min_size=2, max_size=8),
    wanted=st.integers(0, 9),
    named=st.booleans(),
)
def test_versions_that_are_compared_are_of_one_instance(stages: list[str], wanted: int, named: bool) -> None:
    known = [version(number, f"20260102-{number:06}-a", stage) for number, stage in enumerate(stages)]
    try:
        before, after = two_of("d", known, (str(wanted) if named else "", ""))
    except UsageError:
        unknown = named and wanted >= len(stages)
        assert unknown or stages.count(stages[wanted if named else 0]) == 1
        return
    assert before.stage == after.stage
    assert before != after

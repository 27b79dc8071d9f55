"""Inputs: a reference stands for outputs of other stages or a file, and a wrong one is told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import load
from stagebook.planning.expansion import Expansion
from stagebook.planning.inputs import Sources
from stagebook.workspace.paths import PathRefused

STAGES = """
    one: {notebook: n.ipynb, outputs: {out: data/one.csv, more: data/more.csv}}
    many: {notebook: n.ipynb, matrix: {m: [a b, 2]}, outputs: {out: "data/many-${matrix.m}.csv"}}
    list: {notebook: n.ipynb}
    day: {notebook: n.ipynb, foreach: "${stages.list.scraps.days}", outputs: {out: "data/day-${item}.csv"}}
    cut: {notebook: n.ipynb, outputs: {folder: parts/}}
"""


class Files:
    """A project with one file."""

    root = Path("nowhere")

    def inside(self, text: str) -> str:
        if text.startswith(".."):
            msg = "it leads out"
            raise PathRefused(msg, "stay inside")
        return text.removeprefix("./").rstrip("/")

    inside_for_input = inside_for_output = inside

    def identity(self, path: str) -> str:
        return path

    def is_special(self, _path: str) -> bool:
        return False

    def exists(self, path: str) -> bool:
        return path == "raw/in.csv"


def resolved(
    source: str, more: str = "", days: list[str] | None = None
) -> tuple[dict[str, Sources], list[str]]:
    """What `source` stands for as the input of a stage `x`, by the instances of that, and what is wrong."""
    stages = f'{STAGES.rstrip()}\n    x: {{notebook: n.ipynb, inputs: {{src: "{source}"}}{more}}}\n'
    loaded = load(f"stages:\n{stages}")
    assert loaded.problems == ()
    scraps = {} if days is None else {"list": {"days": days}}
    expansion = Expansion(loaded.pipeline, {}, Files(), {}, scraps)
    found = {
        name: Sources(
            paths=item.paths,
            sources=item.sources[: len(item.paths)],
            waits=item.sources[len(item.paths) :],
            many=item.many,
        )
        for name, instance in expansion.expand().items()
        for item in instance.inputs.values()
    }
    return found, [f"{problem.message} | {problem.hint}" for problem in expansion.problems.found]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("one.out", Sources(paths=("data/one.csv",), sources=("one",))),
        ("one.more", Sources(paths=("data/more.csv",), sources=("one",))),
        ("many.out", Sources(paths=("data/many-a b.csv", "data/many-2.csv"), sources=("many@a-b", "many@2"), many=True)),
        ("many@2.out", Sources(paths=("data/many-2.csv",), sources=("many@2",))),
        ("many@a b.out", Sources(paths=("data/many-a b.csv",), sources=("many@a-b",))),
        ("many@a-b.out", Sources(paths=("data/many-a b.csv",), sources=("many@a-b",))),
        ("day.out", Sources(waits=("day",), many=True)),
        ("./raw/in.csv", Sources(paths=("raw/in.csv",), sources=("",))),
        ("data/one.csv", Sources(paths=("data/one.csv",), sources=("one",))),
        ("data/many-2.csv", Sources(paths=("data/many-2.csv",), sources=("many@2",))),
        ("data/m*.csv", Sources(paths=("data/many-2.csv", "data/many-a b.csv", "data/more.csv"), sources=("many@2", "many@a-b", "one"), many=True)),
        ("cut.folder", Sources(paths=("parts",), sources=("cut",))),
        ("cut.folder/sub/a.csv", Sources(paths=("parts/sub/a.csv",), sources=("cut",))),
    ],
)  # fmt: skip
def test_what_a_reference_stands_for(source: str, wanted: Sources) -> None:
    assert resolved(source) == ({"x": wanted}, [])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("one.oat", "'one' has no output 'oat' | did you mean 'out'?"),
        ("one.csv", "'one' has no output 'csv' | known: out, more"),
        ("list.out", "'list' has no output 'out' | list declares no outputs"),
        ("many@3.out", "no stage instance 'many@3' | did you mean 'many@2'?"),
        ("meny.out", "unknown reference 'meny.out': there is no stage 'meny' | did you mean 'many'?"),
        ("raw/absent.csv", "input 'src': there is no file 'raw/absent.csv' | check the path, or make it an output of a stage"),
        ("parts/a.csv", "input 'src': 'parts/a.csv' lies in 'parts', which cut writes | refer to it as cut.folder/a.csv"),
        ("raw/*.json", "input 'src': no file fits 'raw/*.json' | check the path; a pattern stands for files that are there, or that another stage writes"),
        ("cut.folder/*.csv", "'cut.folder/*.csv': what is in the folder is known only once it is written | refer to the folder: cut.folder"),
        ("cut.folder/../x", "'cut.folder/../x': it leads out of the folder | refer to the folder: cut.folder"),
        ("../x.csv", "input 'src': it leads out | stay inside"),
        ("${1 + 1}", "input 'src' has to be text, not 2 (int) | "),
        ("day@x.out", ("which instances 'day' has is known only in the run | refer to all of them: day.out; or give both "
         "stages one foreach, and write day@${item}.out")),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_told_with_what_to_do(source: str, message: str) -> None:
    assert resolved(source) == ({}, [message])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("data/x.csv", "input 'src': 'data/x.csv' is an output of x itself | a stage reads what is there before it runs; write to another path"),
        ("data/*.csv", "input 'src': 'data/x.csv' is an output of x itself | a stage reads what is there before it runs; write to another path"),
        ("data", "input 'src': 'data/x.csv', which x writes, lies inside 'data' | name the files that it reads, or write to a folder elsewhere"),
    ],
)  # fmt: skip
def test_a_stage_does_not_read_what_it_writes(source: str, message: str) -> None:
    assert resolved(source, ", outputs: {out: data/x.csv}") == ({}, [message])


def test_a_folder_that_stages_write_into_waits_for_them() -> None:
    found, messages = resolved("data")
    assert messages == []
    assert found == {"x": Sources(paths=("data",), sources=("",), waits=("one", "many@a-b", "many@2"))}


def test_a_mistake_of_all_points_is_told_once() -> None:
    found, messages = resolved("one.oat", ", matrix: {m: [1, 2, 3]}")
    assert (found, len(messages)) == ({}, 1)


FOLLOWING = ', foreach: "${stages.list.scraps.days}"'


def test_stages_over_one_list_go_side_by_side() -> None:
    ahead, messages = resolved("day@${item}.out", FOLLOWING)
    assert (ahead, messages) == ({"x": Sources(waits=("day",))}, [])
    found, messages = resolved("day@${item}.out", FOLLOWING, ["mon day", "tue"])
    assert messages == []
    assert found == {
        "x@mon-day": Sources(paths=("data/day-mon day.csv",), sources=("day@mon-day",)),
        "x@tue": Sources(paths=("data/day-tue.csv",), sources=("day@tue",)),
    }


def test_all_items_are_a_list_once_they_are_known() -> None:
    found, _ = resolved("day.out", days=["mon", "tue"])
    assert found["x"] == Sources(
        paths=("data/day-mon.csv", "data/day-tue.csv"), sources=("day@mon", "day@tue"), many=True
    )
    found, _ = resolved("day.out", days=["mon"])
    assert found["x"].many, "a list of one is a list"


def test_a_file_that_an_item_names_is_looked_for_once_the_item_is_known() -> None:
    assert resolved("raw/${item}.csv", FOLLOWING) == ({}, [])
    found, messages = resolved("raw/${item}.csv", FOLLOWING, ["in", "gone"])
    assert found == {"x@in": Sources(paths=("raw/in.csv",), sources=("",))}
    assert messages == [
        "input 'src': there is no file 'raw/gone.csv' | check the path, or make it an output of a stage"
    ]


def test_an_unknown_stage_is_told_before_the_items_are_known() -> None:
    found, messages = resolved("dey@${item}.out", FOLLOWING)
    assert (found, messages) == (
        {},
        ["unknown reference 'dey@${item}.out': there is no stage 'dey' | did you mean 'day'?"],
    )

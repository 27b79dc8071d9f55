"""Pipelines that are proposed for loose notebooks."""

from __future__ import annotations

import dataclasses
import posixpath
from typing import Any

import pytest

from building import load, notebook_data
from stagebook.pipeline.notebook import read_parameters
from stagebook.pipeline.yaml import read_document
from stagebook.pipeline.yaml_text import yaml
from stagebook.planning.infer.draft import Trial
from stagebook.planning.infer.propose import propose, stage_names, texts_of


def trial(
    name: str,
    params: str | None = None,
    reads: tuple[str, ...] | None = (),
    writes: tuple[str, ...] | None = (),
    texts: tuple[tuple[int, str], ...] = (),
) -> Trial:
    return Trial(
        stage=name,
        notebook=f"notebooks/{name}.ipynb",
        parameters=None if params is None else read_parameters(params),
        reads=reads,
        writes=writes,
        texts=texts,
    )


def normal(text: str) -> str | None:
    path = posixpath.normpath(text)
    return None if not text or path.startswith(("..", "/")) else path


def proposed(*trials: Trial, files: tuple[str, ...] = (), bare: bool = False) -> tuple[str, dict[str, Any]]:
    text = propose(
        trials,
        normal=normal,
        files_in=lambda folder: [path for path in files if path.startswith(f"{folder}/")],
        bare=bare,
    )
    assert load(text).problems == ()
    data: dict[str, Any] = read_document(text, "p.yaml").data
    return text, data


def test_a_chain() -> None:
    text, data = proposed(
        trial(
            "extract",
            "raw = 'data/raw.csv'\nout = './data/x.parquet'\nseed = 42\nmonths: list[int] = [1]  # to load",
            ("data/raw.csv", "src/code.py"),
            ("data/x.parquet",),
        ),
        trial(
            "train",
            "data = 'data/x.parquet'\nmodel = 'm.joblib'\nseed = 42",
            ("data/x.parquet",),
            ("m.joblib",),
        ),
        trial("plain"),
    )
    assert data == {
        "params": {"seed": 42, "months": {"type": "list[int]", "default": [1], "help": "to load"}},
        "stages": {
            "extract": {
                "notebook": "notebooks/extract.ipynb",
                "params": {"seed": "${params.seed}", "months": "${params.months}"},
                "inputs": {"raw": "data/raw.csv"},
                "outputs": {"out": "data/x.parquet"},
            },
            "train": {
                "notebook": "notebooks/train.ipynb",
                "params": {"seed": "${params.seed}"},
                "inputs": {"data": "extract.out"},
                "outputs": {"model": "m.joblib"},
            },
            "plain": {"notebook": "notebooks/plain.ipynb"},
        },
    }
    assert text.count("#") == 2


def test_what_is_hard_coded_is_declared_by_its_path() -> None:
    text, data = proposed(
        trial("a", None, ("raw.csv",), ("data/x.csv",), ((1, "raw.csv"), (2, "data/x.csv"))),
        trial("b", "limit = 3", ("data/x.csv",), (), ((4, "data/x.csv"),)),
        trial("c", "x = 1"),
        trial("d", "x = 2", (), ("data/x.csv",)),
    )
    assert data["stages"] == {
        "a": {"notebook": "notebooks/a.ipynb", "inputs": ["./raw.csv"], "outputs": ["data/x.csv"]},
        "b": {"notebook": "notebooks/b.ipynb", "params": {"limit": "${params.limit}"}, "inputs": ["a.x"]},
        "c": {"notebook": "notebooks/c.ipynb", "params": {"x": "${params.c_x}"}},
        "d": {"notebook": "notebooks/d.ipynb", "params": {"x": "${params.d_x}"}, "after": ["a", "b"]},
    }
    assert "# data/x.csv is no output, since another output is written there" in text


def test_a_hard_coded_read_of_an_output_refers_to_it() -> None:
    _, data = proposed(
        trial("a", "out = 'd/x.csv'", (), ("d/x.csv", "e/1", "e/2", "e/3", "e/4", "e/5")),
        trial("b", "k = 1\nsrc = 'f/y'", ("d/x.csv", "e/3", "f/y"), ()),
        trial("c", None, ("e", "e/3"), ("g", "g/1", "g/2", "g/3", "g/4", "g/5")),
    )
    assert data["stages"]["a"]["outputs"] == {"out": "d/x.csv", "e": {"path": "e/", "inject": False}}
    assert data["stages"]["b"]["inputs"] == {
        "src": "f/y",
        "a": {"path": "a.out", "inject": False},
        "_3": {"path": "a.e/3", "inject": False},
    }
    assert data["stages"]["c"] == {"notebook": "notebooks/c.ipynb", "inputs": ["a.e"], "outputs": ["g"]}


def test_files_of_one_ending_are_a_pattern() -> None:
    months = tuple(f"raw/{n}.csv" for n in range(6))
    read = ("raw", *months)
    _, data = proposed(
        trial("a", None, read),
        trial("b", None, ("raw", "raw/0.csv")),
        trial("c", None, ("raw",)),
        trial("d", None, months[:2]),
        files=(*months, "raw/notes.txt"),
    )
    assert [stage["inputs"] for stage in data["stages"].values()] == [
        ["raw/*.csv"],
        ["raw"],
        ["raw"],
        ["raw/0.csv", "raw/1.csv"],
    ]


def test_an_output_that_cannot_be_one() -> None:
    text, data = proposed(
        trial(
            "state", "state = 'd/state'\nown = 'd/own'", ("d/state",), ("d/state", "d/own"), ((3, "d/own"),)
        ),
        trial("folder", "full = 'd'\nmine = 'e'", (), ("d/y", "e/1", "e/2")),
        trial("again", "mine = 'e'\npart = 'e/3'", (), ("e", "e/3")),
        trial("inner", "part = 'g/set/1'", (), ("g/set",)),
        files=("d/z", "d/y", "e/1", "e/2"),
    )
    assert "'state' (d/state) is no output, since the notebook reads it before it is written" in text
    assert data["stages"]["state"]["outputs"] == ["d/own"]
    assert "'full' (d) is no output, since another output is written there" in text
    assert text.count("is no output, since another output is written there") == 3
    assert data["stages"]["inner"]["outputs"] == ["g/set"]
    assert "since the notebook writes g/set as a whole, which it is in" in text
    assert data["stages"]["folder"]["outputs"] == {"mine": "e"}
    assert "params" not in data


def test_a_folder_with_files_of_others_is_no_output() -> None:
    text, _ = proposed(trial("a", "out = 'd'", (), ("d/y",)), files=("d/y", "d/other"))
    assert "since it is a folder with files that are not of this notebook, such as d/other" in text


def test_lists_folders_and_parts() -> None:
    many = tuple(f"in/{n}.csv" for n in range(9))
    text, data = proposed(
        trial(
            "a",
            "both = ['in/0.csv', 'x.csv']\nfolder = 'in'\nout = 'set'",
            (*many, "x.csv", "in"),
            ("set/1",),
        ),
        trial("b", "part = 'set/1'\nfile = 'a.out'", ("set/1", "a.out", "."), ()),
        trial("c", None, many, ()),
        trial("d", "later = 'z.csv'", ("z.csv",), ()),
        trial("e", "later = 'z.csv'", (), ("z.csv",)),
    )
    assert data["stages"]["a"]["inputs"] == {"both": ["in/0.csv", "./x.csv"], "folder": "in"}
    assert data["stages"]["b"] == {
        "notebook": "notebooks/b.ipynb", "inputs": {"part": "a.out/1", "file": "./a.out"}
    }  # fmt: skip
    assert data["stages"]["c"]["inputs"] == ["in/*.csv"]
    assert data["stages"]["d"]["inputs"] == {"later": "./z.csv"}
    assert "is no output, since d reads it before it is written" in text


def test_what_was_not_observed_keeps_its_place() -> None:
    text, data = proposed(trial("a"), trial("b", None, None, None), trial("c"), trial("d"))
    assert [stage.get("after") for stage in data["stages"].values()] == [None, ["a"], ["b"], None]
    assert "# what it reads and writes could not be observed" in text


def test_a_name_alone_orders() -> None:
    _, data = proposed(
        trial("a", None, (), ("d/x.db",)),
        trial("b", None, (), (), ((1, "d/x.db"), (1, "no path"), (2, ".."))),
    )
    assert data["stages"]["b"]["after"] == ["a"]


def test_bare() -> None:
    text, data = proposed(trial("a", "x = 'f/y'\nn = 1", ("f/y",), ("f/z",)), trial("b"), bare=True)
    assert data == {
        "stages": {
            "a": {"notebook": "notebooks/a.ipynb"},
            "b": {"notebook": "notebooks/b.ipynb", "after": ["a"]},
        }
    }
    assert "# it reads f/y: inputs: [f/y]" in text
    assert "# it writes f/z: outputs: [f/z]" in text


def test_values_that_a_file_cannot_hold_stay_in_the_notebook() -> None:
    _, data = proposed(
        trial(
            "a",
            "a = None\nb: int\nc = f()\nd = '${x}'\ne = float('inf')\nf = 1e999\ng: Thing = 3\nh = 'a\\nb'\n"
            "i: str | None = 'x'\nj = {'default': 1}\nk: float = 1\nl = 1e-7\nm = 'yes'\nn = '12:30:45'\no = 'é'",
        )
    )
    assert data["params"] == {
        "i": {"type": "str | None", "default": "x"},
        "j": {"type": "dict[str, Any]", "default": {"default": 1}},
        "k": {"type": "float", "default": 1},
        "l": 1e-7,
        "m": "yes",
        "n": "12:30:45",
        "o": "é",
    }


@pytest.mark.parametrize(
    "value",
    ["x", "", "true", "No", "a: b", "- a", "#", "a #b", "data/x.csv", "./x", ".5", "1e3", "é\u2028", "'\"\\", "~",
     1, -2, 1.5, 1e300, 1e-300, True, None, [1, ["a"]], {"a b": {"c": []}}, "=", "@x", "a@b", "2020-01-01"],
)  # fmt: skip
def test_values_come_back_from_yaml(value: Any) -> None:
    back = read_document(f"a: {yaml(value)}\nb: [{yaml(value)}]\n", "p.yaml")
    assert back.problems == ()
    assert back.data == {"a": value, "b": [value]}


def test_names_of_stages() -> None:
    paths = [
        "n/01 - Load data.ipynb",
        "a.ipynb",
        "b/a.py",
        "n/01.ipynb",
        "n/é.ipynb",
        "n/" + "x" * 99 + ".ipynb",
    ]
    assert stage_names(paths) == ["Load-data", "a", "a-2", "stage", "stage-2", "x" * 50]


def test_texts_of_cells() -> None:
    data = notebook_data(
        "%matplotlib inline\nread('a/b')",
        "",
        "#md text 'c'",
        "!ls 'd'\nx = {'e': f'{f}g'}",
        "no python '",
        params="p = 'h'",
    )
    assert texts_of(data) == ((2, "a/b"), (3, "e"), (3, "g"))


def test_a_path_that_is_passed_and_written_out_as_well() -> None:
    text, _ = proposed(trial("a", "x = 'd/x'\nout = 'o'", ("d/x",), ("o",), ((2, "d/x"), (2, "d/x"))))
    assert text.count("cell 2 names d/x by itself: write x there") == 1


def test_what_a_notebook_writes_is_referred_to_by_those_after_it() -> None:
    """Case infer_written_input."""
    first = trial(
        "a", writes=("middle.txt", "set/1", "set/2", "set/3", "set/4", "set/5"), texts=((1, "middle.txt"),)
    )
    second = trial("b", "src = 'middle.txt'", reads=("middle.txt",))
    third = trial("c", reads=("middle.txt", "set/3"), texts=((2, "middle.txt"),))
    _, data = proposed(first, second, third)
    assert data["stages"] == {
        "a": {"notebook": "notebooks/a.ipynb", "outputs": ["middle.txt", "set/"]},
        "b": {"notebook": "notebooks/b.ipynb", "inputs": {"src": "a.middle"}},
        "c": {"notebook": "notebooks/c.ipynb", "inputs": ["a.middle", "a.set/3"]},
    }


def test_what_a_later_notebook_writes_is_no_input() -> None:
    text, data = proposed(trial("a", None, ("x.csv",)), trial("b", None, (), ("x.csv",)))
    assert data["stages"]["a"] == {"notebook": "notebooks/a.ipynb", "inputs": ["./x.csv"]}
    assert "# x.csv is no output, since a reads it before it is written" in text


def test_a_kernel_that_is_not_the_notebooks_own_is_named() -> None:
    one = dataclasses.replace(trial("a"), kernel="python3")
    assert proposed(one)[1]["stages"]["a"] == {"notebook": "notebooks/a.ipynb", "kernel": "python3"}

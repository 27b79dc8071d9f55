"""Constants: what a name, string or path is, as far as the text of the code tells."""

from __future__ import annotations

import ast
import os
import posixpath
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.code.constants import HERE, Constants, dotted_name, looks_like_path


def taken(*code: str, fixed: bool = True) -> Constants:
    constants = Constants()
    for text in code:
        constants.take(ast.walk(ast.parse(textwrap.dedent(text))), fixed=fixed)
    constants.settle()
    return constants


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def text_of(code: str, asked: str) -> str | None:
    return taken(code).text(expression(asked))


PATHS = "import os\nimport os.path as osp\nfrom os.path import join as j\nfrom pathlib import Path as P\nimport pathlib\n"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("'data'", "data"),
        ("os.path.join('a', 'b', 'c.csv')", "a/b/c.csv"),
        ("osp.join('a', 'b')", "a/b"),
        ("j('a', 'b')", "a/b"),
        ("P('a') / 'b' / 'c.csv'", "a/b/c.csv"),
        ("pathlib.Path('a', 'b').resolve().as_posix()", "a/b"),
        ("P('a/b').joinpath('c', 'd')", "a/b/c/d"),
        ("P('a/b/c').parent", "a/b"),
        ("P('a/b/c').parents[1]", "a"),
        ("P('a').parent", "."),
        ("P('..').parent", "../.."),
        ("os.path.dirname('a/b')", "a"),
        ("str(P('a'))", "a"),
        ("'a' + '/b'", "a/b"),
        ("f'a/{name}.csv'", "a/day.csv"),
        ("P()", "."),
        ("P.cwd() / 'a'", "./a"),
        ("os.getcwd()", "."),
        ("P(__file__).parent", HERE),
        ("os.path.dirname(os.path.abspath(__file__))", HERE),
        ("P('a') / '/b'", "/b"),
        ("name", "day"),
        ("unknown", None),
        ("P(unknown) / 'a'", None),
        ("f'a/{name!r}'", None),
        ("f'{name:>9}'", None),
        ("'a' * 3", None),
        ("7", None),
        ("input('a')", None),
    ],
)
def test_the_text_of_an_expression(asked: str, wanted: str | None) -> None:
    assert text_of(PATHS + "name = 'day'", asked) == wanted


@pytest.mark.parametrize(
    "code",
    [
        "x = 'a'\nx = 'b'", "x = 'a'\nfor x in y: pass", "x = 'a'\ndef f(x): pass", "x = 'a'\nx += 'b'", "x = 'a'\ndel x",
        "x, y = 'a', 'b'", "x = y = 'a'\nx = 'b'", "with open('a') as x: pass\nx = 'a'", "x = x", "x = y\ny = x", "x = input()",
    ],
)  # fmt: skip
def test_a_name_that_may_be_something_else_has_no_known_value(code: str) -> None:
    assert text_of(code, "x") is None


@pytest.mark.parametrize(
    "code", ["x = 'a'", "x: str = 'a'", "(x := 'a')", "x = y\ny = 'a'", "def f():\n    x = 'a'"]
)
def test_a_name_that_is_bound_once_has_the_value_that_it_is_bound_to(code: str) -> None:
    assert text_of(code, "x") == "a"


def test_names_are_known_across_all_code_that_was_taken_but_for_the_parameters() -> None:
    assert taken("ROOT = 'data'", "FILE = ROOT + '/x.csv'").text(expression("FILE")) == "data/x.csv"
    assert taken("ROOT = 'data'", "ROOT = 'other'").text(expression("ROOT")) is None
    assert taken("ROOT = 'data'", fixed=False).text(expression("ROOT")) is None


def test_a_chain_without_an_end_is_given_up() -> None:
    code = "\n".join(f"x{at} = x{at + 1}" for at in range(500)) + "\nx500 = 'a'"
    assert text_of(code, "x0") is None
    assert text_of(code, "x495") == "a"
    assert text_of("x = 'a'", "+".join(["x"] * 300)) is None


@pytest.mark.parametrize(
    ("asked", "template"),
    [
        ("f'run {a} and {b}'", "run one and {…}"), ("'x' + b + a", "x{…}one"), ("b", "{…}"), ("sys.executable", "{sys.executable}"),
        ("f'{sys.executable} -m x'", "{sys.executable} -m x"), ("[a]", "{…}"),
    ],
)  # fmt: skip
def test_a_template_shows_what_is_known_around_what_is_not(asked: str, template: str) -> None:
    assert taken("import sys\na = 'one'").template(expression(asked)) == template


def test_functions_are_called_by_their_full_names_whatever_the_code_calls_them() -> None:
    constants = taken("import os.path as osp\nimport os\nfrom subprocess import run as r\nfrom . import here")
    names = {
        text: constants.name(expression(text))
        for text in ("osp.join", "os.getcwd", "r", "here", "other.x", "f().x")
    }
    assert names == {
        "osp.join": "os.path.join", "os.getcwd": "os.getcwd", "r": "subprocess.run", "here": "here", "other.x": "other.x",
        "f().x": None,
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.sampled_from(["a", "b.c", "..", "/r", "x y"]), min_size=1, max_size=5),
    levels=st.integers(0, 2),
)
def test_a_path_is_what_pathlib_makes_of_it(parts: list[str], levels: int) -> None:
    code = " / ".join([f"P({parts[0]!r})", *map(repr, parts[1:])])
    found = text_of("from pathlib import Path as P", f"({code}){'.parent' * levels}")
    assert found is not None
    wanted = Path(*parts)
    # Above `..` there is another folder, which pathlib does not know of: `dirname` of the real one.
    there = os.path.normpath(posixpath.join("/one/two/three/four/five/six", *parts, *[".."] * levels))
    assert os.path.normpath(posixpath.join("/one/two/three/four/five/six", found)) == there
    if not levels:
        assert Path(found) == wanted


@pytest.mark.parametrize("text", ["data/x", "x.csv", "X.PARQUET", "../up/x", "a b/c d", "model.joblib"])
def test_what_may_be_the_path_of_a_file(text: str) -> None:
    assert looks_like_path(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/etc/x.csv",
        "~/x.csv",
        "s3://bucket/x.csv",
        "<b>/</b>",
        "a/b\n",
        "word",
        "x/" * 200,
        "./",
        "1.5",
    ],
)
def test_what_is_no_path_of_the_project(text: str) -> None:
    assert not looks_like_path(text)


def test_a_dotted_name_is_one_of_names_alone() -> None:
    assert dotted_name(expression("a.b.c")) == "a.b.c"
    assert [dotted_name(expression(text)) for text in ("a().b", "a[0].b", "'a'.b")] == [None] * 3

"""Shell commands: their words as a shell splits them, and what of them is read."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.code import shell

plain_words = st.text("ab/._=-é ", min_size=1, max_size=8)


def read(text: str) -> shell.Commands:
    return shell.read(shell.words(text))


@settings(max_examples=300, deadline=None)
@given(words=st.lists(plain_words, max_size=6))
def test_quoted_words_are_those_of_a_shell(words: list[str]) -> None:
    text = shlex.join(words)
    assert shell.words(text) == shlex.split(text) == words


@settings(max_examples=300, deadline=None)
@given(text=st.text("ab'\"\\{}$ \n;|&<>()=-", max_size=30))
def test_any_text_can_be_read(text: str) -> None:
    commands = read(text)
    assert all(1 < len(word) <= 250 for word in commands.words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat a.csv|sort>b.csv", ["cat", "a.csv", "|", "sort", ">", "b.csv"]),
        ("cat 'a b'\"c d\"e", ["cat", "a bc de"]),
        ("cat a\\ b \\\n  c", ["cat", "a b", "c"]),
        ("(cd x && make); echo", ["(", "cd", "x", "&", "&", "make", ")", ";", "echo"]),
        ("cat {name + '.csv'} $x", ["cat", "{name + .csv}", "$x"]),
        ("cat >> log", ["cat", ">>", "log"]),
        ("", []),
    ],
)
def test_operators_and_quotes_part_words(text: str, words: list[str]) -> None:
    assert shell.words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat a.csv b.csv", ("cat", "a.csv", "b.csv")),
        ("cat a.csv > out.csv", ("cat", "a.csv")),
        ("sort < in.csv", ("sort", "in.csv")),
        ("cat a.csv | tee out.csv", ("cat", "a.csv", "tee")),
        ("tool -o out.csv --output out2.csv in.csv", ("tool", "in.csv")),
        ("tool --input=in.csv --verbose", ("tool", "in.csv")),
        ("./bin/tool.sh a.csv", ("./bin/tool.sh", "a.csv")),
        ("A=1 env B=2 nohup tool a.csv", ("tool", "a.csv")),
        ("cat a.csv && tee b.csv; cat c.csv", ("cat", "a.csv", "tee", "c.csv")),
        ("cat $name {name}.csv", ("cat",)),
        ("cat a.csv a.csv", ("cat", "a.csv")),
        ("python script.py data.csv", ("python", "script.py", "data.csv")),
        (f"cat {'x' * 251} a", ("cat",)),
    ],
)
def test_the_words_are_those_that_may_name_what_is_read(text: str, words: tuple[str, ...]) -> None:
    assert tuple(dict.fromkeys(read(text).words)) == words


@pytest.mark.parametrize(
    "python", ["python", "python3", "/usr/bin/python3.11", "pypy3", "uv run python", "{sys.executable}"]
)
def test_the_python_in_a_command_is_found(python: str) -> None:
    assert read(f"{python} -u -m pkg.mod a.csv").modules == ["pkg.mod"]
    assert read(f"{python} -c 'import x; y'").code == ["import x; y"]
    commands = read(f"{python} -m pkg.mod -m other -c more; {python} -m second")
    assert (commands.modules, commands.code) == (["pkg.mod", "second"], []), "what follows are its arguments"


def test_an_escaped_quote_within_double_quotes_is_a_quote() -> None:
    assert read(r'''python -c "__import__(\"helpers\")"''').code == ['__import__("helpers")']


def test_modules_are_those_of_python_alone() -> None:
    commands = read("git commit -m message; pythonic -m no; tool -c code")
    assert (commands.modules, commands.code) == ([], [])


@pytest.mark.parametrize(
    ("text", "dynamic"),
    [
        ("python {script}", ("python {script}",)),
        ("python $script --verbose", ("python $script",)),
        ("papermill $name.ipynb out", ("papermill $name.ipynb",)),
        ("cat $data.csv", ()),
        ("python script.py {data}.csv", ()),
    ],
)
def test_a_program_that_is_computed_is_told(text: str, dynamic: tuple[str, ...]) -> None:
    assert tuple(read(text).dynamic) == dynamic

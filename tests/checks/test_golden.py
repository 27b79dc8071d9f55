"""Golden files do what they are for: a difference is shown, no case lies about, and updating touches only outputs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from golden import GOLDEN, Case, Golden, cases, default_case, read_cases, refuse_update, write_output

TEXT = """\
About the cases.

=== one
a: <U+0041>
b: <x*3>
>>> -p 'n=1 2'
first
second

=== no output
x
>>>

=== no input
>>>
alone

with an empty line
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("golden.GOLDEN", tmp_path)
    (tmp_path / "some.txt").write_text(TEXT)
    return tmp_path / "some.txt"


def test_a_file_is_read_into_cases(path: Path) -> None:
    assert read_cases(path) == [
        Case(path=path, name="one", text="a: A\nb: xxx\n", arguments=("-p", "n=1 2"), output="first\nsecond"),
        Case(path=path, name="no output", text="x\n"),
        Case(path=path, name="no input", output="alone\n\nwith an empty line"),
    ]


def test_an_update_changes_the_output_of_its_case_alone(path: Path) -> None:
    one, none, alone = read_cases(path)
    for case in (one, none, alone):
        write_output(case, case.output)
    assert path.read_text() == TEXT
    write_output(none, "new\n\nlines")
    write_output(one, "")
    assert path.read_text() == TEXT.replace("first\nsecond\n", "").replace(
        "x\n>>>\n", "x\n>>>\nnew\n\nlines\n"
    )
    assert [case.output for case in read_cases(path)] == ["", "new\n\nlines", alone.output]


def test_a_test_without_a_case_gets_one(path: Path) -> None:
    golden = Golden(update=True, default=lambda: default_case(Path("test_some.py"), "test_a_new_one"))
    golden("what it shows")
    golden("what it shows now")
    assert path.read_text() == f"{TEXT}\n=== a new one\n>>>\nwhat it shows now\n"


def test_a_difference_fails_and_is_shown_line_by_line(path: Path) -> None:
    one, *_ = read_cases(path)
    golden = Golden(update=False, default=lambda: one)
    golden("first\nsecond")
    with pytest.raises(pytest.fail.Exception) as caught:
        golden("first\nthird")
    assert str(caught.value).splitlines()[-5:] == [
        "@@ -1,2 +1,2 @@",
        " first",
        "-second",
        "+third",
        "(pytest --update-golden rewrites it)",
    ]
    assert path.read_text() == TEXT


def test_ci_and_several_workers_do_not_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert "CI" in refuse_update(workers=0)
    monkeypatch.delenv("CI")
    assert "-n" in refuse_update(workers=2)
    assert refuse_update(workers=0) == ""


def read_by_tests() -> Iterator[tuple[Path, str]]:
    """The golden files that tests read, and the case in each, `*` for all of them."""
    for module in GOLDEN.parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("cases"), args=[ast.Constant(name)]):
                    yield from ((parameter.values[0].path, "*") for parameter in cases(name))
                case ast.FunctionDef(name=name):
                    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
                    if any(ast.unparse(call.func) == "golden" and len(call.args) == 1 for call in calls):
                        made = default_case(module, name)
                        yield made.path, made.name


def test_every_golden_case_is_read_by_a_test() -> None:
    read = set(read_by_tests())
    unused = [
        f"{path.relative_to(GOLDEN)}: {case.name}"
        for path in GOLDEN.rglob("*")
        if path.is_file()
        for case in read_cases(path) or [Case(path=path, name="no case")]
        if not read & {(path, "*"), (path, case.name)}
    ]
    assert unused == []

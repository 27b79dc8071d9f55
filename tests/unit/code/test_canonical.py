"""What a cell says is canonical: looks do not count, and every change of meaning does."""

from __future__ import annotations

import ast
import os
import textwrap
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import at_most
from stagebook.code.canonical import canonical
from stagebook.pipeline.cells import parse_cell

EXAMPLES = int(os.environ.get("STAGEBOOK_EXAMPLES", "1"))


def normalise(source: str) -> str:
    return canonical(parse_cell(source))


# -- random Python --------------------------------------------------------------------------------

_names = st.sampled_from(["a", "b", "frame", "x1", "ä", "_"])
_constants = st.sampled_from(
    [
        "1", "True", "1.0", "0", "0.0", "-1", "None", "...", "1j", "1e400", "'x'", '"it\'s"', "b'x'", "'1'", "''", "'#'", "'''a\nb'''", "r'\\d'", "'\\n'",
        "f'{a}'", "f'{a!r:>{b}}'", "f'a{{'", "'a' 'b'", "[]", "()", "{}", "1_000", "0x10", "'%'",
    ]
)  # fmt: skip


def _expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(
        [
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "**",
            "@",
            "<",
            "==",
            "is",
            "is not",
            "in",
            "not in",
            "and",
            "or",
            "|",
            "<<",
        ]
    )
    return st.one_of(
        st.tuples(inner, binary, inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(st.sampled_from(["-", "not ", "~"]), inner).map(lambda it: f"({it[0]}{it[1]})"),
        st.tuples(inner, inner).map(lambda it: f"f({it[0]}, *{it[1]}, k={it[0]}, **{it[1]})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: f"[{', '.join(it)}]"),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: f"({', '.join(it)},)"),
        st.tuples(inner, inner).map(lambda it: f"{{{it[0]}: {it[1]}, **{it[0]}}}"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]})[{it[1]}:]"),
        inner.map(lambda it: f"({it}).real"),
        st.tuples(inner, inner, inner).map(lambda it: f"({it[0]} if {it[1]} else {it[2]})"),
        st.tuples(inner, _names).map(lambda it: f"[{it[0]} for {it[1]} in a if b]"),
        st.tuples(_names, inner).map(lambda it: f"(lambda {it[0]}, /, *c: {it[1]})"),
        st.tuples(_names, inner).map(lambda it: f"({it[0]} := {it[1]})"),
    )


_expression = st.recursive(_names | _constants, _expressions, max_leaves=6)
_simple = st.one_of(
    _expression,
    st.tuples(_names, _expression).map(" = ".join),
    st.tuples(_names, st.sampled_from(["+", "-", "//"]), _expression).map(lambda it: f"{it[0]} {it[1]}= {it[2]}"),
    st.tuples(_names, _expression).map(lambda it: f"{it[0]}: {it[1]} = 1"),
    st.sampled_from(["pass", "import a.b as c, d", "from . import x", "from ..a import (b, c as d)", "del a", "global g", "assert a, b", "raise A from b"]),
)  # fmt: skip


def _indented(body: str) -> str:
    # By lines of code: the strings of several lines stay as they are.
    return ast.unparse(
        ast.parse("if 1:\n" + textwrap.indent(ast.unparse(ast.parse(body)), "    "))
    ).partition("\n")[2]


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    heads = st.sampled_from(
        ["if a:", "while b:", "for x in y:", "def f(a, b=1, *c, d: int = 2, **e) -> str:", "class C(B, m=M):", "with a as b:", "async def g():", "@deco\ndef h():"]
    )  # fmt: skip
    return st.tuples(heads, inner).map(lambda it: f"{it[0]}\n{_indented(it[1])}") | st.lists(
        inner, min_size=1, max_size=3
    ).map("\n".join)


sources = st.recursive(_simple, _blocks, max_leaves=5)


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _meaning(source: str) -> str:
    tree = _parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = None  # the prefix of u"" does not count
    return ast.dump(tree)


# -- laws -----------------------------------------------------------------------------------------


@settings(max_examples=300 * EXAMPLES, deadline=None)
@given(source=sources)
def test_the_source_written_anew_is_the_same(source: str) -> None:
    assert normalise(ast.unparse(_parse(source))) == normalise(source)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A source, and the same with other looks."""
    source = ast.unparse(_parse(draw(sources)))
    many_lines = '"""' in source or "'''" in source
    other = source
    if not many_lines:
        width = draw(st.sampled_from(["  ", "\t", " " * 7]))
        lines = []
        for line in source.split("\n"):
            bare = line.lstrip(" ")
            depth = (len(line) - len(bare)) // 4
            lines += draw(
                st.lists(st.sampled_from(["", "   ", "# a comment", "      # 'another"]), max_size=2)
            )
            lines.append(width * depth + bare + draw(st.sampled_from(["", "  ", "  # why? 'x", "\t#"])))
        other = "\n".join(lines)
    other = other.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return source, draw(st.sampled_from(["", "\n\n", "# top\n"])) + other + draw(
        st.sampled_from(["", "\n", "\n# end"])
    )


@settings(max_examples=300 * EXAMPLES, deadline=None)
@given(pair=edited())
def test_comments_blank_lines_and_indentation_do_not_count(pair: tuple[str, str]) -> None:
    assert normalise(pair[0]) == normalise(pair[1])


@settings(max_examples=200 * EXAMPLES, deadline=None)
@given(text=_expression)
def test_needless_parentheses_do_not_count(text: str) -> None:
    assert normalise(f"x = {text}") == normalise(f"x = (({text}))") == normalise(f"x = (\n  {text}  # why\n)")


@settings(max_examples=400 * EXAMPLES, deadline=None)
@given(one=sources, other=sources, mutate=st.tuples(*[st.sampled_from("ab1.'x+-()[]:=, \n#%!?")] * 2))
def test_equal_texts_have_equal_trees(one: str, other: str, mutate: tuple[str, str]) -> None:
    for left, right in [(one, other), (one, one.replace(*mutate)), (one, one.replace(*mutate, 1))]:
        try:
            means_the_same = _meaning(left) == _meaning(right)
        except (SyntaxError, ValueError):
            assert normalise(left) != normalise(right) or left.rstrip() == right.rstrip()
            continue
        assert (normalise(left) == normalise(right)) == means_the_same


@settings(max_examples=300 * EXAMPLES, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            ["%time x", "!ls 'a", "a = !ls", "b = %pwd", "x?", "?x", "%%bash", "%%time", "if a:", "    %cd x", "    !ls", "(", ")", '"""', "'''", "'", "\\", "x = 1",
             "x = [", "]", "  % 2", "\x0c", "\0", "\ud800", "%", "!", "%%", "/f x", ",f a", ";f b", "x = '%'", "# ?", "y = 1 \\", "d['a=%b'] = !ls", "é"]
        ) | st.text(max_size=6),
        max_size=8,
    )
)  # fmt: skip
def test_anything_has_a_text(lines: list[str]) -> None:
    source = "\n".join(lines)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = normalise(source)
        assert text == normalise(source + "\n") or "\\" in source  # which may go on there
        parse_cell(source)
    assert text.partition("\n")[0] in {"python", "magic", "text"}


# -- cases ----------------------------------------------------------------------------------------

SAME = [
    ("x=1", "x = 1  # one"),
    ("x = 'a'", 'x = "a"'),
    ("x = u'a'", "x = 'a'"),
    ("f(a,\n  b,)", "f(a, b)"),
    ("x = 'a' 'b'", "x = 'ab'"),
    ("x = 1_000", "x = 1000"),
    ("x = r'\\d'", "x = '\\d'"),
    ("plt.plot();", "plt.plot()"),
    ("if a: b()", "if a:\n\tb()"),
    ("  x = 1\n  y = 2", "x = 1\ny = 2"),
    ("x = 1\r\ny = 2", "x = 1\ny = 2"),
    ("x = 1 + \\\n  2", "x = 1 + 2"),
    ("%matplotlib inline\nx=1", "%matplotlib inline\n\nx = 1  # c"),
    ("!ls 'it\nx = f(1,\n 2)", "!ls 'it\n# c\nx = f(1, 2)"),
    ("files = !ls *.csv\nx=1", "files=!ls *.csv  \nx = 1"),
    ("%%time\nx=1 # c", "%%time\nx = 1"),
    ("%%time\n%%capture out\nx=1", "%%time\n\n%%capture out\nx = 1"),
    ("%%bash\nls\n\n", "%%bash\nls"),
    ("!ls \\\n  -l\nx=1", "!ls    -l\nx = 1"),
    ("if a:\n  %cd x\n  y=1", "if a:\n    %cd x\n    y = 1"),
    ("x?\ny=1", "x?\ny = 1"),
    ("await f( )", "await f()"),
    ("d['k'] = !ls\ny=1", "d['k'] = !ls\ny = 1"),
    ("s = '''\n%not magic\n'''\n!ls\ny=1", "s = '''\n%not magic\n'''\n!ls\ny = 1"),
    ("x = (3\n  % 2)\n!ls", "x = (3 % 2)\n!ls"),
    ("x = 1  # c \\\n!ls", "x = 1\n!ls"),
    ("f('a=%b')\n!ls\ny=1", "f('a=%b')\n!ls\ny = 1"),
    ("!ls\ns = 'a=!b'", '!ls\ns = "a=!b"'),
    ("d['a=%b'] = !ls\ny=1", "d['a=%b'] = !ls\ny = 1"),
    ("x = 1  # y = !ls", "x = 1"),
    ("x = 1  # y = !ls\n!pwd", "x = 1\n!pwd"),
    ("d = {'a=%b': 1}\n!ls\ny=1", "d = {'a=%b': 1}\n!ls\ny = 1"),
]
OTHER = [
    ("x = 1", "x = True"),
    ("x = 1", "x = 1.0"),
    ("x = 0.0", "x = -0.0"),
    ("x = 1", "x = '1'"),
    ("x = 'a'", "x = b'a'"),
    ("x = f'{a}'", "x = '{a}'"),
    ("x = f'{a!r}'", "x = f'{a}'"),
    ("def f():\n  'doc'\n  return 1", "def f():\n  return 1"),
    ("def f():\n  'doc'", "def f():\n  'dog'"),
    ("x = a\ny = b", "y = b\nx = a"),
    ("x = (a)", "x = (a,)"),
    ("a < b < c", "(a < b) < c"),
    ("import a", "import a as b"),
    ("from a import b", "from .a import b"),
    ("from a import b", "from a.b import b"),
    ("def f(a, /): pass", "def f(a): pass"),
    ("def f(*, a): pass", "def f(a): pass"),
    ("for x in y:\n  a\nb", "for x in y:\n  a\n  b"),
    ("x = inf", "x = 1e999"),
    ("%matplotlib inline", "%matplotlib widget"),
    ("!ls", "!ls -l"),
    ("!ls", "%ls"),
    ("x = !ls", "x = %ls"),
    ("x = !ls", "!ls"),
    ("!ls", "__magic__('!ls')"),
    ("!ls\n__magic__('!ls')", "!ls\n!ls"),
    ("%%time\nx = 1", "x = 1"),
    ("%%time\nx = 1", "%%timeit\nx = 1"),
    ("%%bash\nls # c", "%%bash\nls"),
    ("%%writefile a.py\nx=1", "%%writefile a.py\nx = 1"),
    ("%%writefile a.py\nx=1", "%%writefile b.py\nx=1"),
    ("x = ", "x ="[:1]),
    ("this is no python", "this is no  python"),
    ("x?", "x??"),
    ("if a:\n  b\nc", "if a:\n  b\nelse:\n  c"),
    ("if a:\n  !ls", "if a:\n  pass\n!ls"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_looks_do_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_meaning_counts(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    "source",
    [
        "(" * 100_000, "x = " + "+".join("1" * 20_000), "x = '" + "a" * 3_000_000, "%ls\nx='''" + "a\\" * 1_000_000, "x = " + "9" * 10_000, "x = 0x" + "f" * 100_000,
        "%x\n" + "a" * 3_000_000 + "=", "a\0b", "\ud800", "%%time\n" * 10_000, "%x\n" + "\n".join(["(" * 50] * 2_000), "!" * 1_000_000, "%x\n" + "a=%" * 300_000, "x" + "\\\n" * 20_000, "%x" + "\\\n" * 20_000,
    ],
)  # fmt: skip
def test_too_much_is_no_trouble(source: str) -> None:
    with at_most(1000):
        assert normalise(source) == normalise(source)


def test_the_text_of_a_deep_tree_does_not_depend_on_the_stack() -> None:
    source = "x = " + "-" * 80 + "1" + " + 1" * 300

    def deeper(times: int) -> Any:
        return deeper(times - 1) if times else normalise(source)

    assert deeper(0) == deeper(100)
    assert normalise(source).startswith("python")

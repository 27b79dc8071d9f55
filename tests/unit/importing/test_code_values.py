"""What expressions of Python code come to, without running it."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from stagebook.importing.code_values import NotRead, Ref, Values, plain

SCOPE = {"city": Ref("matrix.city"), "names": ["a", "b"], "held": {"k": 1}, "out": "out"}


def value(text: str) -> Any:
    """The value of an expression as a pipeline file has it."""
    return plain(Values(SCOPE).of(ast.parse(text, mode="eval").body))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'${x}'", "$${x}"),
        ("f'{out}/{city}-{3:02d}.csv'", "out/${matrix.city}-03.csv"),
        ("f'{city:02}'", "${('00' + str(matrix.city))[-2:]}"),
        ("Path(out) / 'x' / city", "out/x/${matrix.city}"),
        ("os.path.join(out, 'x') + '.csv'", "out/x.csv"),
        ("dict(a=city, b=[1, -2, None, True])", {"a": "${matrix.city}", "b": [1, -2, None, True]}),
        ("{**held, 'c': names[1]} | {'d': held['k']}", {"k": 1, "c": "b", "d": 1}),
        ("city['depth']", "${matrix.city.depth}"),
        ("city[0]", "${matrix.city[0]}"),
        ("list(range(3))", [0, 1, 2]),
        ("sorted(names + ['0'])", ["0", "a", "b"]),
    ],
)
def test_a_value_that_is_known(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "unknown", "open('x')", "names[7]", "held['z']", "f'{unknown}'", "f'{city!r}'", "f'{city:>9}'", "1 + 2", "'x' * 9",
        "range(10 ** 9)", "range(99999)", "{unknown: 1}", "lambda: 1", "[x for x in names]", "dict(a=unknown)",
        "out(1)", "f'{held}'", "__import__('os').system('x')", "b'x'", "1j",
    ],
)  # fmt: skip
def test_a_value_that_only_running_the_code_tells(text: str) -> None:
    with pytest.raises(NotRead):
        value(text)


def test_a_value_that_grows_without_end_is_not_made() -> None:
    scope: dict[str, Any] = {"t": "x" * 9_000, "v": ["x" * 100] * 90}
    for text in ("t + t", "f'{t}{t}'", "[v, v, v]", "v + v + v", "{'a': t, 'b': t}"):
        with pytest.raises(NotRead):
            Values(scope).of(ast.parse(text, mode="eval").body)

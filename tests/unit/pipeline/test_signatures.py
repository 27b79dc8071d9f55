"""What a function takes is read from the text of its module."""

from __future__ import annotations

import pytest

from stagebook.pipeline.signatures import FunctionNotFound, signature_of

MODULE = b"""
import typing
from json import loads as read
LIMIT = 3


def fit(days: int, frame: "pd.DataFrame", names: list[str] | None = None, *, seed=1, where, **more):
    pass


def placed(a, b=1, /, c=2): ...


async def fetch(): ...


if typing.TYPE_CHECKING:
    def only(): ...


try:
    import fast
except ImportError:
    pass
else:
    def quick(n): ...


class Model:
    def fit(self): ...
"""


def test_names_annotations_and_what_is_needed() -> None:
    found = signature_of(MODULE, "fit")
    assert dict(found.names) == {
        "days": "int",
        "frame": "",
        "names": "list[str] | None",
        "seed": "",
        "where": "",
    }
    assert found.needed == ("days", "frame", "where")
    assert (found.takes_any, found.by_place, found.line) == (True, (), 7)


def test_what_can_be_given_by_place_only() -> None:
    found = signature_of(MODULE, "placed")
    assert (list(found.names), found.needed, found.by_place, found.takes_any) == (["c"], (), ("a",), False)


@pytest.mark.parametrize("name", ["fetch", "only", "quick"])
def test_functions_within_conditions_and_async_ones(name: str) -> None:
    assert signature_of(MODULE, name).by_place == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", ""),
        ("Model", "'Model' is a class"),
        ("read", "'read' is imported from elsewhere"),
        ("LIMIT", "'LIMIT' is a value"),
    ],
)
def test_what_is_no_function_says_what_it_is(name: str, message: str) -> None:
    with pytest.raises(FunctionNotFound) as caught:
        signature_of(MODULE, name)
    assert str(caught.value) == message
    assert caught.value.names == ("fit", "placed", "fetch", "only", "quick")


def test_a_module_that_cannot_be_read() -> None:
    with pytest.raises(FunctionNotFound, match=r"is not Python: invalid syntax, line 2"):
        signature_of(b"x = 1\ny = = 2\n", "f")
    with pytest.raises(FunctionNotFound, match="is not UTF-8 text"):
        signature_of(b"caf\xe9 = 1", "f")

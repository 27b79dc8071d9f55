"""YAML that is made to be too much is refused in little time and memory."""

from __future__ import annotations

import tracemalloc

import pytest

from effort import at_most
from stagebook.pipeline.yaml import read_document


def bomb(first: str, step: str) -> str:
    """Ten aliases of ten aliases of …: a billion values when they are followed."""
    names = zip("abcdefgh", "bcdefghi", strict=True)
    lines = [f"{name}: &{name} {step.replace('*', f'*{before}')}" for before, name in names]
    return "\n".join([f"a: &a {first}", *lines, ""])


BOMBS = {
    "lists": bomb("[1,1,1,1,1,1,1,1,1,1]", "[*,*,*,*,*,*,*,*,*,*]"),
    "mappings": bomb("{x: 1, y: 1}", "{p: *, q: *, r: *, s: *, t: *, u: *, v: *, w: *}"),
    "merges": "a: &a {" + ",".join(f"k{at}: 1" for at in range(5_000)) + "}\nb:\n" + "  - <<: *a\n" * 9_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
@pytest.mark.long
def test_an_alias_bomb_is_refused_in_little_time_and_memory(text: str) -> None:
    with at_most(200):
        (problem,) = read_document(text, "p.yaml").problems
    assert problem.message == "the file grows beyond 100,000 values when its aliases are followed"
    tracemalloc.start()
    read_document(text, "p.yaml")
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_a_flood_of_values_is_refused_before_it_is_built() -> None:
    with at_most(200):
        (problem,) = read_document("- a\n" * 200_000, "p.yaml").problems
    assert problem.message == "the file holds more than 100,000 values"

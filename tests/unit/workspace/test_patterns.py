"""Patterns of paths: what is found on the disk is what fits."""

from __future__ import annotations

import itertools
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from stagebook.workspace.patterns import fits, is_pattern, matches

FILES = [
    "a.csv", "b.txt", "data/a.csv", "data/b.csv", "data/.hidden.csv", "data/deep/a.csv", "data/deep/er/c.csv",
    "data/.folder/a.csv", "data/[x].csv", "data/x.csv", "data/Ä.csv", "raw/2013-01.csv", "raw/2013-02.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("patterns")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "data/folder.csv").mkdir()
    return root


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.csv", ["a.csv"]),
        ("data/*.csv", ["data/[x].csv", "data/a.csv", "data/b.csv", "data/x.csv", "data/Ä.csv"]),
        ("data/.*.csv", ["data/.hidden.csv"]),
        ("**/a.csv", ["a.csv", "data/a.csv", "data/deep/a.csv"]),
        ("data/**/*.csv", ["data/[x].csv", "data/a.csv", "data/b.csv", "data/deep/a.csv", "data/deep/er/c.csv", "data/x.csv", "data/Ä.csv"]),
        ("raw/2013-0[12].csv", ["raw/2013-01.csv", "raw/2013-02.csv"]),
        ("raw/2013-0?.csv", ["raw/2013-01.csv", "raw/2013-02.csv"]),
        ("data/[[]x].csv", ["data/[x].csv"]),
        ("data/*/c.csv", []),
        ("nothing/*", []),
    ],
)  # fmt: skip
def test_what_a_pattern_stands_for(root: Path, pattern: str, wanted: list[str]) -> None:
    assert is_pattern(pattern)
    assert matches(root, pattern, 100) == wanted
    assert [name for name in sorted(FILES) if fits(name, pattern)] == wanted


@hypothesis.given(
    st.lists(
        st.sampled_from(["*", "**", "a.csv", "*.csv", "data", "d*", "deep", "?", "[!x]*"]),
        min_size=1,
        max_size=4,
    ).map("/".join)
)
def test_the_disk_and_the_plan_agree(root: Path, pattern: str) -> None:
    on_disk = matches(root, pattern, 100) if is_pattern(pattern) else [it for it in FILES if it == pattern]
    assert on_disk == [name for name in sorted(FILES) if fits(name, pattern)]


def test_of_too_many_files_one_more_is_told(tmp_path: Path) -> None:
    for at in range(20):
        (tmp_path / f"{at}.csv").touch()
    assert len(matches(tmp_path, "*.csv", 20)) == 20
    assert len(matches(tmp_path, "*.csv", 5)) == 6


def test_a_name_without_signs_is_no_pattern() -> None:
    assert not any(map(is_pattern, ["a.csv", "data/ä b.csv", "", "data/"]))
    assert all(is_pattern(f"a{sign}b") for sign in itertools.chain("*?["))

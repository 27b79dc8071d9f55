"""Marks tell undeclared files from what they were, at little cost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagebook.system.file_cache import FileCache
from stagebook.workspace.marks import Marks


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path, FileCache())


def test_a_file_counts_by_its_content(marks: Marks, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    mark = marks.of("a")
    assert mark is not None
    os.utime(file, (1, 1))
    assert marks.fits("a", mark)
    file.write_text("two")
    assert not marks.fits("a", mark)
    file.unlink()
    assert not marks.fits("a", mark)
    assert marks.of("a") is None


def test_a_large_file_counts_by_its_size_and_time(marks: Marks, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    os.utime(file, (1, 1))
    mark = marks.of("a", most=2)
    assert mark == "stat 3 1000000000"
    assert marks.of("a", most=3) != mark
    assert marks.fits("a", mark)
    os.utime(file, (2, 2))
    assert not marks.fits("a", mark)
    assert (marks.size("a"), marks.size("none")) == (3, 0)


def test_a_folder_counts_by_what_is_in_it(marks: Marks, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("1")
    mark = marks.of("in")
    assert mark is not None
    (tmp_path / "in/a").write_text("2")
    assert marks.fits("in", mark)
    (tmp_path / "in/b").write_text("")
    assert not marks.fits("in", mark)


def test_what_is_no_file_is_not_read(marks: Marks, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert str(marks.of("pipe")).startswith("stat 0 ")

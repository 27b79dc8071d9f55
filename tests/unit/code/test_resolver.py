"""Modules are found where the import system finds them, and paths are those of the project."""

from __future__ import annotations

import importlib.machinery
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.code.constants import HERE
from stagebook.code.resolver import ModuleResolver, SearchPath, Unit, is_local, is_outside
from stagebook.system.file_cache import FileCache


def write(root: Path, *paths: str, text: str = "x = 1") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def resolver(root: Path) -> ModuleResolver:
    return ModuleResolver(str(root), FileCache())


def found(root: Path, name: str, search: SearchPath = ("",)) -> list[str] | None:
    module = resolver(root).find(name, search)
    return None if module is None else [unit.path for unit in module.units]


FOLDERS = ["", "one", "two"]
FILES = st.sets(
    st.tuples(
        st.sampled_from(FOLDERS),
        st.sampled_from(["m.py", "m/__init__.py", "m/n.py", "m/n/__init__.py", "m/n/o.py", "m/notes.txt", "m.txt"]),
    ).map("/".join),
    max_size=9,
)  # fmt: skip


def as_python_finds(root: Path, name: str, search: list[str]) -> str | None:
    """The file that the import system takes; empty for a namespace, None where there is no such module."""
    path = [str(root / folder) for folder in search]
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        importlib.machinery.PathFinder.invalidate_caches()
        spec = importlib.machinery.PathFinder.find_spec(parts[length - 1], path)
        if spec is None:
            return None
        if length < len(parts):
            if spec.submodule_search_locations is None:
                return None
            path = list(spec.submodule_search_locations)
    return "" if spec.origin is None else os.path.relpath(spec.origin, root)


@settings(max_examples=80, deadline=None)
@given(files=FILES, search=st.permutations(FOLDERS), name=st.sampled_from(["m", "m.n", "m.n.o", "m.absent"]))
def test_a_module_is_the_one_that_python_would_import(
    tmp_path_factory: pytest.TempPathFactory, files: set[str], search: list[str], name: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    write(root, *(file.lstrip("/") for file in sorted(files)))
    wanted = as_python_finds(root, name, search)
    expected = None if wanted is None else [wanted] if wanted else []
    assert found(root, name, tuple(search)) == expected


def test_the_standard_library_stands_where_the_path_has_it(tmp_path: Path) -> None:
    write(tmp_path, "json.py", "sys.py", "pandas.py")
    assert found(tmp_path, "json", ("", None)) == ["json.py"]
    assert found(tmp_path, "json", (None, "")) is None
    assert found(tmp_path, "sys", ("", None)) is None, "a built-in module has no file that could hide it"
    made = resolver(tmp_path)
    behind, first = made.find("pandas", (None, "")), made.find("pandas", ("", None))
    assert behind is not None
    assert first is not None
    assert (behind.is_behind, first.is_behind) == (True, False)


def test_a_module_knows_what_its_relative_imports_are_relative_to(tmp_path: Path) -> None:
    write(tmp_path, "pkg/__init__.py", "pkg/mod.py")
    made = resolver(tmp_path)
    for name, package in (("pkg", "pkg"), ("pkg.mod", "pkg")):
        module = made.find(name, ("",))
        assert module is not None
        (unit,) = module.units
        assert (unit.label, unit.package) == (name, package)
    assert made.find("pkg.mod", ("pkg",)) is None


def test_what_was_found_stays_as_it_was_while_a_pipeline_is_looked_through(tmp_path: Path) -> None:
    write(tmp_path, "a.py", text="x = 1")
    made = resolver(tmp_path)
    before = made.find("a", ("",)), made.module("a.py"), made.is_file("b.py")
    write(tmp_path, "a.py", "b.py", text="x = 2")
    assert (made.find("a", ("",)), made.module("a.py"), made.is_file("b.py")) == before
    assert resolver(tmp_path).module("a.py") != before[1]


def test_comments_are_no_change_of_a_module_and_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.py", text="x = 1  # one\n")
    write(tmp_path, "b.py", text="\n\nx = 1\n")
    made = resolver(tmp_path)
    assert made.module("a.py")["digest"] == made.module("b.py")["digest"]
    assert made.digest("a.py") != made.digest("b.py")
    assert made.digest("absent.py") == ""
    assert made.module("absent.py")["references"] == {"dynamic": ["it cannot be read"]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a/./b/../c.py", "a/c.py"), (".", ""), ("a/..", ""), ("../a", "../a"), ("/elsewhere/a", "/elsewhere/a"), ("", None),
        ("a\0b", None), ("x" * 1_001, None), (f"{HERE}/a.py", "pkg/sub/a.py"), (f"{HERE}/../a.py", "pkg/a.py"), (f"{HERE}/../../..", ".."),
    ],
)  # fmt: skip
def test_a_path_in_code_is_relative_to_the_project_or_to_its_file(
    tmp_path: Path, text: str, wanted: str | None
) -> None:
    unit = Unit(label="pkg.sub.mod", path="pkg/sub/mod.py", references={})
    assert resolver(tmp_path).resolve(text, unit) == wanted


def test_an_absolute_path_into_the_project_is_one_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    made = resolver(tmp_path / "link")
    assert made.resolve(f"{tmp_path}/link/a.py") == "a.py"
    assert made.resolve(f"{tmp_path}/real/a.py") == "a.py"
    assert made.resolve(f"{tmp_path}/real") == ""
    assert made.resolve(f"{tmp_path}/really/a.py") == f"{tmp_path}/really/a.py"


def test_outside_and_environments_are_told_by_the_path() -> None:
    assert [is_outside(path) for path in ("..", "../a", "/a", "..a", "a/..b", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert [is_local(path) for path in ("a/.venv/b", "site-packages", "a/venv", "a.git/b")] == [
        False,
        False,
        True,
        True,
    ]

"""The programs of a kernel's environment are found first, and the rest of `PATH` stays in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagebook.execution.kernels.programs import beside_interpreter


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    for folder, names in {
        "env": ("python", "python3", "pip", "python3.13"),
        "system": ("python3", "python3.11", "ls"),
        "tools": ("git",),
    }.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch(mode=0o755)
    return {name: tmp_path / name for name in ("env", "system", "tools")}


def path_of(folders: dict[str, Path], *names: str) -> str:
    return ":".join(str(folders[name]) for name in names)


@pytest.mark.parametrize(
    ("before", "interpreter", "after"),
    [
        ("tools system", "env/python", "env tools system"),
        ("system env", "env/python3.13", "env system env"),
        ("env system", "env/python", "env system"),
        ("tools env system", "env/python", "tools env system"),  # found anyway
        ("tools system", "system/python3", "tools system"),
        ("system tools", "python3.11", "system tools"),
        ("system tools", "python3.13", "system tools"),  # there is none
        ("tools system", "tools/git", "tools system"),
    ],
)
def test_the_folder_of_the_interpreter_is_first_where_another_would_be_found(
    folders: dict[str, Path], before: str, interpreter: str, after: str
) -> None:
    folder, _, name = interpreter.rpartition("/")
    program = f"{folders[folder]}/{name}" if folder else name
    env = beside_interpreter({"PATH": path_of(folders, *before.split()), "x": "y"}, program)
    assert env == {"PATH": path_of(folders, *after.split()), "x": "y"}


def test_what_is_no_interpreter_changes_nothing() -> None:
    assert beside_interpreter({"PATH": "/nowhere"}, "") == {"PATH": "/nowhere"}
    assert "PATH" not in beside_interpreter({}, "/nowhere/R")

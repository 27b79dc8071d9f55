"""A kernel is told from others, and from what it was before, without running it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagebook.workspace.kernels import Kernel, find_kernel, kernel_languages, this_python

ENV = {"PATH": os.environ["PATH"]}
VERSION = f"{platform.python_implementation()} {platform.python_version()}"
Write = Callable[..., Path]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the specification of a kernel; its file."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    def write(name: str, *argv: str, text: bytes = b"", **more: Any) -> Path:
        path = tmp_path / f"jupyter/kernels/{name}/kernel.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        spec = {"argv": list(argv), "display_name": name, "language": "python", **more}
        path.write_bytes(text or json.dumps(spec).encode())
        return path

    return write


def program(folder: Path, text: str = "one") -> Path:
    path = folder / "bin/python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_python3_is_this_python_whatever_its_specification_says_beyond_that(kernel: Write) -> None:
    assert this_python() == Kernel(facts={"kernel": "python3", "python": VERSION})
    for command in ("python3", "python", sys.executable):
        kernel("python3", command, "-m", "ipykernel_launcher", env={"A": command})
        assert find_kernel("python3", ENV) == this_python()


def test_this_python_by_another_name_counts_with_its_specification(kernel: Write) -> None:
    kernel("mine", sys.executable, "-m", "ipykernel_launcher")
    mine = find_kernel("mine", ENV)
    assert (mine.facts["python"], mine.prefix) == (VERSION, None)
    kernel("mine", sys.executable, "-m", "ipykernel_launcher", env={"A": "1"})
    assert find_kernel("mine", ENV).facts != mine.facts
    assert find_kernel("MINE", ENV).facts["python"] == VERSION, "Jupyter's names have no case"


def test_another_program_is_looked_for_as_a_shell_does(kernel: Write, tmp_path: Path) -> None:
    kernel("other", "special")
    first, second = program(tmp_path / "one"), program(tmp_path / "two")
    for path in (first, second):
        path.rename(path.with_name("special"))
    found = [find_kernel("other", {"PATH": str(path.parent)}) for path in (first, second)]
    assert [it.prefix for it in found] == [tmp_path / "one", tmp_path / "two"]
    assert found[0].facts != found[1].facts


def test_a_program_behind_a_link_is_told_by_the_file_itself(kernel: Write, tmp_path: Path) -> None:
    real = program(tmp_path / "real")
    link = tmp_path / "env/bin/python"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    kernel("linked", str(link))
    before = find_kernel("linked", ENV)
    assert before.prefix == tmp_path / "env", (
        "packages are those of the environment and not of the link's end"
    )
    assert find_kernel("linked", ENV) == before
    real.write_text("another")
    assert find_kernel("linked", ENV).facts != before.facts


def test_a_kernel_of_another_language_imports_from_no_environment(kernel: Write, tmp_path: Path) -> None:
    kernel("r", str(program(tmp_path / "env")), language="R")
    assert find_kernel("r", ENV).prefix is None


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"argv": []}', b'{"argv": 3}', b'{"argv": [""]}', b"\xff"]
)
def test_a_specification_that_cannot_be_read_is_none(kernel: Write, text: bytes) -> None:
    kernel("odd", text=text or b" ")
    assert find_kernel("odd", ENV).facts == {"kernel": "odd", "spec": "unknown"}
    kernel("python3", text=text or b" ")
    assert find_kernel("python3", ENV) == this_python()


def test_a_kernel_that_is_not_installed_is_another_than_any_that_is(kernel: Write) -> None:
    unknown = find_kernel("late", ENV)
    kernel("late", sys.executable)
    assert find_kernel("late", ENV).facts != unknown.facts


def test_the_language_of_each_kernel_is_that_of_its_specification(kernel: Write) -> None:
    kernel("ir", "R", language="R")
    kernel("none", "x", language=None)
    kernel("broken", text=b"{")
    kernel("Mine", "python")
    found = kernel_languages()
    assert {name: found[name] for name in ("ir", "none", "broken", "mine", "python3")} == {
        "ir": "r", "none": "", "broken": "", "mine": "python", "python3": "python",
    }  # fmt: skip

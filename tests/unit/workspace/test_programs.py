"""Programs on this machine, and the notebooks that are made for those of stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagebook.pipeline.notebook_file import NotebookUnreadable
from stagebook.workspace.programs import Programs, is_made


def programs(root: Path) -> Programs:
    return Programs(root, root / ".stagebook/cache/programs")


def test_a_notebook_is_written_when_it_is_asked_for(tmp_path: Path) -> None:
    made = programs(tmp_path)
    path = made.place(b"{}")
    assert is_made(path)
    assert path.startswith(".stagebook/cache/programs/program-")
    assert not (tmp_path / ".stagebook").exists()
    assert made.written(path) == tmp_path / path
    (tmp_path / path).write_bytes(b"damaged")
    assert made.written(path).read_bytes() == b"{}"


def test_a_folder_elsewhere_gives_an_absolute_path(tmp_path: Path) -> None:
    made = Programs(tmp_path / "project", tmp_path / "near/programs")
    path = made.place(b"{}")
    assert is_made(path)
    assert made.written(path) == Path(path) == tmp_path / "near/programs" / Path(path).name


def test_one_that_was_made_before_is_taken_as_it_is(tmp_path: Path) -> None:
    path = programs(tmp_path).place(b"{}")
    assert programs(tmp_path).written(path) == tmp_path / path


def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / ".stagebook").write_text("a file in the way")
    made = programs(tmp_path)
    with pytest.raises(NotebookUnreadable, match="cannot be made a notebook of: "):
        made.written(made.place(b"{}"))


@pytest.mark.parametrize("path", ["notebooks/a.ipynb", "programs/program-1.ipynb", "programs/a.ipynb"])
def test_a_persons_notebook_is_none_of_them(path: str) -> None:
    assert not is_made(path)


def test_programs_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    made = programs(tmp_path)
    script = tmp_path / "scripts/run.sh"
    script.parent.mkdir()
    script.write_text("ls\n")
    assert [made.finds("sh"), made.finds("python"), made.finds("no-such-program")] == [True, True, False]
    assert [made.finds("scripts/run.sh"), made.finds("scripts"), made.finds("/bin/sh")] == [
        False,
        False,
        True,
    ]
    script.chmod(0o755)
    assert made.finds("scripts/run.sh")

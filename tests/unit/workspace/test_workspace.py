"""The files of a project, read once each until they are looked at anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

SCRIPT = "# %% tags=['parameters']\nn: int = 1\n# %%\nprint(n)\n"


def params_of(workspace: Workspace, notebook: str) -> set[str]:
    return {param.name for param in workspace.facts(notebook).params}


def test_a_notebook_is_read_once_until_it_is_looked_at_anew(builder: ProjectBuilder) -> None:
    path = builder.notebook("a", "1", params="x = 1")
    workspace = Workspace(builder.root)
    first = workspace.facts(path)
    builder.notebook("a", "1", params="y = 1")
    assert workspace.facts(path) is first
    workspace.forget()
    assert workspace.facts(path) != first
    assert workspace.facts(path) == Workspace(builder.root).facts(path)


def test_a_notebook_that_cannot_be_read_is_refused_each_time_and_mended_by_forgetting(
    builder: ProjectBuilder,
) -> None:
    builder.file("notebooks/a.ipynb", "{")
    workspace = Workspace(builder.root)
    for _ in range(2):
        with pytest.raises(NotebookUnreadable):
            workspace.facts("notebooks/a.ipynb")
        builder.notebook("a", "1")
    workspace.forget()
    assert workspace.facts("notebooks/a.ipynb")
    with pytest.raises(NotebookUnreadable, match="No such file"):
        workspace.executable("notebooks/absent.py")


def test_a_script_is_converted_once_for_each_of_its_contents(builder: ProjectBuilder) -> None:
    builder.file("a.py", SCRIPT)
    workspace = Workspace(builder.root)
    first = workspace.executable("a.py")
    assert json.loads(first.read_bytes())["cells"]
    written = first.stat().st_mtime_ns
    assert (Workspace(builder.root).executable("a.py"), first.stat().st_mtime_ns) == (first, written)
    builder.file("a.py", SCRIPT + "2\n")
    second = workspace.executable("a.py")
    assert second != first
    builder.file("a.py", SCRIPT)
    assert workspace.executable("a.py") == first


def test_a_conversion_that_was_damaged_is_made_anew(builder: ProjectBuilder) -> None:
    builder.file("a.py", SCRIPT)
    target = Workspace(builder.root).executable("a.py")
    whole = target.read_bytes()
    target.write_bytes(whole[:20])
    assert Workspace(builder.root).executable("a.py") == target
    assert json.loads(target.read_bytes())["cells"] == json.loads(whole)["cells"]


def test_the_executable_of_a_notebook_is_the_notebook(builder: ProjectBuilder) -> None:
    path = builder.notebook("a", "1")
    assert Workspace(builder.root).executable(path) == builder.root / path


def test_paths_are_those_of_the_project_and_outputs_not_those_of_its_state(builder: ProjectBuilder) -> None:
    workspace = Workspace(builder.root)
    builder.file("data/x.csv")
    assert workspace.inside("./data//x.csv") == "data/x.csv"
    assert [workspace.exists(path) for path in ("data", "data/x.csv", "data/y.csv")] == [True, True, False]
    assert [workspace.is_file(path) for path in ("data", "data/x.csv", "data/y.csv")] == [False, True, False]
    for refuse, path in ((workspace.inside, "../x.csv"), (workspace.inside_for_output, ".stagebook/x.csv")):
        with pytest.raises(PathRefused):
            refuse(path)


def test_the_kernels_are_those_with_a_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for name in ("Mine", "empty"):
        (tmp_path / f"kernels/{name}").mkdir(parents=True)
    (tmp_path / "kernels/Mine/kernel.json").write_text("{}")
    found = Workspace(tmp_path).kernels()
    assert {"mine", "python3"} <= found.keys()
    assert "empty" not in found

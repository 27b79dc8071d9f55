"""Percent scripts and Markdown are stages like notebooks, converted once for each content."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.workspace.workspace import Workspace

PERCENT = """\
# %% [markdown]
# # Load

# %% tags=["parameters"]
n: int = 1  # how many
out = ""

# %%
import os
print(n)
"""
MARKDOWN = """\
# Load

```python tags=["parameters"]
n: int = 1  # how many
out = ""
```

```python
import os
print(n)
```
"""


def cells_of(path: Path) -> list[dict[str, Any]]:
    data = json.loads(path.read_bytes())
    found: list[dict[str, Any]] = data["cells"]
    return found


@pytest.mark.parametrize(("name", "text"), [("load.py", PERCENT), ("load.md", MARKDOWN)])
def test_a_script_is_read_as_a_notebook(builder: ProjectBuilder, name: str, text: str) -> None:
    builder.file(f"notebooks/{name}", text)
    workspace = Workspace(builder.root)
    facts = workspace.facts(f"notebooks/{name}")
    assert (facts.kernel, facts.language, facts.imports) == ("python3", "python", {"os"})
    params = {
        key: (str(param.type), param.default, param.help) for key, param in (facts.parameters or {}).items()
    }
    assert params == {"n": ("int", 1, "how many"), "out": ("str", "", "")}
    data = json.loads(workspace.executable(f"notebooks/{name}").read_bytes())
    assert data["nbformat"] == 4
    assert data["metadata"]["kernelspec"] == {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    assert [cell["cell_type"] for cell in data["cells"]] == ["markdown", "code", "code"]
    assert len({cell["id"] for cell in data["cells"]}) == 3
    text = f"stages: {{a: {{notebook: notebooks/{name}, params: {{n: 2}}, outputs: {{out: data/x}}}}}}"
    assert builder.screen(text) == ""
    assert "declares no parameter 'm'" in builder.screen(text.replace("{n: 2}", "{m: 2}"))


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "another cell", "gone"])
def test_a_converted_script_that_was_damaged_is_converted_anew(builder: ProjectBuilder, damage: str) -> None:
    builder.file("notebooks/load.py", PERCENT)
    converted = Workspace(builder.root).executable("notebooks/load.py")
    wanted = converted.read_bytes()
    match damage:
        case "empty":
            converted.write_bytes(b"")
        case "truncated":
            converted.write_bytes(wanted[: len(wanted) // 2])
        case "garbage":
            converted.write_bytes(b"\xff[")
        case "another cell":
            converted.write_bytes(wanted.replace(b"print(n)", b"print(m)"))
        case _:
            converted.unlink()
    again = Workspace(builder.root).executable("notebooks/load.py")
    assert (again, again.read_bytes()) == (converted, wanted)


def test_a_script_is_converted_once_for_each_content(builder: ProjectBuilder) -> None:
    script = builder.file("notebooks/load.py", PERCENT)
    first = Workspace(builder.root).executable("notebooks/load.py")
    before = (first.stat().st_ino, first.stat().st_mtime_ns)
    ids = [cell["id"] for cell in cells_of(first)]
    second = Workspace(builder.root).executable("notebooks/load.py")
    assert second == first
    assert (second.stat().st_ino, second.stat().st_mtime_ns) == before
    script.write_text(PERCENT.replace("print(n)", "print(n + 1)"))
    changed = Workspace(builder.root).executable("notebooks/load.py")
    assert changed != first
    assert first.exists()
    assert [cell["id"] for cell in cells_of(changed)][:2] == ids[:2], "cells that stay keep their ids"
    assert [cell["id"] for cell in cells_of(changed)][2] != ids[2]
    first.unlink()
    script.write_text(PERCENT)
    again = Workspace(builder.root).executable("notebooks/load.py")
    assert [cell["id"] for cell in cells_of(again)] == ids
    assert script.read_text() == PERCENT, "the source is never written to"


def test_the_kernel_that_a_script_names_is_kept(builder: ProjectBuilder) -> None:
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     name: conda-env\n#     display_name: Mine\n#     language: python\n# ---\n\n"
    builder.file("notebooks/load.py", header + PERCENT)
    assert Workspace(builder.root).facts("notebooks/load.py").kernel == "conda-env"


def test_what_is_converted_is_for_the_user_alone(builder: ProjectBuilder) -> None:
    builder.file("notebooks/load.py", PERCENT)
    target = Workspace(builder.root).executable("notebooks/load.py")
    folder = target.parent
    while folder != builder.root:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        folder = folder.parent


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# %%\nx = 'caf\xe9'\n", "is not UTF-8 text"),
        (b"# ---\n# jupyter:\n#   kernelspec: 3\n# ---\n# %%\nx = 1\n", "is not a notebook script: "),
    ],
)
def test_an_unreadable_script_is_told_of_at_its_stage(
    builder: ProjectBuilder, content: bytes, message: str
) -> None:
    builder.file("notebooks/load.py", content)
    with pytest.raises(NotebookUnreadable) as caught:
        Workspace(builder.root).executable("notebooks/load.py")
    assert str(caught.value).startswith(message)
    screen = builder.screen("stages: {a: {notebook: notebooks/load.py}}")
    assert screen.startswith(f"pipelines/p.yaml:1:14: 'notebooks/load.py' {message}")
    assert not list(builder.root.glob(".stagebook/cache/scripts/*"))


def test_a_script_that_went_away_is_unreadable(builder: ProjectBuilder) -> None:
    with pytest.raises(NotebookUnreadable, match="cannot be read: No such file"):
        Workspace(builder.root).executable("notebooks/gone.py")

"""Command lines as stages: by what they run, and as they are where that is not known."""

from __future__ import annotations

from typing import Any

import pytest

from stagebook.importing.command_line import stage_of
from stagebook.importing.draft import StageDraft


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python3.11 a/x.py --n 3 -0.5 007", {"script": "a/x.py", "args": ["--n", 3, "-0.5", "007"]}),
        ("poetry run python x.py", {"script": "x.py"}),
        ("python -m tool x", {"command": ["python", "-m", "tool", "x"]}),
        ("python x.py > y", {"command": "python x.py > y"}),
        ("A=1 python x.py", {"command": "A=1 python x.py"}),
        ("echo 'open", {"command": "echo 'open"}),
        ("papermill a.ipynb -p n 3 -r m 3 -p t x -k py", {"notebook": "a.ipynb", "kernel": "py", "params": {"n": 3, "m": "3", "t": "x"}}),
        (
            "python -m papermill a.ipynb out/a.html --cwd sub",
            {"notebook": "a.ipynb", "workdir": "sub", "outputs": {"executed": {"path": "out/a.html", "kind": "notebook"}}},
        ),
        ("papermill --version", {"command": "papermill --version"}),
        (
            "jupyter nbconvert --execute --to notebook n/a.ipynb --output b",
            {"notebook": "n/a.ipynb", "workdir": "notebook", "outputs": {"executed": {"path": "n/b.ipynb", "kind": "notebook"}}},
        ),
        (
            "jupyter nbconvert --to=notebook --execute a.ipynb",
            {"notebook": "a.ipynb", "workdir": "notebook", "outputs": {"executed": {"path": "a.nbconvert.ipynb", "kind": "notebook"}}},
        ),
        ("jupyter nbconvert --to html a.ipynb", {"command": ["jupyter", "nbconvert", "--to", "html", "a.ipynb"]}),
    ],
)  # fmt: skip
def test_a_command_line(command: str, expected: dict[str, Any]) -> None:
    stage = StageDraft(name="a")
    stage_of(command, stage, lambda text: text)
    assert (stage.keys, stage.notes) == (expected, [])


def test_what_is_lost_of_a_command_line_is_noted() -> None:
    stage = StageDraft(name="a")
    stage_of("papermill a.ipynb a.pdf --engine x", stage, lambda text: text)
    assert stage.notes == [
        "--engine x of papermill",
        "a.pdf: an executed notebook is written as .ipynb, .html or .md",
    ]
    stage_of("jupyter nbconvert --execute --inplace a.ipynb", stage, lambda text: text)
    assert stage.notes[-1].startswith("--inplace: ")

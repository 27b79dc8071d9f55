"""Secrets that are written out in pipelines, notebooks and settings are warned of, with their places and not their values."""

from __future__ import annotations

import json

from building import ProjectBuilder, notebook_data
from commands import stagebook
from stagebook.runs.leaks import find_leaks

TOKEN = "ghp_" + "a1B2" * 9


def test_each_kind_of_file_has_its_places(builder: ProjectBuilder) -> None:
    notebook = notebook_data("x = 1", f"import os\ntoken = '{TOKEN}'", f"#md\nuse {TOKEN}", "print(token)")
    notebook["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"{TOKEN}\n"]}]
    builder.file("notebooks/a.ipynb", json.dumps(notebook))
    builder.file("notebooks/b.py", f"# %%\nkey = '{TOKEN}'\n")
    builder.file("pipelines/p.yaml", "params:\n  password: hunter2!\n")
    builder.file("stagebook.toml", f"# {TOKEN}\n")
    paths = [
        "pipelines/p.yaml",
        "stagebook.toml",
        "notebooks/a.ipynb",
        "notebooks/b.py",
        "notebooks/none.ipynb",
    ]
    found = find_leaks(builder.root, paths)
    assert [f"{problem.place}: {problem.message}" for problem in found] == [
        "pipelines/p.yaml:2:3: what looks like a secret that is written out",
        "stagebook.toml:1:3: what looks like a token of GitHub",
        "notebooks/a.ipynb: cell 2, line 2: what looks like a token of GitHub",
        "notebooks/a.ipynb: the markdown cell at place 3, line 1: what looks like a token of GitHub",
        "notebooks/a.ipynb: an output of cell 3: what looks like a token of GitHub",
        "notebooks/b.py:2:8: what looks like a token of GitHub",
    ]
    assert TOKEN not in str(found)
    assert "# not a secret" in found[0].hint


def test_check_warns_and_a_line_can_be_passed_over(builder: ProjectBuilder) -> None:
    builder.notebook("a", "password = 'correct-horse'")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    done = stagebook(builder.root, "check", "--json")
    assert done.returncode == 0
    (warning,) = json.loads(done.stdout)["warnings"]
    assert warning["path"] == "notebooks/a.ipynb"
    assert warning["message"] == "cell 1, line 1: what looks like a secret that is written out"
    assert "correct-horse" not in done.stdout
    builder.notebook("a", "password = 'correct-horse'  # not a secret")
    assert json.loads(stagebook(builder.root, "check", "--json").stdout)["warnings"] == []

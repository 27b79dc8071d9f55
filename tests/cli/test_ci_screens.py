"""What `stagebook ci` says where the tests of notebooks cannot be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.cli.ci import why_not


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('{"error": "no pytest", "hint": "pip install pytest"}', "no pytest: pip install pytest"),
        ('{"error": "no pytest", "hint": ""}', "no pytest"),
        ("", "it ended with 2"),
        ("Traceback", "it ended with 2"),
        ("[]", "it ended with 2"),
        ('{"tests": []}', "it ended with 2"),
    ],
)
def test_its_own_words_come_first(said: str, why: str) -> None:
    assert why_not(said, 2) == why


def test_without_pytest_the_command_says_what_to_install(builder: ProjectBuilder, tmp_path: Path) -> None:
    """The words that `why_not` reads are those of the command: in an interpreter that finds no pytest."""
    builder.file("tests/test_a.py", "def test_a(): pass\n")
    builder.pipeline("stages: {}")
    hide = tmp_path / "hidden"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import importlib.util as u\n_find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'pytest' else _find(name, *rest)\n"
    )
    platform = Path(__file__).parents[2] / "platform"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(hide), str(platform)])}
    words = [sys.executable, "-P", "-m", "stagebook", "test", "--json"]
    done = subprocess.run(words, cwd=builder.root, env=env, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["error"] == "tests of notebooks need pytest, which is not installed"
    assert why_not(done.stdout, done.returncode).endswith(": pip install pytest")

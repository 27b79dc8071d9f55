"""The layers check is seen to fail where it has to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command, "import-linter is not installed"
    return subprocess.run(
        [command, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder / "platform")},
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(
        REPOSITORY / "platform", tmp_path / "platform", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_are_kept(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("planning/graph.py", "import stagebook.execution.runner.runner", "Imports go one way only"),
        ("journal/journal.py", "import stagebook.execution.attempt", "Imports go one way only"),
        ("execution/runner/staging.py", "import stagebook.journal.journal", "Execution knows no journal"),
        ("execution/kernels/cells.py", "import stagebook.execution.worker.main", "Execution's own rooms"),
        ("errors.py", "import stagebook.events", "Imports go one way only"),
        ("planning/graph.py", "import os", "Pure modules"),
        ("execution/runner/run_state.py", "import time", "Pure modules"),
        ("execution/runner/runner.py", "import papermill", "papermill and nbclient have one door each"),
        ("journal/journal.py", "import mlflow", "The other libraries have one door each"),
        ("project.py", "import stagebook.testing.stages", "Imports go one way only"),
        ("testing/replay.py", "import pytest", "The other libraries have one door each"),
    ],
)
def test_a_module_that_breaks_the_layers_fails_the_check(
    copy: Path, module: str, line: str, broken: str
) -> None:
    path = copy / "platform/stagebook" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1
    (found,) = [text for text in done.stdout.splitlines() if " BROKEN" in text and broken in text]
    assert found


def test_a_module_that_no_layer_names_fails_the_check(copy: Path) -> None:
    (copy / "platform/stagebook/stray.py").write_text('"""Nowhere."""\n')
    done = lint(copy)
    assert done.returncode == 1
    assert "stray" in done.stdout


def test_platform_is_no_package() -> None:
    assert not (REPOSITORY / "platform/__init__.py").exists()

"""Mistakes that are planted into a copy of the package are found by the tests that are there for them.

`planted/mistakes.toml` says what is planted where, and which tests notice. In `make test` some of them
have their turn, in `make faults` all.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from effort import SEED, amount, figure

ROOT = Path(__file__).parents[2]
PACKAGE = "platform/stagebook"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A breakage: in `file` of the package, `old` becomes `new`; one of `tests` has to fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: Sequence[str]

    def plant(self, root: Path) -> None:
        """Put it into a copy."""
        path = root / PACKAGE / self.file
        text = path.read_text()
        count = text.count(self.old)
        where = f"'{self.name}': in {self.file} there is {count} times, instead of once:\n{self.old}"
        assert count == 1, f"{where}\nThe code has changed: mend the mistake in planted/mistakes.toml."
        path.write_text(text.replace(self.old, self.new))

    def remove(self, root: Path) -> None:
        """Take the file as it is in the checkout."""
        shutil.copy(ROOT / PACKAGE / self.file, root / PACKAGE / self.file)


def read() -> list[Mistake]:
    """All mistakes."""
    data = tomllib.loads((Path(__file__).parent / "planted/mistakes.toml").read_text())
    return [Mistake(**item) for item in data["mistake"]]


MISTAKES = read()
TURN = random.Random(SEED).sample(MISTAKES, min(len(MISTAKES), amount(2, len(MISTAKES))))


@dataclasses.dataclass(kw_only=True)
class Copy:
    """A copy of the package and its tests."""

    root: Path
    found: int = 0
    seconds: float = 0.0

    def run(self, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run tests of the copy."""
        wanted = [f"tests/{test}" for test in tests]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "--no-header",
            *wanted,
        ]
        # What was compiled before a patch may be of the same size and second as what it is now.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "STAGEBOOK_FAULTS": ""}
        env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            command, cwd=self.root, env=env, capture_output=True, text=True, check=False, timeout=240
        )
        assert str(ROOT) not in done.stdout, "the tests are those of the copy"
        return done


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    root = tmp_path_factory.mktemp("planted")
    left_out = shutil.ignore_patterns("__pycache__", "node_modules")
    for folder in (PACKAGE, "tests", "jupyter_extension/stagebook_lab"):
        shutil.copytree(ROOT / folder, root / folder, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", root / "pyproject.toml")
    copy = Copy(root=root)
    yield copy
    figure("planted mistakes", f"{copy.found} of {len(MISTAKES)} planted, all found, in {copy.seconds:.0f} s")


def test_as_it_is_the_copy_is_well(copied: Copy) -> None:
    tests = sorted({test for mistake in TURN for test in mistake.tests})
    done = copied.run(tests)
    assert done.returncode == pytest.ExitCode.OK, done.stdout[-5000:] + done.stderr


@pytest.mark.parametrize("mistake", TURN, ids=lambda mistake: mistake.name)
@pytest.mark.long
def test_a_planted_mistake_is_found(copied: Copy, mistake: Mistake) -> None:
    began = time.monotonic()
    mistake.plant(copied.root)
    try:
        done = copied.run(mistake.tests)
    finally:
        mistake.remove(copied.root)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, (
        f"nobody noticed: {mistake.name}\n{done.stdout[-3000:]}"
    )
    copied.found += 1
    copied.seconds += time.monotonic() - began


def test_every_mistake_can_be_planted(copied: Copy) -> None:
    """Also those that have their turn another time."""
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 14
    for mistake in MISTAKES:
        mistake.plant(copied.root)
        mistake.remove(copied.root)

"""Commands that are killed while they put results into a shared store: what is there is whole, and the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, python
from effort import SEED, amount, figure
from stagebook.project import Project
from stagebook.sharing.document import document_of
from stagebook.sharing.folder_place import FolderPlace
from stagebook.system.files import sha256_of

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
# Runs a command of Stagebook that kills itself.
COMMAND = """
import sys
sys.path.insert(0, {here!r})
from killing import kill_at
kill_at({folder!r}, {number})
sys.argv[1:] = {words!r}
from stagebook.cli import main
sys.exit(main())
"""
PIPELINE = """\
params: {n: 1}
defaults: {executor: inprocess}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${params.n}"}
    outputs: {one: data/one.csv, two: data/two}
  b:
    notebook: notebooks/b.ipynb
    inputs: {one: a.one}
    outputs: {three: data/three.csv}
"""
SETTINGS = '[tracking]\nenabled = false\n[run]\nfork = false\n[store]\nremote = "{remote}"\n'
CELL = """
import os
open(one, 'w').write(f'n\\n{n}\\n')
os.makedirs(two)
for name in 'xy': open(f'{two}/{name}.csv', 'w').write(f'{name}{n}')
"""


def clone(root: Path) -> ProjectBuilder:
    made = ProjectBuilder(root)
    made.file("stagebook.toml", SETTINGS.format(remote=root.parent / "remote"))
    made.notebook("a", CELL, params="n = 0\none = ''\ntwo = ''")
    made.notebook("b", "open(three, 'w').write(open(one).read())", params="one = ''\nthree = ''")
    made.pipeline(PIPELINE)
    return made


def killed(root: Path, folder: Path, number: int, *words: str) -> tuple[int, str]:
    """The exit code of a command that kills itself at an operation on files below a folder; and what it said there."""
    code = COMMAND.format(here=str(HERE), folder=str(folder), number=number, words=list(words))
    done = python(root, "-c", code, env=environment())
    return done.returncode, done.stderr


def whole(remote: Path) -> int:
    """How many results are in a shared store; checked to be whole, with all of their blobs."""
    place = FolderPlace(remote)
    found = [entry for entry in place.list("results", deep=True) if entry.name.endswith(".json")]
    for entry in found:
        text = place.read(entry.path)
        assert text is not None
        document = document_of(text, entry.path)
        for digest in document.blobs:
            assert sha256_of(remote / "blobs" / digest[:2] / digest) == digest
        assert place.find(f"heads/{document.result.head[:2]}/{document.result.head}") is not None
    return len(found)


@pytest.mark.long
def test_a_run_that_is_killed_while_it_pushes_is_a_run_that_completed(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    one, two = clone(tmp_path / "one"), clone(tmp_path / "two")
    code, said = killed(one.root, remote, 0, "run", "-p", "n=-1")
    assert code == 0
    operations = int(said.rpartition("operations=")[2])
    assert operations > 20
    dice, died, count = random.Random(SEED), 0, amount(3, 100)
    for n in range(1, count + 1):
        before = whole(remote)
        code, _ = killed(one.root, remote, dice.randint(1, operations), "run", "-p", f"n={n}")
        assert code in {0, -signal.SIGKILL}
        died += code != 0
        assert before <= whole(remote) <= before + 2
        with Project.open(one.root) as project:
            (run, *_) = project.history.runs()
            assert run.status == "completed"
            assert project.history.of(run).stages["b"].status.is_good
        assert (one.root / "data/three.csv").read_text() == f"n\n{n}\n"
        # The next command goes on where this one was killed.
        code, _ = killed(one.root, remote, 0, "store", "push")
        assert code == 0
        assert whole(remote) == before + 2
    taken = python(two.root, "-m", "stagebook", "run", "-p", f"n={count}", env=environment())
    assert "2 results taken from the shared store" in taken.stdout
    figure("runs killed while they push results", f"{died} of {count}; every result whole, none lost")
    one.close()
    two.close()


@pytest.mark.long
def test_a_collection_that_is_killed_leaves_whole_results(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    one = clone(tmp_path / "one")
    dice, died, count = random.Random(SEED), 0, amount(2, 50)
    for n in range(1, count + 1):
        assert killed(one.root, remote, 0, "run", "-p", f"n={n}")[0] == 0
        _grow_old(remote)
        code, _ = killed(one.root, remote, dice.randint(1, 12), "store", "gc", "--remote", "--days", "1")
        assert code in {0, -signal.SIGKILL}
        died += code != 0
        whole(remote)
        assert killed(one.root, remote, 0, "store", "gc", "--remote", "--days", "1")[0] == 0
        assert whole(remote) == 0
    figure("collections of a shared store killed", f"{died} of {count}")
    one.close()


def _grow_old(remote: Path) -> None:
    for path in remote.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 3 * 86_400,) * 2)
